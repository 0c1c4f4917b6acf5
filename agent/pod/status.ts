import type { ContainerState, ContainerStatus, PodCondition, PodStatus } from 'kubernetes-types/core/v1.d.ts';
import type { ObservedContainer } from '../runtime/runtime.ts';
import { timeText } from '../time-text.ts';
import { backOffMs } from './back-off.ts';
import { DENIED, denialOf, denialOfContainer } from './guard-rails.ts';
import { incompleteInits } from './initialization.ts';
import {
  attemptsOf,
  type Failure,
  hasEnded,
  type ImageState,
  infraOf,
  type PodInput,
  PULL_DENIED,
  restartOf,
  restarts,
  verdictOf,
} from './observation.ts';
import {
  type Container,
  type EphemeralContainer,
  isInit,
  isSidecar,
  ownContainersOf,
  type Pod,
  volumeImagesOf,
} from './pod.ts';
import { qosClassOf } from './quality.ts';

/*
 * What Kubernetes' PodStatus says of a pod here: pure, from the same observation that the plan is made from.
 * https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/
 */

export interface StatusInput extends PodInput {
  readonly pod: Pod;
  readonly hostIp: string;
  /** RFC 3339: when this agent took the pod on. */
  readonly startTime: string;
}

/** A failed pull is `ErrImagePull` for this long, then `ImagePullBackOff` until the next attempt. */
export const FRESH_FAILURE_MS = 1_000;

export function podStatus(input: StatusInput): PodStatus {
  const { pod, containers, hostIp, startTime } = input;
  const { initContainers, ephemeralContainers } = pod.spec;
  const statusOf = (container: Container) => containerStatus(input, container);
  const containerStatuses = pod.spec.containers.map(statusOf);
  const initStatuses = initContainers?.map(statusOf) ?? [];
  const works = containers.some(({ role, state }) => role === 'container' && state === 'running');
  // As from the kubelet: a pod is not over before its containers have ended.
  const verdict = works ? undefined : verdictOf(input);
  const phase = verdict ? 'Failed' : phaseOf(input, containerStatuses);
  const podIp = podIpOf(pod, containers, hostIp);
  const failure = input.failures.get('');
  // As from the kubelet: of containers of a pod that was refused, or cleared away, nothing is told.
  const tellsContainers = !input.verdict || containers.some(({ role }) => role === 'container');
  return {
    phase,
    conditions: conditionsOf(input, phase, containerStatuses, initStatuses),
    ...(failure && phase === 'Pending' && { message: failure.message }),
    ...(verdict && { reason: verdict.reason, message: verdict.message }),
    hostIP: hostIp,
    hostIPs: [{ ip: hostIp }],
    ...(podIp && { podIP: podIp, podIPs: [{ ip: podIp }] }),
    startTime,
    ...(tellsContainers && {
      ...(initContainers && { initContainerStatuses: initStatuses }),
      containerStatuses,
    }),
    ...(ephemeralContainers && {
      ephemeralContainerStatuses: ephemeralContainers.map((each) => ephemeralStatus(input, each)),
    }),
    qosClass: qosClassOf(pod),
  };
}

export function podIpOf(pod: Pod, containers: readonly ObservedContainer[], hostIp: string): string {
  if (pod.spec.hostNetwork) return hostIp;
  const holder =
    infraOf(containers) ??
    containers.find(({ role, state, ip }) => role === 'container' && state === 'running' && ip !== '');
  return holder?.ip ?? '';
}

function containerStatus(input: StatusInput, container: Container): ContainerStatus {
  const [newest, before] = attemptsOf(input.containers, container.name);
  const { name } = container;
  const state = stateOf(input, container, newest);
  // While the next attempt waits, the one that ended is the last state, and the present one is the wait.
  const ended = state.waiting && newest?.state === 'exited' ? newest : before;
  const { started, ready } = newest ? input.health(newest.id) : { started: false, ready: false };
  const running = state.running !== undefined;
  const isDone = isInit(input.pod, name) && state.terminated?.exitCode === 0;
  return {
    name,
    image: container.image ?? '',
    imageID: newest?.imageId ?? '',
    ...(newest && { containerID: idOf(newest) }),
    restartCount: newest?.attempt ?? 0,
    ready: isDone || (running && started && ready),
    started: running && started,
    state,
    lastState: ended?.state === 'exited' ? terminated(ended) : {},
  };
}

/** It has no part in whether the pod is ready, and no second attempt. */
function ephemeralStatus(input: StatusInput, container: EphemeralContainer): ContainerStatus {
  const [made] = attemptsOf(input.containers, container.name);
  return {
    name: container.name,
    image: container.image ?? '',
    imageID: made?.imageId ?? '',
    ...(made && { containerID: idOf(made) }),
    restartCount: 0,
    ready: false,
    state: ephemeralStateOf(input, container, made),
    lastState: {},
  };
}

function ephemeralStateOf(
  input: StatusInput,
  container: EphemeralContainer,
  made: ObservedContainer | undefined,
): ContainerState {
  const failure = input.failures.get(container.name);
  const denial = denialOfContainer(container, input.rails);
  if (!made && denial) return { waiting: { reason: DENIED, message: denial } };
  if (made?.state === 'running') return { running: { startedAt: timeText(made.startedAtMs ?? 0) } };
  if (made?.state === 'exited') return terminated(made);
  if (made && failure)
    return { terminated: { exitCode: 128, reason: 'StartError', message: failure.message } };
  if (!made && input.lastAttempt.has(container.name))
    return {
      terminated: {
        exitCode: 137,
        reason: 'ContainerStatusUnknown',
        message: 'The container could not be located any more',
      },
    };
  return notYet(input, container);
}

function stateOf(
  input: StatusInput,
  container: Container,
  newest: ObservedContainer | undefined,
): ContainerState {
  // As in Kubernetes, it does not run before its hook has.
  if (newest?.state === 'running' && !input.hooks.has(newest.id))
    return { running: { startedAt: timeText(newest.startedAtMs ?? 0) } };
  const { pod, finished, failures, nowMs, rails } = input;
  const denial = finished ? undefined : denialOf(pod, rails);
  if (denial) return { waiting: { reason: DENIED, message: denial } };
  if (newest?.state === 'exited') {
    const ends =
      finished ||
      pod.metadata.deletionTimestamp !== undefined ||
      !restarts(pod, container.name, newest.exitCode);
    const failure = failures.get(container.name);
    if (ends) return terminated(newest);
    // What could not be started has said so: it waits as one that has ended does.
    const isOwn = newest.isUnstartable && failure?.reason === 'RunContainerError';
    if (failure && !isOwn) return waitingFor(failure);
    const { atMs, crashes } = restartOf(newest);
    if (nowMs >= atMs) return terminated(newest);
    return {
      waiting: {
        reason: 'CrashLoopBackOff',
        message: `back-off ${backOffMs(crashes - 1) / 1000}s restarting failed container=${container.name} pod=${pod.metadata.name}_${pod.metadata.namespace}(${pod.metadata.uid})`,
      },
    };
  }
  return notYet(input, container);
}

function notYet(
  { pod, failures, image, nowMs, turn, waitsFor }: StatusInput,
  container: Container,
): ContainerState {
  const failure = failures.get(container.name) ?? failures.get('');
  if (failure) return waitingFor(failure);
  if (turn !== 'run') return { waiting: { reason: 'WaitingForUpdate', message: WAITS_FOR_TURN[turn] } };
  if (waitsFor !== undefined) return { waiting: { reason: 'ContainerCreating', message: waitsFor } };
  const mounted = new Set(container.volumeMounts?.map(({ name }) => name));
  const needed = [container.image ?? '', ...volumeImagesOf(pod, mounted).map((each) => each.image)];
  const pull = needed.map((name) => imageFailure(image(name), name, nowMs)).find(Boolean);
  const reason = pod.spec.initContainers?.length ? 'PodInitializing' : 'ContainerCreating';
  return pull ?? { waiting: { reason } };
}

const WAITS_FOR_TURN = {
  hold: 'it is downloaded; the pod whose place it is to take still runs',
  yield: 'the pod whose place it is to take has not ended, or was gone back to',
  clear: 'another pod has its place',
} as const;

function imageFailure(
  { failure, pulling, absent }: ImageState,
  name: string,
  nowMs: number,
): ContainerState | undefined {
  if (!failure || !(absent || failure.reason === PULL_DENIED)) return undefined;
  const fresh = !pulling && nowMs - failure.atMs < FRESH_FAILURE_MS;
  if (failure.reason === 'InvalidImageName') return waitingFor(failure);
  if (fresh) return { waiting: { reason: 'ErrImagePull', message: failure.message } };
  return {
    waiting: { reason: 'ImagePullBackOff', message: `Back-off pulling image "${name}": ${failure.message}` },
  };
}

function waitingFor({ reason, message }: Failure): ContainerState {
  return { waiting: { reason, message } };
}

function terminated(ended: ObservedContainer): ContainerState {
  const { exitCode, error, message = error } = ended;
  return {
    terminated: {
      exitCode,
      reason: reasonOf(ended),
      ...(message && { message }),
      startedAt: timeText(ended.startedAtMs ?? 0),
      finishedAt: timeText(ended.finishedAtMs ?? 0),
      containerID: idOf(ended),
    },
  };
}

function reasonOf({ isUnstartable, oomKilled, exitCode }: ObservedContainer): string {
  if (isUnstartable) return 'StartError';
  if (oomKilled) return 'OOMKilled';
  return exitCode === 0 ? 'Completed' : 'Error';
}

const idOf = ({ engine, id }: ObservedContainer) => `${engine}://${id}`;

/** A pod that has done its work still runs while its sidecars do. */
function phaseOf(input: StatusInput, statuses: readonly ContainerStatus[]): string {
  const { pod, containers } = input;
  const works = containers.some(({ role, state }) => role === 'container' && state === 'running');
  if (hasEnded(pod, containers) && !works)
    return exitCodesOf(input).every((code) => code === 0) ? 'Succeeded' : 'Failed';
  if (incompleteInits(input, pod).length > 0) return 'Pending';
  const begun = statuses.filter(({ state, lastState }) => !state?.waiting || lastState?.terminated);
  return begun.length === statuses.length ? 'Running' : 'Pending';
}

/** How those ended whose ends say whether the pod has succeeded. */
function exitCodesOf({ pod, containers }: StatusInput): number[] {
  const counted = ownContainersOf(pod).filter(({ name }) => !isSidecar(pod, name));
  return counted.flatMap(({ name }) => attemptsOf(containers, name)[0]?.exitCode ?? []);
}

/** The hub keeps the time of a condition that did not change, so the times here are those of this observation. */
function conditionsOf(
  input: StatusInput,
  phase: string,
  statuses: readonly ContainerStatus[],
  inits: readonly ContainerStatus[],
): PodCondition[] {
  const { pod, containers } = input;
  const counted = [...inits.filter(({ name }) => isSidecar(pod, name)), ...statuses];
  const unready = counted.filter(({ ready }) => !ready).map(({ name }) => name);
  const incomplete = incompleteInits(input, pod);
  const ready = unready.length === 0;
  const why = OVER[phase] ?? {
    reason: 'ContainersNotReady',
    message: `containers with unready status: [${unready.join(' ')}]`,
  };
  const whyNotInitialized = {
    reason: 'ContainersNotInitialized',
    message: `containers with incomplete status: [${incomplete.join(' ')}]`,
  };
  const network = containers.some(({ state }) => state === 'running');
  const condition = (type: string, holds: boolean, details: object = {}): PodCondition => ({
    type,
    status: holds ? 'True' : 'False',
    ...(!holds && details),
  });
  return [
    condition('PodReadyToStartContainers', network),
    condition('Initialized', incomplete.length === 0, whyNotInitialized),
    condition('Ready', ready && pod.metadata.deletionTimestamp === undefined, why),
    condition('ContainersReady', ready, why),
    condition('PodScheduled', true),
    ...disruption(input),
  ];
}

/** What tells a pod that was evicted from one that failed by itself: Jobs ask for it. */
function disruption({ verdict }: StatusInput): PodCondition[] {
  if (verdict?.reason !== 'Evicted') return [];
  const { message } = verdict;
  return [{ type: 'DisruptionTarget', status: 'True', reason: 'TerminationByKubelet', message }];
}

/** Why a pod that is over is not ready. */
const OVER: Readonly<Record<string, { reason: string }>> = {
  Succeeded: { reason: 'PodCompleted' },
  Failed: { reason: 'PodFailed' },
};
