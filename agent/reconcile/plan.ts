import { INSUFFICIENT_DISK, podUpdateOf } from '../../proto/pod-update.ts';
import { backOffMs } from '../pod/back-off.ts';
import {
  attemptsOf,
  type Failure,
  hasEnded,
  infraOf,
  joinsOf,
  type PodInput,
  restartOf,
  restarts,
} from '../pod/observation.ts';
import {
  allContainersOf,
  type Container,
  type EphemeralContainer,
  graceSecondsOf,
  isDeleted,
  needsInfra,
  type Pod,
  specHash,
} from '../pod/pod.ts';
import type { ObservedContainer } from '../runtime/runtime.ts';

/*
 * What to do about one pod now. Pure: no I/O, no clock, no log. All times are milliseconds on the monotonic clock.
 *
 * The plan reads everything it needs from what is observed, so it is right after any crash and at any repetition. It
 * names one step per container; the step after it follows from what is observed then.
 */

export type Action =
  | { readonly type: 'prepare' }
  /** `minFreeDisk`: what must be free before it. */
  | { readonly type: 'pull'; readonly image: string; readonly minFreeDisk?: string }
  /** Whether it is there: asked before it is needed. */
  | { readonly type: 'check-image'; readonly image: string }
  | { readonly type: 'remove-image'; readonly image: string }
  | { readonly type: 'run'; readonly container: string; readonly attempt: number; readonly crashes: number }
  | { readonly type: 'run-infra'; readonly attempt: number }
  | { readonly type: 'start'; readonly id: string; readonly container: string }
  /** Asks it to end, and remembers when it is to be killed. */
  | { readonly type: 'terminate'; readonly id: string; readonly graceMs: number }
  | { readonly type: 'kill'; readonly id: string }
  | { readonly type: 'remove'; readonly id: string }
  /** Nothing of the pod is left but its directory. */
  | { readonly type: 'clean-up' };

export interface PodPlan {
  readonly actions: readonly Action[];
  /** When to look again although nothing happened; Infinity when there is no need. */
  readonly wakeAtMs: number;
}

const NOTHING: PodPlan = { actions: [], wakeAtMs: Number.POSITIVE_INFINITY };

export function planPod(input: PodInput): PodPlan {
  if (!input.pod || isDeleted(input.pod)) return planEnd(input);
  if (input.finished) return NOTHING;
  if (input.turn === 'hold') return planDownload(input, input.pod);
  if (input.turn !== 'run') return planYield(input, input.pod);
  const infra = needsInfra(input.pod) ? planInfra(input, input.pod) : undefined;
  if (infra) return infra;
  if (!input.prepared) return planPreparation(input);
  const pod = input.pod;
  return merge([
    ...pod.spec.containers.map((container) => planContainer(input, pod, container)),
    ...(pod.spec.ephemeralContainers ?? []).map((container) => planEphemeral(input, pod, container)),
    planSweep(input, pod),
  ]);
}

/** When what failed may be tried again. */
export function retryAtMs(failure: Failure | undefined): number {
  return failure ? failure.atMs + backOffMs(failure.count) : 0;
}

function planEnd(input: PodInput): PodPlan {
  const { pod, containers } = input;
  if (containers.length === 0) return { ...NOTHING, actions: [{ type: 'clean-up' }] };
  const working = containers.filter(({ role }) => role === 'container');
  const steps = working.map((container) => {
    const graceSeconds = pod ? graceSecondsOf(pod) : container.graceSeconds;
    // To remove kills as well: one call to the engine instead of three.
    const overdue =
      graceSeconds <= 0 || planTermination(input, container, graceSeconds).actions[0]?.type === 'kill';
    if (container.state !== 'running' || overdue) return step({ type: 'remove', id: container.id });
    return planTermination(input, container, graceSeconds);
  });
  // The network goes last, so that containers can say good-bye on it.
  if (working.length === 0) return merge(containers.map(({ id }) => step({ type: 'remove', id })));
  return merge(steps);
}

function planTermination(
  { killAtMs, nowMs }: PodInput,
  container: ObservedContainer,
  graceSeconds: number,
): PodPlan {
  const { id } = container;
  if (graceSeconds <= 0) return step({ type: 'kill', id });
  const deadlineMs = killAtMs.get(id);
  if (deadlineMs === undefined) return step({ type: 'terminate', id, graceMs: graceSeconds * 1000 });
  const sooner = Math.min(deadlineMs, nowMs + graceSeconds * 1000);
  return nowMs >= sooner ? step({ type: 'kill', id }) : waitUntil(sooner);
}

/** All images ahead of time, as long as the disk has room for them beside the old ones; nothing else happens yet. */
function planDownload(input: PodInput, pod: Pod): PodPlan {
  const minFreeDisk = podUpdateOf(pod)?.minFreeDisk;
  return merge(
    pod.spec.containers.map((container) => {
      const name = container.image ?? '';
      const { present, absent, pulling } = input.image(name);
      const isKnown = present || absent || pulling;
      return (
        planPull(input, container, undefined, minFreeDisk) ??
        (isKnown ? NOTHING : step({ type: 'check-image', image: name }))
      );
    }),
  );
}

/** Makes room for another pod, and keeps what is needed to go on later; but not if the disk is to be freed. */
function planYield(input: PodInput, pod: Pod): PodPlan {
  const { containers, turn, keptImages } = input;
  const running = containers.filter(({ role, state }) => role === 'container' && state === 'running');
  if (running.length > 0)
    return merge(running.map((container) => planTermination(input, container, graceSecondsOf(pod))));
  const going = turn === 'clear' ? containers : containers.filter(({ role }) => role === 'infra');
  if (going.length > 0) return merge(going.map(({ id }) => step({ type: 'remove', id })));
  if (turn !== 'clear') return NOTHING;
  const images = new Set(pod.spec.containers.map(({ image = '' }) => image));
  const unneeded = [...images].filter((image) => !keptImages.has(image) && !input.image(image).absent);
  return merge(unneeded.map((image) => step({ type: 'remove-image', image })));
}

/** A pod whose network is lost starts over: the containers that were in it cannot be reached any more. */
function planInfra(input: PodInput, pod: Pod): PodPlan | undefined {
  const infra = infraOf(input.containers);
  if (infra?.state === 'running') return undefined;
  if (infra?.state === 'created') return step({ type: 'start', id: infra.id, container: '' });
  const stranded = input.containers.filter(({ role, state }) => role === 'container' && state === 'running');
  if (stranded.length > 0) {
    return merge(stranded.map((container) => planTermination(input, container, graceSecondsOf(pod))));
  }
  if (infra) return step({ type: 'remove', id: infra.id });
  // Made for the network that is lost: they can never start.
  const made = input.containers.filter(({ state }) => state === 'created');
  if (made.length > 0) return merge(made.map(({ id }) => step({ type: 'remove', id })));
  return retrying(input, '', { type: 'run-infra', attempt: nextAttempt(input, '', undefined) });
}

function planPreparation(input: PodInput): PodPlan {
  return retrying(input, '', { type: 'prepare' });
}

function planContainer(input: PodInput, pod: Pod, container: Container): PodPlan {
  const [newest] = attemptsOf(input.containers, container.name);
  if (!newest) return planRun(input, container, undefined, 0);
  const isCurrent = newest.specHash === specHash(pod, container);
  switch (newest.state) {
    case 'created':
      return planCreated(input, newest, isCurrent);
    case 'running':
      if (isCurrent && !input.unhealthy.has(newest.id)) return NOTHING;
      return planTermination(input, newest, graceSecondsOf(pod));
    case 'exited': {
      if (!isCurrent) return planRun(input, container, newest, 0);
      if (!restarts(pod, newest.exitCode)) return NOTHING;
      const { atMs, crashes } = restartOf(newest);
      return input.nowMs < atMs ? waitUntil(atMs) : planRun(input, container, newest, crashes);
    }
  }
}

/** Started once, when what it looks into runs, and never again. It ends with what it looks into. */
function planEphemeral(input: PodInput, pod: Pod, container: EphemeralContainer): PodPlan {
  const { containers, failures, lastAttempt } = input;
  const { name } = container;
  const [made] = attemptsOf(containers, name);
  if (made?.state === 'running')
    return hasEnded(pod, containers) ? planTermination(input, made, graceSecondsOf(pod)) : NOTHING;
  if (made?.state === 'created' && !failures.has(name))
    return step({ type: 'start', id: made.id, container: name });
  // What somebody has removed behind our back has run all the same.
  if (made || lastAttempt.has(name) || !joinsOf(pod, container, containers)) return NOTHING;
  return planRun(input, container, undefined, 0);
}

/** Made but not started: the agent ended in between, or the start failed. */
function planCreated(input: PodInput, created: ObservedContainer, isCurrent: boolean): PodPlan {
  if (!isCurrent) return step({ type: 'remove', id: created.id });
  const { id, container } = created;
  // What could not be started is made anew, for the reason may be in what it was made with.
  if (input.failures.has(container)) return retrying(input, container, { type: 'remove', id });
  return step({ type: 'start', id, container });
}

function planRun(
  input: PodInput,
  container: Container,
  before: ObservedContainer | undefined,
  crashes: number,
): PodPlan {
  const pull = planPull(input, container, before);
  if (pull) return pull;
  const attempt = nextAttempt(input, container.name, before);
  return retrying(input, container.name, { type: 'run', container: container.name, attempt, crashes });
}

/**
 * The pull that must come first, if one must. `Always` pulls once when the pod comes to the device: a restart, perhaps
 * without a connection or on a metered one, uses what is there.
 */
function planPull(
  { image, firstSeenAtMs, nowMs }: PodInput,
  container: Container,
  before: ObservedContainer | undefined,
  minFreeDisk?: string,
): PodPlan | undefined {
  const name = container.image ?? '';
  const policy = container.imagePullPolicy ?? 'IfNotPresent';
  const { absent, pulling, triedAtMs = Number.NEGATIVE_INFINITY, failure } = image(name);
  if (pulling) return NOTHING;
  if (policy === 'Never') return undefined;
  const asked = policy === 'Always' && before === undefined && triedAtMs < firstSeenAtMs;
  if (!absent && !asked) return undefined;
  const waits = absent || failure?.reason === INSUFFICIENT_DISK;
  const atMs = waits ? retryAtMs(failure) : 0;
  if (nowMs < atMs) return waitUntil(atMs);
  return step({ type: 'pull', image: name, ...(minFreeDisk !== undefined && { minFreeDisk }) });
}

/** Containers of earlier attempts, but for the one before, whose logs can still be asked for; and of other specs. */
function planSweep({ containers }: PodInput, pod: Pod): PodPlan {
  const names = new Set(allContainersOf(pod).map(({ name }) => name));
  const old = pod.spec.containers.flatMap(({ name }) => attemptsOf(containers, name).slice(2));
  const foreign = containers.filter(({ role, container }) => role === 'container' && !names.has(container));
  const infra = needsInfra(pod) ? [] : containers.filter(({ role }) => role === 'infra');
  return merge([...old, ...foreign, ...infra].map(({ id }) => step({ type: 'remove', id })));
}

function nextAttempt(input: PodInput, name: string, before: ObservedContainer | undefined): number {
  return Math.max(before?.attempt ?? -1, input.lastAttempt.get(name) ?? -1) + 1;
}

function retrying({ failures, nowMs }: PodInput, key: string, action: Action): PodPlan {
  const atMs = retryAtMs(failures.get(key));
  return nowMs < atMs ? waitUntil(atMs) : step(action);
}

function step(action: Action): PodPlan {
  return { ...NOTHING, actions: [action] };
}

function waitUntil(wakeAtMs: number): PodPlan {
  return { actions: [], wakeAtMs };
}

function merge(plans: readonly PodPlan[]): PodPlan {
  return {
    actions: plans.flatMap(({ actions }) => actions),
    wakeAtMs: Math.min(...plans.map(({ wakeAtMs }) => wakeAtMs), NOTHING.wakeAtMs),
  };
}
