import { isOffline } from '../../controllers/daemon-set/placement.ts';
import type { DeviceUpdateSpec } from '../../fleet/device-update.ts';
import { durationMs } from '../../fleet/duration.ts';
import type { RolloutObject, Transition, WaveStatus } from '../../fleet/rollout.ts';
import type { Wave } from '../../fleet/rollout-policy.ts';
import { counted } from '../../resources/counted.ts';
import { humanDuration } from '../../resources/human-duration.ts';
import { matchesLabelSelector } from '../../resources/selector.ts';
import { parseTime } from '../../resources/time.ts';
import type { NodeObject } from '../../resources/typed.ts';
import { oneLine } from '../print.ts';
import { isOver } from './find-rollout.ts';
import { openGate } from './gates-text.ts';
import { POLICY_ANNOTATION, type WorkloadObject, type WorkloadReference, workloadText } from './workload.ts';

/** What is known of a device and a workload. */
export interface Question {
  readonly node: NodeObject;
  readonly reference: WorkloadReference;
  readonly workload: WorkloadObject;
  /** Why the workload does not run there: follows the device's name. */
  readonly mismatch: string | undefined;
  /** A policy that is not there, and that the workload's present template waits for. */
  readonly missingPolicy?: string | undefined;
  /** The newest. */
  readonly rollout: RolloutObject | undefined;
  readonly row: DeviceUpdateSpec | undefined;
  readonly nowMs: number;
}

/** Why a device has a revision, or has it not: one word for programs, one sentence for people. */
export interface Explanation {
  readonly hasRevision: boolean;
  readonly reason: string;
  /** Since when that is so. */
  readonly since?: string;
  /** Follows the device's name: `has revision 3 …`. */
  readonly message: string;
}

/** A question of which there is a rollout. */
type Known = Question & { readonly rollout: RolloutObject };
/** And a row of the device in it. */
type Tracked = Known & { readonly row: DeviceUpdateSpec };

/** The one reason. Pure. */
export function explainDevice(question: Question): Explanation {
  const { mismatch, missingPolicy, rollout, row } = question;
  if (mismatch !== undefined) return because('NotMatched', mismatch);
  if (missingPolicy !== undefined) return withoutPolicy(question, missingPolicy);
  if (!rollout) return withoutRollout(question);
  const known = { ...question, rollout };
  if (row?.rollout !== rollout.metadata.name || !row) return untracked(known);
  return ofRow({ ...known, row });
}

function because(reason: string, message: string, since?: string): Explanation {
  return { hasRevision: false, reason, message, ...(since && { since }) };
}

function withoutPolicy({ reference }: Question, policy: string): Explanation {
  return because(
    'PolicyNotFound',
    `does not have the present template of ${workloadText(reference)}: RolloutPolicy "${policy}", to which it refers, is not there, and changes wait until it is`,
  );
}

function withoutRollout({ reference, workload }: Question): Explanation {
  const policy = workload.metadata.annotations?.[POLICY_ANNOTATION];
  const name = workloadText(reference);
  return policy
    ? because('NoRollout', `has the first revision of ${name}: there was no rollout yet`)
    : because(
        'NoRollout',
        `follows ${name} in Kubernetes' own way: it refers to no RolloutPolicy (annotation ${POLICY_ANNOTATION})`,
      );
}

function revisionText({ rollout: { spec } }: Known): string {
  return `revision ${spec.to.number} of ${spec.workload.name}${spec.cause ? ` (${oneLine(spec.cause)})` : ''}`;
}

/** The newest rollout has not looked at the device: it has just begun, or is over for all who were not there. */
function untracked(question: Known): Explanation {
  const { rollout } = question;
  return (
    stopped(question) ??
    because(
      'NotSeenYet',
      `does not have ${revisionText(question)}: rollout ${rollout.metadata.name} has not come to it yet`,
    )
  );
}

function ofRow(question: Tracked): Explanation {
  const { row } = question;
  const revision = revisionText(question);
  const why = row.message ? oneLine(row.message) : '';
  switch (row.step) {
    case 'Succeeded':
      return {
        hasRevision: true,
        reason: row.reason || 'Succeeded',
        since: row.since,
        message: `has ${revision} since ${ago(question, row.since)}`,
      };
    case 'Rejected': {
      const said = [row.reason, why].filter(Boolean).join(': ');
      return because(
        'Rejected',
        `rejected ${revision} ${ago(question, row.since)}${said && `: ${said}`}`,
        row.since,
      );
    }
    case 'Failed':
      return because(
        row.reason || 'Failed',
        `has not taken ${revision}: ${why || 'it failed'} (${ago(question, row.since)})`,
        row.since,
      );
    case 'Applying':
      return applying(question);
    default:
      // What is over reaches nobody any more; else who is away cannot be reached whatever becomes of the rollout.
      return (
        (isOver(question.rollout) ? stopped(question) : undefined) ??
        away(question) ??
        stopped(question) ??
        waiting(question)
      );
  }
}

/** `12m ago, at 2026-01-01T00:00:00Z` */
function ago({ nowMs }: Question, time: string | undefined): string {
  const atMs = parseTime(time);
  if (time === undefined || atMs === undefined) return 'a time that is not known';
  return `${time.slice(0, 19)}Z (${humanDuration(Math.max(0, nowMs - atMs))} ago)`;
}

/** When the hub last heard otherwise of it. */
export function awaySince({ status, metadata }: NodeObject): string | undefined {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  return ready?.lastTransitionTime ?? metadata.creationTimestamp;
}

function applying(question: Tracked): Explanation {
  const { row, node, rollout } = question;
  const told = `was told to take ${revisionText(question)} at ${ago(question, row.appliedAt ?? row.since)}`;
  if (isOffline(node)) {
    const since = awaySince(node);
    if (row.class === 'lost')
      return because(
        'Lost',
        `is lost: it ${told}, took it up, and is silent since ${ago(question, since)}`,
        since,
      );
    return because('Dark', `is dark since ${ago(question, since)}: it ${told}, and decides by itself`, since);
  }
  // The device holds back, and has said why: for a window, a consent.
  if (row.reason)
    return because(row.reason, `${told}, and waits: ${oneLine(row.message || row.reason)}`, row.since);
  const { perDeviceApply } = rollout.spec.policy.deadline;
  return because('Applying', `is at it: it ${told}, and has ${perDeviceApply} to decide`, row.appliedAt);
}

function away(question: Tracked): Explanation | undefined {
  const { node, row } = question;
  if (!isOffline(node)) return undefined;
  const since = awaySince(node);
  const wave = row.wave ? `of wave ${row.wave}, ` : '';
  const text = `is dark since ${ago(question, since)}: ${wave}it gets ${revisionText(question)} when it is back`;
  return because('Dark', text, since);
}

/** The rollout goes to nobody now, whoever the device is. */
function stopped(question: Known): Explanation | undefined {
  const { rollout } = question;
  const { phase = 'Pending', message = '', transitions = [], finishedAt } = rollout.status ?? {};
  const { name } = rollout.metadata;
  const last = transitions.findLast((each) => each.phase === phase);
  const lacks = `does not have ${revisionText(question)}: rollout ${name}`;
  const why = oneLine(message || last?.message || '');
  switch (phase) {
    case 'Pending':
      return because('WaitsForStart', `${lacks} waits to be started (holdfast rollout start ${name})`);
    case 'Paused':
      return because(
        'Paused',
        `${lacks} is paused ${whoAndWhen(question, last)}${why && `: ${why}`}`,
        last?.at,
      );
    case 'Aborted':
      return because(
        'Aborted',
        `${lacks} was aborted ${whoAndWhen(question, last)}${why && `: ${why}`}`,
        finishedAt,
      );
    case 'Undone':
      return because(
        'Undone',
        `${lacks} was undone ${whoAndWhen(question, last)}${why && `: ${why}`}`,
        finishedAt,
      );
    case 'Superseded':
      return because(
        'Superseded',
        `${lacks} was superseded ${whoAndWhen(question, last)}${why && `: ${why}`}`,
        finishedAt,
      );
    default:
      return undefined;
  }
}

function whoAndWhen(question: Question, last: Transition | undefined): string {
  return `${last?.by ? `by ${last.by} ` : ''}since ${ago(question, last?.at)}`;
}

/** Reasons of a device that waits, which are told as they are. */
const SAYS_WHY = ['Budget', 'NeverReady'];

/** It can be reached, the rollout goes on, and its turn has not come. */
function waiting(question: Tracked): Explanation {
  const { rollout, row } = question;
  const { status = {}, spec } = rollout;
  const holds = row.step === 'Staged' ? 'holds the images of' : 'does not have';
  const lacks = `${holds} ${revisionText(question)}`;
  if (row.reason && (SAYS_WHY.includes(row.reason) || row.step === 'Staging'))
    return because(row.reason, `${lacks}, and waits: ${oneLine(row.message ?? '')}`, row.since);
  if (row.step === 'Staging')
    return because(
      'Staging',
      `downloads ${revisionText(question)} since ${ago(question, row.since)}`,
      row.since,
    );
  const { maxConcurrent } = spec.policy.offline.catchUp;
  if (status.phase === 'Succeeded')
    return because(
      'CatchUp',
      `${lacks}, and waits for its turn to catch up: ${counted(maxConcurrent, 'device does', 'devices do')} at a time`,
    );
  const present = status.waves?.find(({ name }) => name === status.wave);
  if (present && row.wave === present.name) return inPresentWave(question, lacks, present);
  return forLaterWave(question, lacks, present);
}

function inPresentWave({ rollout, row }: Tracked, lacks: string, { name }: WaveStatus): Explanation {
  const { stage } = rollout.spec.policy;
  const isToStage = stage !== undefined && row.step === 'Waiting' && rollout.spec.type === 'change';
  if (isToStage)
    return because(
      'WaitsToStage',
      `${lacks}: it is in wave ${name} and waits for its turn to download, ${counted(stage.maxConcurrent, 'does', 'do')} at a time`,
    );
  return because('WaitsForTurn', `${lacks}: it is in wave ${name}, which is about to ask it`, row.since);
}

function forLaterWave(question: Tracked, lacks: string, present: WaveStatus | undefined): Explanation {
  const { rollout } = question;
  const { name } = rollout.metadata;
  const own = waveText(question, present);
  const gate = openGate(rollout, present);
  if (present && gate && present.phase !== 'AwaitingApproval')
    return because(
      'WaitsForGate',
      `${lacks}: ${own}, and wave ${present.name} waits for gate ${gate.name}: ${oneLine(gate.message)}`,
      gate.openSince,
    );
  switch (present?.phase) {
    case 'AwaitingApproval':
      return because(
        'WaitsForApproval',
        `${lacks}: ${own}, and wave ${present.name} waits for approval (holdfast rollout approve ${name} --wave ${present.name})`,
      );
    case 'Baking':
      return because(
        'WaitsForWave',
        `${lacks}: ${own}, and wave ${present.name} bakes until ${bakedAt(rollout, present)}`,
      );
    default: {
      const where = present
        ? `, and the rollout is at wave ${present.name} (${present.succeeded} of ${counted(present.devices, 'device', 'devices')} done)`
        : '';
      return because('WaitsForWave', `${lacks}: ${own}${where}`);
    }
  }
}

function bakedAt({ spec }: RolloutObject, { name, bakingSince }: WaveStatus): string {
  const wave = spec.policy.waves?.find((each) => each.name === name);
  const endMs = (parseTime(bakingSince) ?? 0) + durationMs(wave?.bake);
  return `${new Date(endMs).toISOString().slice(0, 19)}Z`;
}

/** The wave that it waits for: its own, or the first of those to come that takes it for sure. */
function waveText({ rollout, row, node }: Tracked, present: WaveStatus | undefined): string {
  if (row.wave) return `it waits for wave ${row.wave}`;
  const { waves = [] } = rollout.spec.policy;
  const at = waves.findIndex(({ name }) => name === present?.name);
  // Those of the present wave are chosen already, unless it replaces devices that went dark.
  const later = waves.slice(at + 1).filter((wave) => takes(wave, node));
  const sureAt = later.findIndex(({ limit }) => limit === undefined || limit === '100%');
  const sure = later[sureAt]?.name ?? 'rest';
  const maybe = later.slice(0, sureAt === -1 ? later.length : sureAt).map(({ name }) => name);
  return `it waits for wave ${sure}${maybe.length > 0 ? `, unless ${maybe.join(' or ')} chooses it` : ''}`;
}

function takes({ selector }: Wave, { metadata }: NodeObject): boolean {
  return matchesLabelSelector(selector ?? {}, metadata.labels);
}
