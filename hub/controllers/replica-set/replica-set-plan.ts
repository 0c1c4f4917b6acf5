import type { ReplicaSetCondition, ReplicaSetStatus } from 'kubernetes-types/apps/v1.d.ts';
import { availableInMs, isActive, isReady } from '../../resources/pod-state.ts';
import type { PodObject, ReplicaSetObject } from '../../resources/typed.ts';
import { sooner, timestamp } from '../time.ts';
import { choosePodsToDelete } from './deletion-order.ts';

export interface ReplicaSetPlan {
  readonly create: number;
  readonly remove: readonly PodObject[];
}

/** How many pods to add, or which to remove. An ending ReplicaSet leaves its pods to the garbage collector. */
export function planPods(
  { metadata, spec }: ReplicaSetObject,
  pods: readonly PodObject[],
  related: () => readonly PodObject[],
): ReplicaSetPlan {
  const active = pods.filter(isActive);
  const missing = (spec.replicas ?? 1) - active.length;
  if (metadata.deletionTimestamp !== undefined || missing === 0) return { create: 0, remove: [] };
  if (missing > 0) return { create: missing, remove: [] };
  return { create: 0, remove: choosePodsToDelete(active, related().filter(isActive), -missing) };
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

function withFailure(
  conditions: readonly ReplicaSetCondition[],
  failure: string | undefined,
  nowMs: number,
): ReplicaSetCondition[] {
  const others = conditions.filter(({ type }) => type !== 'ReplicaFailure');
  if (failure === undefined) return others;
  const known = conditions.find(({ type, message }) => type === 'ReplicaFailure' && message === failure);
  const condition: ReplicaSetCondition = {
    type: 'ReplicaFailure',
    status: 'True',
    reason: 'FailedCreate',
    message: failure,
    lastTransitionTime: timestamp(nowMs),
  };
  return [...others, known ?? condition];
}
