import { ApiError, notFound } from '../resources/api-error.ts';
import type { KubeObject } from '../resources/object.ts';
import { isReady, isTerminal } from '../resources/pod-state.ts';
import { matchesLabelSelector } from '../resources/selector.ts';
import { podDisruptionBudgets } from '../resources/table-of-resources.ts';
import { formatTime } from '../resources/time.ts';
import type { PodDisruptionBudgetObject, PodObject } from '../resources/typed.ts';
import type { Exchange } from './exchange.ts';

const SOURCE = 'eviction';
const RETRY_AFTER_SECONDS = 10;

/** Takes one disruption from the budget that the pod has, if it has one. Throws 429 when that has none left. */
export async function takeDisruption(exchange: Exchange, pod: PodObject, dryRun: boolean): Promise<void> {
  if (needsNoBudget(pod)) return;
  const { registry, now } = exchange.context;
  const { namespace = '' } = pod.metadata;
  const budgets = registry
    .list(podDisruptionBudgets, { namespace })
    .items.filter((budget) =>
      matchesLabelSelector((budget as PodDisruptionBudgetObject).spec.selector, pod.metadata.labels),
    );
  if (budgets.length > 1)
    throw new ApiError(
      500,
      'InternalError',
      'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.',
    );
  const [budget] = budgets;
  if (!budget) return;
  const budgetName = budget.metadata.name ?? '';
  const change = (current: KubeObject | undefined) => {
    if (!current) throw notFound(podDisruptionBudgets, budgetName);
    return disrupted(current as PodDisruptionBudgetObject, pod, formatTime(now()));
  };
  const options = { fieldManager: SOURCE, subresource: 'status', dryRun };
  await registry.modify(podDisruptionBudgets, namespace, budgetName, change, options);
}

/** Pods that do nothing yet, or any more, or are going anyway. */
function needsNoBudget(pod: PodObject): boolean {
  return isTerminal(pod) || pod.status?.phase === 'Pending' || pod.metadata.deletionTimestamp !== undefined;
}

/** The budget with one disruption less. Throws 429. Pure. */
export function disrupted(
  budget: PodDisruptionBudgetObject,
  pod: PodObject,
  now: string,
): PodDisruptionBudgetObject {
  const { metadata, spec, status } = budget;
  const { disruptionsAllowed = 0, currentHealthy = 0, desiredHealthy = 0 } = status ?? {};
  const refuse = (why: string, retryAfterSeconds?: number) =>
    tooMany(`The disruption budget ${metadata.name} ${why}`, retryAfterSeconds);
  if ((status?.observedGeneration ?? 0) < (metadata.generation ?? 0))
    throw refuse('is still being processed by the server.', RETRY_AFTER_SECONDS);
  if (!isReady(pod) && isFree(spec.unhealthyPodEvictionPolicy, currentHealthy, desiredHealthy)) return budget;
  if (disruptionsAllowed <= 0)
    throw refuse(`needs ${desiredHealthy} healthy pods and has ${currentHealthy} currently`);
  return {
    ...budget,
    status: {
      ...status,
      currentHealthy,
      desiredHealthy,
      expectedPods: status?.expectedPods ?? 0,
      disruptionsAllowed: disruptionsAllowed - 1,
      disruptedPods: { ...status?.disruptedPods, [pod.metadata.name ?? '']: now },
    },
  };
}

/** A pod that is not ready may go without a disruption: always, or where the others are enough. */
function isFree(policy: string | undefined, currentHealthy: number, desiredHealthy: number): boolean {
  if (policy === 'AlwaysAllow') return true;
  return desiredHealthy > 0 && currentHealthy >= desiredHealthy;
}

/**
 * Clients try again by themselves, and in silence, where they are told when: that is for what passes soon. Who drains a
 * node asks again on their own account, and says why.
 */
function tooMany(message: string, retryAfterSeconds: number | undefined): ApiError {
  return new ApiError(
    429,
    'TooManyRequests',
    "Cannot evict pod as it would violate the pod's disruption budget.",
    {
      causes: [{ reason: 'DisruptionBudget', message }],
      ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
    },
  );
}
