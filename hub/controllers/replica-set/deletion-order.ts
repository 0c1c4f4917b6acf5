import { isReady, podCondition } from '../../resources/pod-state.ts';
import type { PodObject } from '../../resources/typed.ts';

const COST = 'controller.kubernetes.io/pod-deletion-cost';
const PHASES = ['Pending', 'Unknown', 'Running'];

/** What decides, in this order, who goes first: the smaller number. Kubernetes' rules. */
function ranksOf(pod: PodObject, podsOnNode: number): number[] {
  const ready = isReady(pod);
  const readySinceMs = Date.parse(podCondition(pod, 'Ready')?.lastTransitionTime ?? '') || 0;
  const createdAtMs = Date.parse(pod.metadata.creationTimestamp ?? '') || 0;
  return [
    pod.spec.nodeName ? 1 : 0,
    PHASES.indexOf(pod.status?.phase ?? 'Pending'),
    ready ? 1 : 0,
    Number.parseInt(pod.metadata.annotations?.[COST] ?? '0', 10) || 0,
    -podsOnNode,
    ready ? -readySinceMs : 0, // ready for the shorter time
    -restartsOf(pod),
    -createdAtMs, // the younger
  ];
}

function restartsOf({ status }: PodObject): number {
  return Math.max(0, ...(status?.containerStatuses ?? []).map(({ restartCount }) => restartCount));
}

function compareRanks(a: readonly number[], b: readonly number[]): number {
  for (const [index, rank] of a.entries()) {
    const difference = rank - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/**
 * The `count` pods that can be missed best. `related` are the active pods of all ReplicaSets with the same owner: a
 * node that has many of them gives one up first.
 */
export function choosePodsToDelete(
  pods: readonly PodObject[],
  related: readonly PodObject[],
  count: number,
): PodObject[] {
  const onNode = Map.groupBy(related, ({ spec }) => spec.nodeName ?? '');
  return pods
    .map((pod) => ({ pod, ranks: ranksOf(pod, onNode.get(pod.spec.nodeName ?? '')?.length ?? 0) }))
    .sort((a, b) => compareRanks(a.ranks, b.ranks))
    .slice(0, count)
    .map(({ pod }) => pod);
}
