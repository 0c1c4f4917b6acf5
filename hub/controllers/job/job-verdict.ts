import type { JobCondition } from 'kubernetes-types/batch/v1.d.ts';
import { parseTime } from '../../resources/time.ts';
import type { JobObject, PodObject } from '../../resources/typed.ts';
import { intersection, parseRanges, sizeOf } from './index-ranges.ts';
import { isIndexed, limitsEachIndex, type Tally } from './job-tally.ts';
import { failureVerdict, isFailed, restartsOf } from './pod-outcome.ts';

/** How a Job will end: decided, but not before its pods have. */
export interface Verdict {
  readonly type: 'FailureTarget' | 'SuccessCriteriaMet';
  readonly reason: string;
  readonly message: string;
}

export function conditionOf({ status }: JobObject, type: string): JobCondition | undefined {
  return status?.conditions?.find((each) => each.type === type && each.status === 'True');
}

/** The condition by which a Job has ended. */
export function finishedBy(job: JobObject): JobCondition | undefined {
  return conditionOf(job, 'Complete') ?? conditionOf(job, 'Failed');
}

/** What was decided before stands; then whatever makes a Job fail; then a success policy. Kubernetes' order. */
export function verdictOf(
  job: JobObject,
  pods: readonly PodObject[],
  tally: Tally,
  nowMs: number,
): Verdict | undefined {
  return (
    decidedBefore(job) ??
    failedByPolicy(job, pods) ??
    exhausted(job, pods, tally, nowMs) ??
    failedIndexes(job, tally) ??
    succeededByPolicy(job, tally)
  );
}

function decidedBefore(job: JobObject): Verdict | undefined {
  for (const type of ['SuccessCriteriaMet', 'FailureTarget'] as const) {
    const condition = conditionOf(job, type);
    if (condition) return { type, reason: condition.reason ?? '', message: condition.message ?? '' };
  }
  return undefined;
}

const failing = (reason: string, message: string): Verdict => ({ type: 'FailureTarget', reason, message });

function failedByPolicy(job: JobObject, pods: readonly PodObject[]): Verdict | undefined {
  if (!job.spec.podFailurePolicy) return undefined;
  for (const pod of pods) {
    if (!isFailed(pod, job)) continue;
    const { action, message } = failureVerdict(pod, job);
    if (action === 'FailJob') return failing('PodFailurePolicy', message);
  }
  return undefined;
}

function exhausted(
  job: JobObject,
  pods: readonly PodObject[],
  { failed }: Tally,
  nowMs: number,
): Verdict | undefined {
  const { backoffLimit = 0 } = job.spec;
  if (failed > backoffLimit || hasRestartedTooOften(job, pods))
    return failing('BackoffLimitExceeded', 'Job has reached the specified backoff limit');
  if (deadlineInMs(job, nowMs) === 0)
    return failing('DeadlineExceeded', 'Job was active longer than specified deadline');
  return undefined;
}

/** Pods whose containers are restarted where they are fail by the number of restarts. */
function hasRestartedTooOften({ spec }: JobObject, pods: readonly PodObject[]): boolean {
  if (spec.template.spec?.restartPolicy !== 'OnFailure') return false;
  const restarts = pods
    .filter(({ status }) => status?.phase === 'Running' || status?.phase === 'Pending')
    .reduce((sum, pod) => sum + restartsOf(pod), 0);
  return restarts >= Math.max(spec.backoffLimit ?? 0, 1);
}

/** Milliseconds until the Job has been active for too long; undefined when nothing says so. */
export function deadlineInMs({ spec, status }: JobObject, nowMs: number): number | undefined {
  const startedMs = parseTime(status?.startTime as string | undefined);
  if (spec.activeDeadlineSeconds === undefined || spec.suspend || startedMs === undefined) return undefined;
  return Math.max(0, startedMs + spec.activeDeadlineSeconds * 1000 - nowMs);
}

function failedIndexes(job: JobObject, tally: Tally): Verdict | undefined {
  if (!limitsEachIndex(job)) return undefined;
  const { maxFailedIndexes, completions = 0 } = job.spec;
  const failed = sizeOf(tally.failedIndexes);
  if (maxFailedIndexes !== undefined && failed > maxFailedIndexes)
    return failing(
      'MaxFailedIndexesExceeded',
      'Job has exceeded the specified maximal number of failed indexes',
    );
  if (failed > 0 && failed + tally.succeeded >= completions)
    return failing('FailedIndexes', 'Job has failed indexes');
  return undefined;
}

function succeededByPolicy(job: JobObject, { succeededIndexes }: Tally): Verdict | undefined {
  if (!isIndexed(job)) return undefined;
  const rules = job.spec.successPolicy?.rules ?? [];
  const index = rules.findIndex((rule) => {
    const wanted = rule.succeededIndexes === undefined ? undefined : parseRanges(rule.succeededIndexes);
    const reached = sizeOf(wanted ? intersection(wanted, succeededIndexes) : succeededIndexes);
    return reached >= (rule.succeededCount ?? sizeOf(wanted ?? []));
  });
  if (index < 0) return undefined;
  return { type: 'SuccessCriteriaMet', reason: 'SuccessPolicy', message: `Matched rules at index ${index}` };
}

/** Whether as many have succeeded as must, and nothing runs any more. */
export function completion({ spec }: JobObject, succeeded: number, active: number): Verdict | undefined {
  if (active > 0 || succeeded < (spec.completions ?? 1)) return undefined;
  const message = 'Reached expected number of succeeded pods';
  return { type: 'SuccessCriteriaMet', reason: 'CompletionsReached', message };
}
