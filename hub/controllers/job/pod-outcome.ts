import type { PodFailurePolicyRule } from 'kubernetes-types/batch/v1.d.ts';
import type { ContainerStatus } from 'kubernetes-types/core/v1.d.ts';
import { podCondition } from '../../resources/pod-state.ts';
import { parseTime } from '../../resources/time.ts';
import type { JobObject, PodObject } from '../../resources/typed.ts';

/** What one pod of a Job has come to: pure functions. */

/** A pod is kept by it until it is counted: a pod that somebody deletes is then counted all the same. */
export const TRACKING_FINALIZER = 'batch.kubernetes.io/job-tracking';
export const INDEX = 'batch.kubernetes.io/job-completion-index';
export const INDEX_FAILURES = 'batch.kubernetes.io/job-index-failure-count';
export const INDEX_IGNORED_FAILURES = 'batch.kubernetes.io/job-index-ignored-failure-count';

export function isTracked({ metadata }: PodObject): boolean {
  return metadata.finalizers?.includes(TRACKING_FINALIZER) ?? false;
}

export function isSucceeded({ status }: PodObject): boolean {
  return status?.phase === 'Succeeded';
}

/**
 * Whether the pod has failed. One that is deleted counts as such at once, unless its Job waits for pods to have really
 * ended: then once the device has ended it, or nobody is left to say so.
 */
export function isFailed(pod: PodObject, { spec }: JobObject): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds } = pod.metadata;
  if (pod.status?.phase === 'Failed') return true;
  if (deletionTimestamp === undefined || isSucceeded(pod)) return false;
  return spec.podReplacementPolicy !== 'Failed' || deletionGracePeriodSeconds === 0;
}

/** Whether it still ends: nobody can say yet what it came to. */
export function isTerminating({ metadata, status }: PodObject): boolean {
  const hasEnded = status?.phase === 'Succeeded' || status?.phase === 'Failed';
  return metadata.deletionTimestamp !== undefined && !hasEnded;
}

/** The pod's completion index; undefined when it has none that its Job asks for. */
export function indexOf({ metadata }: PodObject, { spec }: JobObject): number | undefined {
  const text = metadata.annotations?.[INDEX] ?? '';
  const index = /^\d+$/.test(text) ? Number(text) : undefined;
  return index !== undefined && index < (spec.completions ?? 0) ? index : undefined;
}

export function countOf({ metadata }: PodObject, annotation: string): number {
  return Number.parseInt(metadata.annotations?.[annotation] ?? '0', 10) || 0;
}

/** When it ended, as well as anybody knows. */
export function finishedAtMs(pod: PodObject): number {
  const { metadata, status } = pod;
  const ends = (status?.containerStatuses ?? []).map(({ state }) =>
    parseTime(state?.terminated?.finishedAt as string | undefined),
  );
  if (ends.length > 0 && ends.every((end) => end !== undefined)) return Math.max(...(ends as number[]));
  const ready = podCondition(pod, 'Ready');
  const unreadySince = ready?.status === 'False' ? parseTime(ready.lastTransitionTime as string) : undefined;
  const deletedAt = parseTime(metadata.deletionTimestamp);
  const graceMs = (metadata.deletionGracePeriodSeconds ?? 0) * 1000;
  return (
    unreadySince ??
    (deletedAt === undefined ? undefined : deletedAt - graceMs) ??
    parseTime(metadata.creationTimestamp) ??
    0
  );
}

/** What the Job's podFailurePolicy says of a failed pod: the first rule that fits decides. */
export interface FailureVerdict {
  readonly action: 'Count' | 'FailIndex' | 'FailJob' | 'Ignore';
  readonly message: string;
}

export function failureVerdict(pod: PodObject, { spec }: JobObject): FailureVerdict {
  for (const [index, rule] of (spec.podFailurePolicy?.rules ?? []).entries()) {
    const what = matchOf(rule, pod);
    if (what === undefined) continue;
    const action = rule.action as FailureVerdict['action'];
    return { action, message: `${what} matching ${action} rule at index ${index}` };
  }
  return { action: 'Count', message: '' };
}

/** Why a rule fits, in Kubernetes' words; undefined when it does not. */
function matchOf({ onExitCodes, onPodConditions }: PodFailurePolicyRule, pod: PodObject): string | undefined {
  const { namespace, name } = pod.metadata;
  if (onExitCodes) {
    const { containerName, operator, values } = onExitCodes;
    const failed = allContainers(pod).find(({ name: container, state }) => {
      const code = state?.terminated?.exitCode ?? 0;
      const isMeant = containerName === undefined || containerName === container;
      return code !== 0 && isMeant && values.includes(code) === (operator === 'In');
    });
    return (
      failed &&
      `Container ${failed.name} for pod ${namespace}/${name} failed with exit code ${failed.state?.terminated?.exitCode}`
    );
  }
  const found = (onPodConditions ?? []).find(
    ({ type, status }) => podCondition(pod, type)?.status === status,
  );
  return found && `Pod ${namespace}/${name} has condition ${found.type}`;
}

function allContainers({ status }: PodObject): ContainerStatus[] {
  return [...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? [])];
}

export function restartsOf(pod: PodObject): number {
  return allContainers(pod).reduce((sum, { restartCount }) => sum + restartCount, 0);
}
