import { INSUFFICIENT_DISK, podUpdateOf } from '../../proto/pod-update.ts';
import { backOffMs } from '../pod/back-off.ts';
import { denialOf, denialOfContainer } from '../pod/guard-rails.ts';
import { currentInit } from '../pod/initialization.ts';
import {
  attemptsOf,
  deadlineOf,
  type Failure,
  hasEnded,
  infraOf,
  joinsOf,
  type PodInput,
  PULL_DENIED,
  restartOf,
  restarts,
  verdictOf,
} from '../pod/observation.ts';
import {
  allContainersOf,
  type Container,
  type EphemeralContainer,
  graceSecondsOf,
  imagesOf,
  isDeleted,
  isInit,
  isSidecar,
  type NeededImage,
  needsInfra,
  ownContainersOf,
  type Pod,
  specHash,
  volumeImagesOf,
} from '../pod/pod.ts';
import type { ObservedContainer } from '../runtime/runtime.ts';
import { type Action, merge, NOTHING, type PodPlan, step, waitUntil } from './plan-step.ts';
import { planEnd, planFinish, planHalt, planStop, planTermination } from './plan-stop.ts';

/*
 * What to do about one pod now. Pure: no I/O, no clock, no log. All times are milliseconds on the monotonic clock.
 *
 * The plan reads everything it needs from what is observed, so it is right after any crash and at any repetition. It
 * names one step per container; the step after it follows from what is observed then.
 */

export function planPod(input: PodInput): PodPlan {
  const { pod, containers } = input;
  if (!pod || isDeleted(pod)) return planEnd(input);
  const verdict = verdictOf(input);
  if (input.finished || verdict || hasEnded(pod, containers)) return planFinish(input, verdict);
  if (denialOf(pod, input.rails)) return planHalt(input);
  const deadline = waitUntil(deadlineOf(pod, input.startedAtMs));
  if (input.turn === 'hold') return merge([planDownload(input, pod), deadline]);
  if (input.turn !== 'run') return merge([planYield(input, pod), deadline]);
  return merge([planWork(input, pod), deadline]);
}

function planWork(input: PodInput, pod: Pod): PodPlan {
  if (input.waitsFor !== undefined) return NOTHING; // who it waits for wakes it
  const infra = wantsInfra(input, pod) ? planInfra(input) : undefined;
  if (infra) return infra;
  if (!input.prepared) return planPreparation(input, pod);
  return merge([
    ...containersInTurn(input, pod).map((container) => planContainer(input, pod, container)),
    ...(pod.spec.ephemeralContainers ?? []).map((container) => planEphemeral(input, pod, container)),
    planSweep(input, pod),
  ]);
}

/** The containers that may run now: one init container after the other, then the pod's own; sidecars from their turn on. */
function containersInTurn(input: PodInput, pod: Pod): readonly Container[] {
  const inits = pod.spec.initContainers ?? [];
  const current = currentInit(input, pod);
  const begun = current ? inits.slice(0, inits.indexOf(current) + 1) : inits;
  const going = begun.filter((each) => each === current || isSidecar(pod, each.name));
  if (current) return going;
  return [...going, ...pod.spec.containers.filter((_, index) => !waitsForHook(input, pod, index))];
}

/** As in Kubernetes, who comes later in the pod begins when the hooks of those before it have ended. */
function waitsForHook({ containers, hooks }: PodInput, pod: Pod, index: number): boolean {
  const newestOf = (name: string) => attemptsOf(containers, name)[0];
  if (newestOf(pod.spec.containers[index]?.name ?? '')) return false;
  return pod.spec.containers.slice(0, index).some(({ name, lifecycle }) => {
    const newest = newestOf(name);
    return (
      lifecycle?.postStart !== undefined && (!newest || newest.state === 'created' || hooks.has(newest.id))
    );
  });
}

/** When what failed may be tried again. */
export function retryAtMs(failure: Failure | undefined): number {
  return failure ? failure.atMs + backOffMs(failure.count) : 0;
}

/** All images ahead of time, as long as the disk has room for them beside the old ones; nothing else happens yet. */
function planDownload(input: PodInput, pod: Pod): PodPlan {
  const minFreeDisk = podUpdateOf(pod)?.minFreeDisk;
  return merge(imagesOf(pod).map((needed) => planPresence(input, needed, minFreeDisk) ?? NOTHING));
}

/** What must be done before it is known to be there; undefined when it is, or can not be had. */
function planPresence(input: PodInput, needed: NeededImage, minFreeDisk?: string): PodPlan | undefined {
  const { present, absent, pulling } = input.image(needed.image);
  const pull = planPull(input, needed, undefined, minFreeDisk);
  return (
    pull ?? (present || absent || pulling ? undefined : step({ type: 'check-image', image: needed.image }))
  );
}

/** Makes room for another pod, and keeps what is needed to go on later; but not if the disk is to be freed. */
function planYield(input: PodInput, pod: Pod): PodPlan {
  const { containers, turn, keptImages } = input;
  const running = containers.filter(({ role, state }) => role === 'container' && state === 'running');
  if (running.length > 0) return planStop(input);
  const going = turn === 'clear' ? containers : containers.filter(({ role }) => role === 'infra');
  if (going.length > 0) return merge(going.map(({ id }) => step({ type: 'remove', id })));
  if (turn !== 'clear') return NOTHING;
  const images = new Set(imagesOf(pod).map(({ image }) => image));
  const unneeded = [...images].filter((image) => !keptImages.has(image) && !input.image(image).absent);
  return merge(unneeded.map((image) => step({ type: 'remove-image', image })));
}

/** Not for a pod that an agent before this one has started without: that goes on as it is until it ends. */
function wantsInfra({ containers, hasNetwork }: PodInput, pod: Pod): boolean {
  const isOlder = containers.some(
    ({ infra, ip, role, state }) => role === 'container' && state === 'running' && !infra && ip,
  );
  return needsInfra(pod) || (hasNetwork && !pod.spec.hostNetwork && !isOlder);
}

/** A pod whose network is lost starts over: the containers that were in it cannot be reached any more. */
function planInfra(input: PodInput): PodPlan | undefined {
  const infra = infraOf(input.containers);
  if (infra?.state === 'running')
    return !infra.makesNetwork || input.connected.has(infra.id)
      ? undefined
      : retrying(input, '', { type: 'connect', id: infra.id });
  if (infra?.state === 'created') {
    // An engine that was killed meanwhile may never start it: another one is made.
    if (input.failures.has('')) return retrying(input, '', { type: 'remove', id: infra.id });
    return step({ type: 'start', id: infra.id, container: '' });
  }
  const stranded = input.containers.filter(({ role, state }) => role === 'container' && state === 'running');
  if (stranded.length > 0) return planStop(input);
  if (infra) return step({ type: 'remove', id: infra.id });
  // Made for the network that is lost: they can never start.
  const made = input.containers.filter(({ state }) => state === 'created');
  if (made.length > 0) return merge(made.map(({ id }) => step({ type: 'remove', id })));
  return retrying(input, '', { type: 'run-infra', attempt: nextAttempt(input, '', undefined) });
}

/** Volumes that are images' files can be made when those are there. */
function planPreparation(input: PodInput, pod: Pod): PodPlan {
  const lacking = volumeImagesOf(pod).flatMap((needed) => planPresence(input, needed) ?? []);
  if (lacking.length > 0) return merge(lacking);
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
      return planTermination(input, newest, (input.unhealthy.get(newest.id) ?? graceSecondsOf(pod)) * 1000);
    case 'exited': {
      if (!isCurrent || beginsAnew(input, pod, newest)) return planRun(input, container, newest, 0);
      if (!restarts(pod, container.name, newest.exitCode)) return NOTHING;
      // It was ended for want of its network, which is no fault of its own.
      if (isOfAnother(input, newest)) return planRun(input, container, newest, newest.crashes);
      const { atMs, crashes } = restartOf(newest);
      return input.nowMs < atMs ? waitUntil(atMs) : planRun(input, container, newest, crashes);
    }
  }
}

/** What an init container has done under an infra container that is gone must be done again. */
function beginsAnew(input: PodInput, pod: Pod, ended: ObservedContainer): boolean {
  return isInit(pod, ended.container) && isOfAnother(input, ended);
}

/** Whether the infra container that it was made under is gone. */
function isOfAnother({ containers }: PodInput, { infra }: ObservedContainer): boolean {
  return infra !== '' && infra !== infraOf(containers)?.id;
}

/** Started once, when what it looks into runs, and never again. It ends with the pod. */
function planEphemeral(input: PodInput, pod: Pod, container: EphemeralContainer): PodPlan {
  const { containers, failures, lastAttempt } = input;
  const { name } = container;
  const [made] = attemptsOf(containers, name);
  if (denialOfContainer(container, input.rails))
    return made ? planTermination(input, made, graceSecondsOf(pod) * 1000) : NOTHING;
  if (made?.state === 'running') return NOTHING;
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
  const { image = '', imagePullPolicy } = container;
  const pull = planPull(input, { image, imagePullPolicy }, before);
  if (pull) return pull;
  const attempt = nextAttempt(input, container.name, before);
  return retrying(input, container.name, { type: 'run', container: container.name, attempt, crashes });
}

/**
 * The pull that must come first, if one must. `Always` pulls once when the pod comes to the device: a restart, perhaps
 * without a connection or on a metered one, uses what is there; so does a pod whose registry can not be reached, but not one
 * that the registry refuses.
 */
function planPull(
  { image, firstSeenAtMs, nowMs }: PodInput,
  { image: name, imagePullPolicy: policy = 'IfNotPresent' }: NeededImage,
  before: ObservedContainer | undefined,
  minFreeDisk?: string,
): PodPlan | undefined {
  const { absent, pulling, triedAtMs = Number.NEGATIVE_INFINITY, failure } = image(name);
  if (pulling) return NOTHING;
  if (policy === 'Never') return undefined;
  const asked = policy === 'Always' && before === undefined && triedAtMs < firstSeenAtMs;
  if (!absent && !asked) return undefined;
  const waits = absent || failure?.reason === INSUFFICIENT_DISK || failure?.reason === PULL_DENIED;
  const atMs = waits ? retryAtMs(failure) : 0;
  if (nowMs < atMs) return waitUntil(atMs);
  return step({ type: 'pull', image: name, ...(minFreeDisk !== undefined && { minFreeDisk }) });
}

/** Containers of earlier attempts, but for the one before, whose logs can still be asked for; and of other specs. */
function planSweep(input: PodInput, pod: Pod): PodPlan {
  const { containers } = input;
  const names = new Set(allContainersOf(pod).map(({ name }) => name));
  const old = ownContainersOf(pod).flatMap(({ name }) => attemptsOf(containers, name).slice(2));
  const foreign = containers.filter(({ role, container }) => role === 'container' && !names.has(container));
  const infra = wantsInfra(input, pod) ? [] : containers.filter(({ role }) => role === 'infra');
  return merge([...old, ...foreign, ...infra].map(({ id }) => step({ type: 'remove', id })));
}

function nextAttempt(input: PodInput, name: string, before: ObservedContainer | undefined): number {
  return Math.max(before?.attempt ?? -1, input.lastAttempt.get(name) ?? -1) + 1;
}

function retrying({ failures, nowMs }: PodInput, key: string, action: Action): PodPlan {
  const atMs = retryAtMs(failures.get(key));
  return nowMs < atMs ? waitUntil(atMs) : step(action);
}
