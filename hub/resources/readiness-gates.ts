import type { PodCondition } from 'kubernetes-types/core/v1.d.ts';
import type { KubeObject } from './object.ts';
import { formatTime } from './time.ts';
import type { PodObject } from './typed.ts';

/**
 * A pod with readiness gates is ready when its containers are and every gate's condition is True. Devices tell of the
 * containers, others write the conditions: whoever of them comes last, the sum is made here.
 * https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-readiness-gate
 */
export function applyReadinessGates(object: KubeObject, current: KubeObject, nowMs: number): void {
  const { spec, status } = object as PodObject;
  const gates = spec.readinessGates ?? [];
  const conditions = status?.conditions ?? [];
  const containers = find(conditions, 'ContainersReady');
  if (!status || gates.length === 0 || !containers) return;
  const closed = gates.flatMap(({ conditionType }) => {
    const gate = find(conditions, conditionType);
    if (!gate) return `corresponding condition of pod readiness gate "${conditionType}" does not exist.`;
    if (gate.status === 'True') return [];
    return `the status of pod readiness gate "${conditionType}" is not "True", but ${gate.status}`;
  });
  const ready =
    closed.length === 0 || containers.status !== 'True' ? sumOf(object, containers) : closedBy(closed);
  const before = find((current as PodObject).status?.conditions ?? [], 'Ready');
  const since = before?.status === ready.status ? before.lastTransitionTime : undefined;
  const told = { ...ready, lastTransitionTime: since ?? formatTime(nowMs) };
  Object.assign(status, { conditions: [...conditions.filter(({ type }) => type !== 'Ready'), told] });
}

function closedBy(why: readonly string[]): PodCondition {
  return { type: 'Ready', status: 'False', reason: 'ReadinessGatesNotReady', message: why.join(', ') };
}

/** As its containers are; what ends is not ready. */
function sumOf({ metadata }: KubeObject, { status, reason, message }: PodCondition): PodCondition {
  return {
    type: 'Ready',
    status: metadata.deletionTimestamp ? 'False' : status,
    ...(reason && { reason }),
    ...(message && { message }),
  };
}

function find(conditions: readonly PodCondition[], wanted: string): PodCondition | undefined {
  return conditions.find(({ type }) => type === wanted);
}
