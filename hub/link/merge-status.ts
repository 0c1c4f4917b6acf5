import type { NodeCondition, NodeStatus, PodCondition, PodStatus } from 'kubernetes-types/core/v1.d.ts';
import { formatTime } from '../resources/time.ts';

/*
 * A status as the agent observes it, made one with what is stored. The agent tells what is so; since when it has been
 * so follows from the last time that it was otherwise, which the hub has stored. Pure.
 */

/** Conditions that the hub sets itself. */
const HUB_POD_CONDITIONS: ReadonlySet<string> = new Set(['PodScheduled', 'DisruptionTarget']);

export function mergedPodStatus(
  before: PodStatus | undefined,
  observed: PodStatus,
  nowMs: number,
): PodStatus {
  const observedConditions = (observed.conditions ?? []).filter(
    ({ type }) => !(HUB_POD_CONDITIONS.has(type) && find(before?.conditions, type)),
  );
  return {
    ...observed,
    ...(before?.qosClass && { qosClass: before.qosClass }),
    // When the agent took the pod on is known from the first time that it told.
    ...(before?.startTime && { startTime: before.startTime }),
    conditions: mergedConditions<PodCondition>(before?.conditions, observedConditions, nowMs),
  };
}

export function mergedNodeStatus(
  before: NodeStatus | undefined,
  observed: NodeStatus,
  nowMs: number,
): NodeStatus {
  return {
    ...before,
    ...observed,
    conditions: mergedConditions<NodeCondition>(before?.conditions, observed.conditions ?? [], nowMs),
  };
}

function mergedConditions<C extends { type: string; status: string; lastTransitionTime?: string }>(
  before: readonly C[] | undefined,
  observed: readonly C[],
  nowMs: number,
): C[] {
  const now = formatTime(nowMs);
  const renewed = observed.map((condition) => {
    const old = find(before, condition.type);
    const since = old?.status === condition.status ? old.lastTransitionTime : undefined;
    return { ...condition, lastTransitionTime: since ?? now };
  });
  const others = (before ?? []).filter(({ type }) => !find(observed, type));
  return [...others, ...renewed];
}

function find<C extends { type: string }>(
  conditions: readonly C[] | undefined,
  wanted: string,
): C | undefined {
  return conditions?.find(({ type }) => type === wanted);
}
