import type { PodCondition } from 'kubernetes-types/core/v1.d.ts';
import {
  ACCEPTED_CONDITION,
  INSUFFICIENT_DISK,
  podUpdateOf,
  STAGED_CONDITION,
  WAITING_REASONS,
} from '../../../proto/pod-update.ts';
import { isCandidate } from '../../fleet/candidate.ts';
import { keepsPlaces } from '../../fleet/current-rollout.ts';
import type { DeviceUpdateSpec, Step } from '../../fleet/device-update.ts';
import { durationMs } from '../../fleet/duration.ts';
import type { RolloutSpec } from '../../fleet/rollout.ts';
import { isReady, podCondition } from '../../resources/pod-state.ts';
import { parseTime } from '../../resources/time.ts';
import type { PodObject } from '../../resources/typed.ts';

/*
 * One device of a rollout. First what is seen of it becomes its row (`observe`), then its pods are made to fit the row
 * (`podStep`): so a hub that is killed in between does, when it is back, what it was about to do.
 */

/** What the hub sees of one device. */
export interface Device {
  readonly node: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly isOnline: boolean;
  /** For how long it has been there, or away. */
  readonly steadyMs: number;
  /** The live pods of other revisions than the new one: one, where the workload is a DaemonSet. */
  readonly old: readonly PodObject[];
  /** The live pods of the new revision. */
  readonly next: readonly PodObject[];
  /** What was written of it; of this rollout or of one before. */
  readonly row: DeviceUpdateSpec | undefined;
}

/** A device with the row that it should have now. */
export interface Tracked extends Device {
  readonly row: DeviceUpdateSpec;
  /** It took the revision, and does not do well with it. */
  readonly isUnhealthy: boolean;
  /** When time alone makes something else of it; undefined when it cannot. */
  readonly wakeInMs: number | undefined;
}

export interface DeviceContext {
  readonly name: string;
  readonly workload: string;
  readonly spec: RolloutSpec;
  readonly nowMs: number;
}

/**
 * It has been told to download or to switch, and will when its window opens, or when a program on it has no objection any
 * more.
 */
export function isWaiting({ step, reason = '' }: DeviceUpdateSpec): boolean {
  return (step === 'Staging' || step === 'Applying') && WAITING_REASONS.has(reason);
}

/** Of a device that has nothing but the new revision, as when its workload got a policy in the middle of a change. */
const NEVER_READY = 'NeverReady';

/** The new revision is all that it has, and is to be ready for the first time: nobody can ask it for more. */
export function isStarting({ step, reason }: DeviceUpdateSpec): boolean {
  return step === 'Waiting' && reason === NEVER_READY;
}

/** Longer than it takes until a node that is silent is not Ready any more. */
const MARGIN_MS = 60_000;

export const DECIDED: readonly Step[] = ['Succeeded', 'Rejected', 'Failed'];

/** What becomes of a device's row by what is seen of it. Pure. */
export function observe(context: DeviceContext, device: Device): Tracked {
  const row = rowOf(context, device);
  const isAcknowledged = device.next.some((pod) => podCondition(pod, ACCEPTED_CONDITION) !== undefined);
  const seen = { ...row, ...stepSeen(context, device, row) };
  const placed = { ...seen, class: classOf(context, device, seen, isAcknowledged) };
  const mayDownload = placed.step === 'Staging' && isWaiting(row) && !isWaiting(placed);
  const since = placed.step === row.step && !mayDownload ? row.since : isoTime(context.nowMs);
  // The device's time counts from when its window opens, or when it is told again.
  const isTold = row.step === 'Applying' && !isWaiting(row);
  const hasBegun = placed.step === 'Applying' && !isWaiting(placed) && !isTold;
  const next = { ...placed, since, ...(hasBegun && { appliedAt: isoTime(context.nowMs) }) };
  return {
    ...device,
    row: next,
    isUnhealthy:
      placed.step === 'Succeeded' && device.isOnline && device.next.some((pod) => isUnwell(context, pod)),
    wakeInMs: wakeInMs(context, device, next, isAcknowledged),
  };
}

function wakeInMs(
  { spec, nowMs }: DeviceContext,
  { isOnline, steadyMs, next }: Device,
  row: DeviceUpdateSpec,
  isAcknowledged: boolean,
): number | undefined {
  const { deadline, gates } = spec.policy;
  const spentMs = (since: string | undefined) => Math.min(steadyMs, nowMs - atMs(since));
  switch (row.step) {
    case 'Waiting':
      return isOnline && isStarting(row) ? deadlineMs(spec) - spentMs(row.since) : undefined;
    case 'Staging':
      if (isWaiting(row)) return undefined;
      return isOnline ? durationMs(deadline.perDeviceApply) - spentMs(row.since) : undefined;
    case 'Applying':
      if (isWaiting(row)) return undefined;
      if (isOnline) return deadlineMs(spec) - spentMs(row.appliedAt);
      return isAcknowledged && row.class !== 'lost' ? durationMs(gates.lost.lostAfter) - steadyMs : undefined;
    case 'Succeeded':
      return soonest(
        next
          .filter((pod) => !isReady(pod))
          .map((pod) => durationMs(gates.health.minHealthy) - unreadyMs(pod, nowMs)),
      );
    default:
      return undefined;
  }
}

function soonest(times: readonly number[]): number | undefined {
  return times.length > 0 ? Math.min(...times) : undefined;
}

/** The row of a device that this rollout has not met. A device that runs the new revision has nothing left to do. */
function rowOf({ name, workload, nowMs }: DeviceContext, { node, row }: Device): DeviceUpdateSpec {
  if (row?.rollout === name) return row;
  return {
    workload,
    node,
    rollout: name,
    wave: '',
    class: 'reachable',
    step: 'Waiting',
    since: isoTime(nowMs),
  };
}

type Seen = Pick<DeviceUpdateSpec, 'step' | 'reason' | 'message'>;

function stepSeen(context: DeviceContext, device: Device, row: DeviceUpdateSpec): Seen | undefined {
  switch (row.step) {
    case 'Waiting':
      return waiting(context, device, row);
    case 'Staging':
      return staging(context, device, row);
    case 'Applying':
      return applying(context, device, row);
    case 'Succeeded':
      return hasUnmet(context, device) ? told('Applying', 'AnotherPod') : undefined;
    case 'Failed':
      return row.reason === NEVER_READY && runsAlready(context, device)
        ? told('Succeeded', 'AlreadyThere')
        : undefined;
    default:
      return undefined;
  }
}

/**
 * Where the new revision is all that there is, as after a rollout that went another way, there is nothing to switch; but
 * the device has it when that is ready, and has failed when it is not in time.
 */
function waiting(context: DeviceContext, device: Device, row: DeviceUpdateSpec): Seen | undefined {
  const { spec, nowMs } = context;
  if (runsAlready(context, device)) return told('Succeeded', 'AlreadyThere');
  if (spec.type === 'undo' || !hasNextOnly(device)) return isStarting(row) ? told('Waiting', '') : undefined;
  const isOver = isLate(device, row.since, deadlineMs(spec), nowMs);
  return isOver
    ? told('Failed', NEVER_READY, 'its pod of the revision was not ready in time')
    : told('Waiting', NEVER_READY, 'its pod of the revision has not been ready yet');
}

function hasNextOnly({ next, old }: Device): boolean {
  return next.length > 0 && old.length === 0 && next.every((pod) => !isCandidate(pod));
}

/** What goes back is not held up by who was never changed, and is not well. */
function runsAlready({ spec }: DeviceContext, device: Device): boolean {
  const { next, isOnline } = device;
  // A pod that was made for a device while it was away runs nowhere yet.
  const isKnown = ({ status }: PodObject) => isOnline || status?.phase !== 'Pending';
  // The hub takes Ready from the pods of a device that is away, and leaves what the device said itself.
  const wasReady = (pod: PodObject) => !isOnline && podCondition(pod, 'ContainersReady')?.status === 'True';
  const isThere = (pod: PodObject) => (spec.type === 'undo' ? isKnown(pod) : isReady(pod) || wasReady(pod));
  return hasNextOnly(device) && next.every(isThere);
}

/** A pod of the old revision came to a device that has the new one: the workload was scaled, or a pod was moved. */
function hasUnmet({ spec }: Pick<DeviceContext, 'spec'>, { old, next }: Device): boolean {
  // Most devices, in each pass: none.
  if (old.length === 0 || next.length === 0) return false;
  return offersOf(spec, old, next).some((pair) => pair.next === undefined);
}

function told(step: Step, reason: string, message?: string): Seen {
  return { step, reason, ...(message ? { message } : { message: '' }) };
}

function staging({ spec, nowMs }: DeviceContext, device: Device, row: DeviceUpdateSpec): Seen | undefined {
  const staged = verdictOf(spec, device, STAGED_CONDITION);
  if (staged?.status === 'True') return told('Staged', 'Downloaded');
  if (staged?.reason && WAITING_REASONS.has(staged.reason))
    return told('Staging', staged.reason, staged.message);
  if (isWaiting(row)) return told('Staging', '');
  if (!isLate(device, row.since, durationMs(spec.policy.deadline.perDeviceApply), nowMs))
    return shortOfDisk(device, row);
  return told('Failed', 'StageDeadlineExceeded', staged?.message ?? 'the images were not downloaded in time');
}

function applying({ spec, nowMs }: DeviceContext, device: Device, row: DeviceUpdateSpec): Seen | undefined {
  const accepted = verdictOf(spec, device, ACCEPTED_CONDITION);
  if (accepted?.status === 'True') return told('Succeeded', accepted.reason ?? 'Accepted');
  if (accepted?.reason && WAITING_REASONS.has(accepted.reason))
    return told('Applying', accepted.reason, accepted.message);
  if (accepted?.status === 'False') return told('Rejected', accepted.reason ?? 'Rejected', accepted.message);
  if (isWaiting(row)) return told('Applying', '');
  if (!isLate(device, row.appliedAt, deadlineMs(spec), nowMs)) return shortOfDisk(device, row);
  return told('Failed', 'DeadlineExceeded', accepted?.message ?? 'the device did not decide in time');
}

/** It does not download because its disk is too full: its row says so for as long. */
function shortOfDisk({ next }: Device, { step, reason }: DeviceUpdateSpec): Seen | undefined {
  const staged = next.map((pod) => podCondition(pod, STAGED_CONDITION));
  const short = staged.find((each) => each?.status === 'False' && each.reason === INSUFFICIENT_DISK);
  if (short) return told(step, INSUFFICIENT_DISK, short.message);
  return reason === INSUFFICIENT_DISK ? told(step, '') : undefined;
}

/**
 * What the device says of its new pods, and all that are to be there: of several, which switch one by one, the one that
 * keeps the device from going on.
 */
function verdictOf(spec: RolloutSpec, { old, next }: Device, type: string): PodCondition | undefined {
  if (next.length === 0) return undefined;
  const said = next.map((pod) => podCondition(pod, type));
  const refused = said.find((each) => each?.status === 'False');
  if (refused) return refused;
  const areAllThere = offersOf(spec, old, next).every((pair) => pair.next !== undefined);
  if (!areAllThere || said.includes(undefined)) return undefined;
  const open = said.filter((each) => each?.status !== 'True');
  return open.find((each) => !WAITING_REASONS.has(each?.reason ?? '')) ?? open[0] ?? said[0];
}

/** A device that was away is given its time anew: it could not use what passed, or not tell what it decided. */
function isLate(
  { isOnline, steadyMs }: Device,
  since: string | undefined,
  limitMs: number,
  nowMs: number,
): boolean {
  return isOnline && Math.min(steadyMs, nowMs - atMs(since)) >= limitMs;
}

/**
 * The hub waits longer than the device, which has a deadline of its own: what it decides then is on its way, and a
 * device that was cut off a moment ago does not count as away yet.
 */
function deadlineMs({ policy }: RolloutSpec): number {
  const ms = durationMs(policy.deadline.perDeviceApply);
  return ms + Math.max(MARGIN_MS, ms / 10);
}

function classOf(
  { spec }: DeviceContext,
  { isOnline, steadyMs }: Device,
  { step }: DeviceUpdateSpec,
  isAcknowledged: boolean,
): DeviceUpdateSpec['class'] {
  if (isOnline) return 'reachable';
  if (step !== 'Applying') return DECIDED.includes(step) ? 'reachable' : 'dark';
  if (!isAcknowledged) return 'dark';
  return steadyMs >= durationMs(spec.policy.gates.lost.lostAfter) ? 'lost' : 'reachable';
}

/** It restarts too often, or has not been ready for as long as it had to be healthy at first. */
function isUnwell({ spec, nowMs }: DeviceContext, pod: PodObject): boolean {
  const { maxRestarts, minHealthy } = spec.policy.gates.health;
  const restarts = (pod.status?.containerStatuses ?? []).reduce(
    (sum, { restartCount }) => sum + restartCount,
    0,
  );
  if (restarts > maxRestarts) return true;
  return !isReady(pod) && unreadyMs(pod, nowMs) >= durationMs(minHealthy);
}

function unreadyMs(pod: PodObject, nowMs: number): number {
  return nowMs - (parseTime(podCondition(pod, 'Ready')?.lastTransitionTime) ?? nowMs);
}

/** What is to be done with a device's pods, so that they fit its row. */
export type PodStep =
  | { readonly type: 'none' }
  /** The new pods should be there, to this end. */
  | { readonly type: 'offer'; readonly step: 'stage' | 'apply'; readonly offers: readonly Offer[] }
  /** The device has taken the new pods: the old ones go. */
  | { readonly type: 'confirm'; readonly old: readonly PodObject[] }
  /** The device did not take the new pods: they go. */
  | { readonly type: 'withdraw'; readonly next: readonly PodObject[] };

/** A new pod in the place of an old one: to be made, or, if it is there, to be told something else. */
export interface Offer {
  readonly old: PodObject | undefined;
  readonly next: PodObject | undefined;
}

const NONE: PodStep = { type: 'none' };

/** Pure. */
export function podStep({ row, next, old }: Tracked, { spec }: Pick<DeviceContext, 'spec'>): PodStep {
  switch (row.step) {
    case 'Waiting':
      return withdrawal(next.filter(isCandidate));
    case 'Staging':
    case 'Staged':
      return offer('stage', offersOf(spec, old, next));
    case 'Applying':
      return offer('apply', offersOf(spec, old, next));
    case 'Succeeded':
      return old.length > 0 && next.length > 0 ? { type: 'confirm', old } : NONE;
    case 'Rejected':
    case 'Failed':
      // What goes back has nothing to go back to: it is left to try on.
      return spec.type === 'change' ? withdrawal(next.filter((pod) => hasWayBack(pod, old))) : NONE;
  }
}

/** What the device took before, and whose old pod is gone, stays. */
function hasWayBack(pod: PodObject, old: readonly PodObject[]): boolean {
  const replaced = podUpdateOf(pod)?.replaces;
  return isCandidate(pod) || old.some(({ metadata }) => metadata.uid === replaced);
}

function withdrawal(next: readonly PodObject[]): PodStep {
  return next.length > 0 ? { type: 'withdraw', next } : NONE;
}

function offer(step: 'stage' | 'apply', all: readonly Offer[]): PodStep {
  const isOpen = ({ next: pod }: Offer) =>
    pod === undefined || (step === 'apply' && podUpdateOf(pod)?.step !== 'apply');
  const offers = all.filter(isOpen);
  return offers.length > 0 ? { type: 'offer', step, offers } : NONE;
}

/**
 * A new pod for each old one; one also where there is none to replace. One whose old pod was made anew in its place
 * stands for the one that came.
 */
function offersOf(
  { workload }: Pick<RolloutSpec, 'workload'>,
  old: readonly PodObject[],
  next: readonly PodObject[],
): Offer[] {
  const replacing = new Map(next.map((pod) => [podUpdateOf(pod)?.replaces, pod]));
  const paired = old.flatMap((pod) => replacing.get(pod.metadata.uid) ?? []);
  const free = next.filter((pod) => !paired.includes(pod));
  const comesAgain = keepsPlaces(workload.kind);
  const standIn = () => (comesAgain ? free.shift() : undefined);
  const pairs = old.map((pod) => ({ old: pod, next: replacing.get(pod.metadata.uid) ?? standIn() }));
  const all: Offer[] = [...pairs, ...free.map((pod) => ({ old: undefined, next: pod }))];
  return all.length > 0 ? all : [{ old: undefined, next: undefined }];
}

export function atMs(time: string | undefined): number {
  return parseTime(time) ?? 0;
}

/** With milliseconds: the deadlines of tests and of small fleets are short. */
export function isoTime(nowMs: number): string {
  return new Date(nowMs).toISOString();
}
