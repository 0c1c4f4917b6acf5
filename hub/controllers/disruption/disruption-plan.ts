import { isReady } from '../../resources/pod-state.ts';
import { formatTime } from '../../resources/time.ts';
import type { PodDisruptionBudgetObject, PodObject } from '../../resources/typed.ts';
import { resolveAmount } from '../amounts.ts';

type Status = NonNullable<PodDisruptionBudgetObject['status']>;
type Condition = NonNullable<Status['conditions']>[number];

/** An eviction that was granted and has not ended its pod by then has failed: the pod counts again. */
const DISRUPTION_LASTS_MS = 2 * 60_000;

export interface Disruption {
  readonly status: Status;
  /** When to look again; undefined: at the next change. */
  readonly wakeInMs: number | undefined;
}

/**
 * How many of the budget's pods may be disrupted now. `desired` is the sum of what the pods' owners want; undefined when
 * one of them does not say. https://kubernetes.io/docs/tasks/run-application/configure-pdb/
 */
export function planDisruption(
  budget: PodDisruptionBudgetObject,
  pods: readonly PodObject[],
  desired: number | undefined,
  nowMs: number,
): Disruption {
  const demand = demandOf(budget, pods.length, desired);
  const disruptedPods = stillDisrupted(budget, pods, nowMs);
  const isHealthy = (pod: PodObject) =>
    isReady(pod) && !pod.metadata.deletionTimestamp && !disruptedPods[pod.metadata.name ?? ''];
  const currentHealthy = pods.filter(isHealthy).length;
  const { expected = 0, desiredHealthy = 0 } = demand ?? {};
  const allowed = demand && expected > 0 ? Math.max(0, currentHealthy - desiredHealthy) : 0;
  const ends = Object.values(disruptedPods).map((at) => Date.parse(at) + DISRUPTION_LASTS_MS - nowMs);
  return {
    status: {
      observedGeneration: budget.metadata.generation ?? 0,
      currentHealthy,
      desiredHealthy,
      expectedPods: expected,
      disruptionsAllowed: allowed,
      ...(ends.length > 0 && { disruptedPods }),
      conditions: [conditionOf(budget, allowed, demand !== undefined, nowMs)],
    },
    wakeInMs: ends.length > 0 ? Math.max(0, Math.min(...ends)) : undefined,
  };
}

/** Undefined when it depends on owners that do not say how many pods they want. */
function demandOf(
  { spec: { minAvailable, maxUnavailable } }: PodDisruptionBudgetObject,
  count: number,
  desired: number | undefined,
): { expected: number; desiredHealthy: number } | undefined {
  if (typeof minAvailable === 'number') return { expected: count, desiredHealthy: minAvailable };
  if (minAvailable === undefined && maxUnavailable === undefined)
    return { expected: count, desiredHealthy: 0 };
  if (desired === undefined) return undefined;
  const amount = resolveAmount(minAvailable ?? maxUnavailable, desired, 'up');
  const desiredHealthy = minAvailable !== undefined ? amount : Math.max(0, desired - amount);
  return { expected: desired, desiredHealthy };
}

/** Pods whose eviction was granted and which are still to go. */
function stillDisrupted(
  { status }: PodDisruptionBudgetObject,
  pods: readonly PodObject[],
  nowMs: number,
): Record<string, string> {
  const waiting = pods.filter(({ metadata }) => !metadata.deletionTimestamp);
  const names = new Set(waiting.map(({ metadata }) => metadata.name));
  const isStill = ([name, at]: [string, string]) =>
    names.has(name) && Date.parse(at) + DISRUPTION_LASTS_MS > nowMs;
  return Object.fromEntries(Object.entries(status?.disruptedPods ?? {}).filter(isStill));
}

function conditionOf(
  { metadata, status }: PodDisruptionBudgetObject,
  allowed: number,
  isKnown: boolean,
  nowMs: number,
): Condition {
  const before = status?.conditions?.find(({ type }) => type === 'DisruptionAllowed');
  const value = allowed > 0 ? 'True' : 'False';
  return {
    type: 'DisruptionAllowed',
    status: value,
    reason: !isKnown ? 'SyncFailed' : allowed > 0 ? 'SufficientPods' : 'InsufficientPods',
    message: isKnown
      ? ''
      : 'an owner of the pods does not say how many it wants: use a number for minAvailable',
    observedGeneration: metadata.generation ?? 0,
    lastTransitionTime: before?.status === value ? before.lastTransitionTime : formatTime(nowMs),
  };
}
