import type { PodInput, Verdict } from '../pod/observation.ts';
import { graceSecondsOf, isSidecar, type Pod } from '../pod/pod.ts';
import type { ObservedContainer } from '../runtime/runtime.ts';
import { merge, NOTHING, type PodPlan, step, waitUntil } from './plan-step.ts';

/* How what runs is brought to its end. Pure. */

/** As in Kubernetes: what comes last is not killed before it could read that it is to end. */
const MIN_GRACE_MS = 2_000;

/** It is wanted no more: nothing of it is to be left. */
export function planEnd(input: PodInput): PodPlan {
  const { containers } = input;
  if (containers.length === 0) return step({ type: 'clean-up' });
  const working = containers.filter(({ role }) => role === 'container');
  // The network goes last, so that containers can say good-bye on it.
  if (working.length === 0) return removal(containers);
  const plan = planStop(input);
  return merge([
    removal(working.filter(({ state }) => state !== 'running')),
    // To remove kills as well: one call to the engine instead of three.
    {
      ...plan,
      actions: plan.actions.map((action) =>
        action.type === 'kill' ? { ...action, type: 'remove' } : action,
      ),
    },
  ]);
}

/** It has done its work, or must end: its containers are kept, for their logs; its network until that is remembered. */
export function planFinish(input: PodInput, verdict?: Verdict): PodPlan {
  const running = input.containers.some(({ role, state }) => role === 'container' && state === 'running');
  if (running) return planStop(withGrace(input, verdict));
  if (!input.finished) return NOTHING;
  return verdict?.freesDisk ? planDiscard(input) : planHalt(input);
}

/** Nothing of what it wrote stays but its status. */
function planDiscard({ containers, discarded }: PodInput): PodPlan {
  if (containers.length > 0) return removal(containers);
  return discarded ? NOTHING : step({ type: 'discard' });
}

function withGrace(input: PodInput, verdict: Verdict | undefined): PodInput {
  const { pod } = input;
  const deletionGracePeriodSeconds = verdict?.graceSeconds;
  if (!pod || deletionGracePeriodSeconds === undefined) return input;
  return { ...input, pod: { ...pod, metadata: { ...pod.metadata, deletionGracePeriodSeconds } } };
}

/** Nothing of it is to run; what was there is kept for its logs. */
export function planHalt(input: PodInput): PodPlan {
  const running = input.containers.some(({ role, state }) => role === 'container' && state === 'running');
  if (running) return planStop(input);
  // The network is ended, not removed: Podman would take those that shared it along, and their logs.
  const networks = input.containers.filter(({ role, state }) => role === 'infra' && state === 'running');
  return merge([
    removal(input.containers.filter(({ state }) => state === 'created')),
    ...networks.map(({ id }) => step({ type: 'kill', id })),
  ]);
}

/**
 * Ends all that runs: first what does the pod's work, then its sidecars one by one, the last first.
 * https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#termination-with-sidecars
 */
export function planStop(input: PodInput): PodPlan {
  const { pod, nowMs, stopByMs } = input;
  const running = input.containers.filter(({ role, state }) => role === 'container' && state === 'running');
  if (!pod) return merge(running.map((each) => planTermination(input, each, each.graceSeconds * 1000)));
  const graceMs = graceSecondsOf(pod) * 1000;
  const working = running.filter(({ container }) => !isSidecar(pod, container));
  const sidecars = running.filter(({ container }) => isSidecar(pod, container));
  const isOver = graceMs <= 0 || (stopByMs !== undefined && nowMs >= stopByMs);
  const next = working.length > 0 ? [] : lastOf(pod, sidecars);
  const sidecarGraceMs = Math.max(MIN_GRACE_MS, (stopByMs ?? nowMs + graceMs) - nowMs);
  return merge([
    ...working.map((each) => planTermination(input, each, graceMs, true)),
    ...(isOver ? sidecars : next).map((each) =>
      planTermination(input, each, graceMs <= 0 ? 0 : sidecarGraceMs, true),
    ),
    isOver ? NOTHING : waitUntil(stopByMs ?? Number.POSITIVE_INFINITY),
  ]);
}

/** Asks once, waits, kills. */
export function planTermination(
  { killAtMs, nowMs }: PodInput,
  { id }: ObservedContainer,
  graceMs: number,
  isWholePod = false,
): PodPlan {
  if (graceMs <= 0) return step({ type: 'kill', id });
  const deadlineMs = killAtMs.get(id);
  if (deadlineMs === undefined)
    return step({ type: 'terminate', id, graceMs, ...(isWholePod && { isWholePod }) });
  const sooner = Math.min(deadlineMs, nowMs + graceMs);
  return nowMs >= sooner ? step({ type: 'kill', id }) : waitUntil(sooner);
}

function lastOf(pod: Pod, sidecars: readonly ObservedContainer[]): ObservedContainer[] {
  const place = ({ container }: ObservedContainer) =>
    pod.spec.initContainers?.findIndex(({ name }) => name === container) ?? 0;
  return [...sidecars].sort((a, b) => place(b) - place(a)).slice(0, 1);
}

function removal(containers: readonly ObservedContainer[]): PodPlan {
  return merge(containers.map(({ id }) => step({ type: 'remove', id })));
}
