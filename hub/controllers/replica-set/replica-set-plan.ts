import type { ReplicaSetCondition, ReplicaSetStatus } from 'kubernetes-types/apps/v1.d.ts';
import { availableInMs, isActive, isReady } from '../../resources/pod-state.ts';
import { formatTime, parseTime, sooner } from '../../resources/time.ts';
import type { PodObject, ReplicaSetObject } from '../../resources/typed.ts';
import { choosePodsToDelete } from './deletion-order.ts';

export interface ReplicaSetPlan {
  readonly create: number;
  readonly remove: readonly PodObject[];
  /** Milliseconds after which missing pods may be created that may not be yet. */
  readonly wakeInMs?: number;
}

/** So many failed pods are replaced at once and kept for people to look at. */
const FAILED_AT_ONCE = 3;
const FAILED_KEPT = 10;
const SLOWEST_MS = 300_000;

/** How many pods to add, or which to remove. An ending ReplicaSet leaves its pods to the garbage collector. */
export function planPods(
  { metadata, spec }: Pick<ReplicaSetObject, 'metadata'> & { readonly spec: { readonly replicas?: number } },
  pods: readonly PodObject[],
  related: () => readonly PodObject[],
  nowMs: number,
): ReplicaSetPlan {
  const active = pods.filter(isActive);
  const missing = (spec.replicas ?? 1) - active.length;
  if (metadata.deletionTimestamp !== undefined) return { create: 0, remove: [] };
  const forgotten = failedPods(pods).slice(FAILED_KEPT);
  if (missing < 0) {
    const surplus = choosePodsToDelete(active, related().filter(isActive), -missing);
    return { create: 0, remove: [...surplus, ...forgotten] };
  }
  const wakeInMs = missing > 0 ? failureWait(pods, nowMs) : 0;
  return wakeInMs > 0 ? { create: 0, remove: forgotten, wakeInMs } : { create: missing, remove: forgotten };
}

/** Those that failed, the newest first. */
function failedPods(pods: readonly PodObject[]): PodObject[] {
  return pods
    .filter(({ metadata, status }) => status?.phase === 'Failed' && metadata.deletionTimestamp === undefined)
    .toSorted((a, b) => createdAtMs(b) - createdAtMs(a));
}

function createdAtMs({ metadata }: PodObject): number {
  return parseTime(metadata.creationTimestamp) ?? 0;
}

/**
 * A device may refuse a pod for good (a guard rail, a missing runtime): replacing it at once, for ever, would fill the
 * store. The more pods have failed, the longer since the last one it must be.
 */
function failureWait(pods: readonly PodObject[], nowMs: number): number {
  const failed = failedPods(pods);
  const [newest] = failed;
  if (!newest || failed.length < FAILED_AT_ONCE) return 0;
  const delayMs = Math.min(1000 * 2 ** (failed.length - FAILED_AT_ONCE), SLOWEST_MS);
  return Math.max(0, Math.min(delayMs, createdAtMs(newest) + delayMs - nowMs));
}

/** What the pods are now, and in how many milliseconds that changes by itself. */
export function planStatus(
  { metadata, spec, status: old }: ReplicaSetObject,
  pods: readonly PodObject[],
  failure: string | undefined,
  nowMs: number,
): { status: ReplicaSetStatus; wakeInMs: number | undefined } {
  const active = pods.filter(isActive);
  const labels = Object.entries(spec.template?.metadata?.labels ?? {});
  const waits = active.flatMap((pod) => availableInMs(pod, spec.minReadySeconds ?? 0, nowMs) ?? []);
  const conditions = withFailure(old?.conditions ?? [], failure, nowMs);
  const status: ReplicaSetStatus = {
    replicas: active.length,
    fullyLabeledReplicas: active.filter((pod) =>
      labels.every(([key, value]) => pod.metadata.labels?.[key] === value),
    ).length,
    readyReplicas: active.filter(isReady).length,
    availableReplicas: waits.filter((wait) => wait === 0).length,
    observedGeneration: metadata.generation ?? 0,
    ...(conditions.length > 0 && { conditions }),
  };
  const wakeInMs = waits.filter((wait) => wait > 0).reduce<number | undefined>(sooner, undefined);
  return { status, wakeInMs };
}

/**
 * Since when no pods can be made and why, as first seen: each attempt fails for a pod of another name, and a status that
 * told of that would wake its own ReplicaSet for the next attempt.
 */
function withFailure(
  conditions: readonly ReplicaSetCondition[],
  failure: string | undefined,
  nowMs: number,
): ReplicaSetCondition[] {
  const others = conditions.filter(({ type }) => type !== 'ReplicaFailure');
  if (failure === undefined) return others;
  const known = conditions.find(({ type }) => type === 'ReplicaFailure');
  const condition: ReplicaSetCondition = {
    type: 'ReplicaFailure',
    status: 'True',
    reason: 'FailedCreate',
    message: failure,
    lastTransitionTime: formatTime(nowMs),
  };
  return [...others, known ?? condition];
}
