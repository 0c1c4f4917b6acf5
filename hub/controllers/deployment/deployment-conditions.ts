import type { DeploymentCondition, DeploymentStatus } from 'kubernetes-types/apps/v1.d.ts';
import { formatTime, parseTime } from '../../resources/time.ts';
import type { DeploymentObject } from '../../resources/typed.ts';
import { boundsOf } from './rollout.ts';

/** A deadline of this many seconds is none. */
export const NO_DEADLINE = 2 ** 31 - 1;

type Conclusion = Pick<DeploymentCondition, 'type' | 'status' | 'reason' | 'message'>;
type Counts = Omit<DeploymentStatus, 'conditions'>;

export interface ConditionsInput {
  readonly deployment: DeploymentObject;
  /** The counts of the new status; the old ones are the Deployment's. */
  readonly counts: Counts;
  /** Of the current template. */
  readonly replicaSet: { readonly name: string; readonly isNew: boolean } | undefined;
  /** Why a ReplicaSet cannot create its pods, or the Deployment its ReplicaSet. */
  readonly failure: Pick<DeploymentCondition, 'reason' | 'message'> | undefined;
  readonly nowMs: number;
}

/** What clients wait for: Available, Progressing, ReplicaFailure; and when a deadline will pass. */
export function planConditions(input: ConditionsInput): {
  conditions: DeploymentCondition[];
  wakeInMs: number | undefined;
} {
  const { deployment, counts, failure, nowMs } = input;
  const old = deployment.status?.conditions ?? [];
  const progressing = progressingCondition(input, find(old, 'Progressing'));
  const conditions = [
    concluded(find(old, 'Available'), availability(deployment, counts), nowMs),
    ...(progressing ? [progressing] : []),
    ...(failure
      ? [
          concluded(
            find(old, 'ReplicaFailure'),
            { type: 'ReplicaFailure', status: 'True', ...failure },
            nowMs,
          ),
        ]
      : []),
  ];
  return { conditions, wakeInMs: progressing && wakeForDeadline(deployment, progressing, nowMs) };
}

function find(conditions: readonly DeploymentCondition[], type: string): DeploymentCondition | undefined {
  return conditions.find((condition) => condition.type === type);
}

/** The condition with its times: one that says the same stays what it was. */
function concluded(
  old: DeploymentCondition | undefined,
  conclusion: Conclusion,
  nowMs: number,
): DeploymentCondition {
  if (old?.status === conclusion.status && old.reason === conclusion.reason) return old;
  const at = formatTime(nowMs);
  const since = old?.status === conclusion.status ? old.lastTransitionTime : at;
  return { ...conclusion, lastUpdateTime: at, lastTransitionTime: since ?? at };
}

function availability({ spec }: DeploymentObject, { availableReplicas = 0 }: Counts): Conclusion {
  const enough = availableReplicas >= (spec.replicas ?? 1) - boundsOf(spec).maxUnavailable;
  return enough
    ? {
        type: 'Available',
        status: 'True',
        reason: 'MinimumReplicasAvailable',
        message: 'Deployment has minimum availability.',
      }
    : {
        type: 'Available',
        status: 'False',
        reason: 'MinimumReplicasUnavailable',
        message: 'Deployment does not have minimum availability.',
      };
}

function progress(status: string, reason: string, message: string): Conclusion {
  return { type: 'Progressing', status, reason, message };
}

function deadlineMsOf({ spec }: DeploymentObject): number | undefined {
  const { progressDeadlineSeconds: seconds } = spec;
  return seconds === undefined || seconds >= NO_DEADLINE ? undefined : seconds * 1000;
}

function progressingCondition(
  input: ConditionsInput,
  old: DeploymentCondition | undefined,
): DeploymentCondition | undefined {
  const { deployment, nowMs, replicaSet } = input;
  if (deadlineMsOf(deployment) === undefined) return undefined;
  const paused = pausing(deployment, old);
  if (paused) return concluded(old, paused, nowMs);
  if (deployment.spec.paused) return old;
  const started = beginning(replicaSet, old);
  if (started) return concluded(old, started, nowMs);
  return continued(input, old);
}

function pausing({ spec }: DeploymentObject, old: DeploymentCondition | undefined): Conclusion | undefined {
  if (old?.reason === 'ProgressDeadlineExceeded') return undefined;
  const isMarked = old?.reason === 'DeploymentPaused';
  if (spec.paused && !isMarked) return progress('Unknown', 'DeploymentPaused', 'Deployment is paused');
  if (!spec.paused && isMarked) return progress('Unknown', 'DeploymentResumed', 'Deployment is resumed');
  return undefined;
}

/** A rollout that has just begun. */
function beginning(
  replicaSet: ConditionsInput['replicaSet'],
  old: DeploymentCondition | undefined,
): Conclusion | undefined {
  if (!replicaSet) return undefined;
  const { name, isNew } = replicaSet;
  if (isNew) return progress('True', 'NewReplicaSetCreated', `Created new replica set "${name}"`);
  if (!old) return progress('True', 'FoundNewReplicaSet', `Found new replica set "${name}"`);
  return undefined;
}

function continued(
  { deployment, counts, replicaSet, nowMs }: ConditionsInput,
  old: DeploymentCondition | undefined,
): DeploymentCondition | undefined {
  const subject = replicaSet ? `ReplicaSet "${replicaSet.name}"` : `Deployment "${deployment.metadata.name}"`;
  const wasComplete = counts.replicas === counts.updatedReplicas && old?.reason === 'NewReplicaSetAvailable';
  if (wasComplete) return old;
  if (isComplete(deployment, counts)) {
    const text = `${subject} has successfully progressed.`;
    return concluded(old, progress('True', 'NewReplicaSetAvailable', text), nowMs);
  }
  if (hasProgressed(deployment.status ?? {}, counts)) {
    const conclusion = progress('True', 'ReplicaSetUpdated', `${subject} is progressing.`);
    const at = formatTime(nowMs);
    return { ...concluded(old, conclusion, nowMs), ...conclusion, lastUpdateTime: at };
  }
  if (isTimedOut(deployment, old, nowMs)) {
    const text = `${subject} has timed out progressing.`;
    return concluded(old, progress('False', 'ProgressDeadlineExceeded', text), nowMs);
  }
  return old;
}

/** Whether nothing but the current template's pods exists, all of them available. */
export function isComplete({ spec }: DeploymentObject, counts: Counts): boolean {
  const { replicas = 1 } = spec;
  return (
    (counts.updatedReplicas ?? 0) === replicas &&
    (counts.replicas ?? 0) === replicas &&
    (counts.availableReplicas ?? 0) === replicas
  );
}

function hasProgressed(old: Counts, counts: Counts): boolean {
  const outdated = ({ replicas = 0, updatedReplicas = 0 }: Counts) => replicas - updatedReplicas;
  return (
    (counts.updatedReplicas ?? 0) > (old.updatedReplicas ?? 0) ||
    outdated(counts) < outdated(old) ||
    (counts.readyReplicas ?? 0) > (old.readyReplicas ?? 0) ||
    (counts.availableReplicas ?? 0) > (old.availableReplicas ?? 0)
  );
}

function isTimedOut(
  deployment: DeploymentObject,
  old: DeploymentCondition | undefined,
  nowMs: number,
): boolean {
  if (!old || old.reason === 'NewReplicaSetAvailable') return false;
  if (old.reason === 'ProgressDeadlineExceeded') return true;
  const fromMs = parseTime(old.lastUpdateTime);
  const deadlineMs = deadlineMsOf(deployment);
  return fromMs !== undefined && deadlineMs !== undefined && fromMs + deadlineMs <= nowMs;
}

/** When a rollout that stands still will have timed out. */
function wakeForDeadline(
  deployment: DeploymentObject,
  { reason = '', lastUpdateTime }: DeploymentCondition,
  nowMs: number,
): number | undefined {
  const isWaiting = ['NewReplicaSetCreated', 'FoundNewReplicaSet', 'ReplicaSetUpdated', 'DeploymentResumed'];
  if (!isWaiting.includes(reason)) return undefined;
  const fromMs = parseTime(lastUpdateTime);
  const deadlineMs = deadlineMsOf(deployment);
  if (fromMs === undefined || deadlineMs === undefined) return undefined;
  return Math.max(0, fromMs + deadlineMs - nowMs);
}
