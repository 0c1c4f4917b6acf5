import type { PodCondition } from 'kubernetes-types/core/v1.d.ts';
import type { PodObject } from './typed.ts';

/** Whether the pod has ended by itself: it occupies nothing any more and counts for no controller. */
export function isTerminal({ status }: PodObject): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed';
}

/** Whether a controller counts the pod among those it keeps. */
export function isActive(pod: PodObject): boolean {
  return !isTerminal(pod) && pod.metadata.deletionTimestamp === undefined;
}

export function podCondition({ status }: PodObject, type: string): PodCondition | undefined {
  return status?.conditions?.find((condition) => condition.type === type);
}

export function isReady(pod: PodObject): boolean {
  return podCondition(pod, 'Ready')?.status === 'True';
}

/**
 * Milliseconds until a pod that stays ready counts as available: 0 when it is, undefined when it is not ready. A
 * device's clock may be ahead of ours, so the wait is never longer than `minReadySeconds`.
 */
export function availableInMs(pod: PodObject, minReadySeconds: number, nowMs: number): number | undefined {
  const ready = podCondition(pod, 'Ready');
  if (ready?.status !== 'True') return undefined;
  const sinceMs = Date.parse(ready.lastTransitionTime ?? '');
  if (minReadySeconds <= 0) return 0;
  if (Number.isNaN(sinceMs)) return minReadySeconds * 1000;
  return Math.max(0, Math.min(sinceMs + minReadySeconds * 1000 - nowMs, minReadySeconds * 1000));
}

export function isAvailable(pod: PodObject, minReadySeconds: number, nowMs: number): boolean {
  return availableInMs(pod, minReadySeconds, nowMs) === 0;
}

/** The pod with one condition set. Its time of transition stays while its status does. */
export function withPodCondition(pod: PodObject, condition: PodCondition): PodObject {
  const old = podCondition(pod, condition.type);
  const others = (pod.status?.conditions ?? []).filter(({ type }) => type !== condition.type);
  const since = old?.status === condition.status ? old.lastTransitionTime : undefined;
  const next = { ...condition, ...(since !== undefined && { lastTransitionTime: since }) };
  return { ...pod, status: { ...pod.status, conditions: [...others, next] } };
}
