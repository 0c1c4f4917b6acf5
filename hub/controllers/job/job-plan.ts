import type { JobStatus } from 'kubernetes-types/batch/v1.d.ts';
import { isReady } from '../../resources/pod-state.ts';
import { formatTime, sooner } from '../../resources/time.ts';
import type { JobObject, PodObject } from '../../resources/typed.ts';
import type { EventText } from '../event-recorder.ts';
import { choosePodsToDelete } from '../replica-set/deletion-order.ts';
import { firstMissing, union, withIndexes } from './index-ranges.ts';
import { planConditions } from './job-conditions.ts';
import type { PodRequest } from './job-pods.ts';
import { failuresBefore, isCounted, isIndexed, limitsEachIndex, type Tally, tallyOf } from './job-tally.ts';
import { completion, conditionOf, deadlineInMs, finishedBy, verdictOf } from './job-verdict.ts';
import {
  countOf,
  finishedAtMs,
  INDEX_FAILURES,
  INDEX_IGNORED_FAILURES,
  indexOf,
  isFailed,
  isSucceeded,
  isTracked,
} from './pod-outcome.ts';
import { settle } from './settlement.ts';

/** What to do about a Job, in this order. */
export interface JobPlan {
  readonly create: readonly PodRequest[];
  /** To delete, and count as failed. */
  readonly remove: readonly PodObject[];
  /** To delete without counting: there are more of them than are wanted. */
  readonly dismiss: readonly PodObject[];
  /** To store before anything is released. */
  readonly status: JobStatus;
  readonly events: readonly EventText[];
  /** Counted, or noted in the status as to be counted once they are released: their finalizer goes. */
  readonly release: readonly PodObject[];
  readonly wakeInMs: number | undefined;
}

/** Kubernetes' limit: so many pods are made or removed in one go. */
const AT_ONCE = 500;
const FIRST_BACKOFF_MS = 10_000;
const LONGEST_BACKOFF_MS = 600_000;

/** What is missing, what is too much, and how far it has come. See `settle` for how pods are counted. */
export function planJob(given: JobObject, pods: readonly PodObject[], nowMs: number): JobPlan {
  const job = started(given, nowMs);
  const tally = tallyOf(job, pods);
  const early = verdictOf(job, pods, tally, nowMs);
  const staffing = early ? { ...NO_CHANGE, remove: tally.active } : planPods(job, pods, tally, nowMs);
  const gone = [...staffing.remove, ...staffing.dismiss];
  const active = tally.active.length - gone.length + staffing.create.length;
  const verdict = early ?? completion(job, tally.succeeded, active);
  const { release, counts, isDone } = settle(job, tally, new Set(staffing.dismiss), verdict);
  const terminating = tally.terminating.length + gone.length;
  const isOver = isDone && terminating === 0 && active === 0;
  const { conditions, events } = planConditions(job, verdict, isOver, nowMs);
  const completionTime = conditions.find(({ type }) => type === 'Complete')?.lastTransitionTime;
  return {
    ...staffing,
    release,
    events,
    wakeInMs: verdict ? undefined : sooner(staffing.wakeInMs, deadlineInMs(job, nowMs)),
    status: {
      ...counts,
      ...(active > 0 && { active }),
      ready: tally.ready - gone.filter(isReady).length,
      terminating,
      ...(job.status?.startTime && { startTime: job.status.startTime }),
      ...(completionTime && { completionTime }),
      ...(conditions.length > 0 && { conditions }),
    },
  };
}

/** The Job with its time of start: of the present one, for a Job that was suspended. */
function started(job: JobObject, nowMs: number): JobObject {
  const { spec, status } = job;
  const isResumed = conditionOf(job, 'Suspended') !== undefined;
  if (spec.suspend || finishedBy(job) || (status?.startTime && !isResumed)) return job;
  return { ...job, status: { ...status, startTime: formatTime(nowMs) } };
}

type Staffing = Pick<JobPlan, 'create' | 'remove' | 'dismiss' | 'wakeInMs'>;

const NO_CHANGE: Staffing = { create: [], remove: [], dismiss: [], wakeInMs: undefined };

/** Which pods to make, or which are too many. */
function planPods(job: JobObject, pods: readonly PodObject[], tally: Tally, nowMs: number): Staffing {
  if (job.metadata.deletionTimestamp !== undefined) return NO_CHANGE;
  if (job.spec.suspend) return { ...NO_CHANGE, dismiss: tally.active.slice(0, AT_ONCE) };
  const wanted = wantedActive(job, tally);
  const surplus = surplusPods(job, tally.active, wanted).slice(0, AT_ONCE);
  if (surplus.length > 0) return { ...NO_CHANGE, dismiss: surplus };
  const ending = job.spec.podReplacementPolicy === 'Failed' ? tally.terminating : [];
  const missing = Math.min(wanted - tally.active.length - ending.length, AT_ONCE);
  if (missing <= 0) return NO_CHANGE;
  if (limitsEachIndex(job))
    return planIndexes(job, pendingIndexes(job, tally, ending, missing), tally, nowMs);
  const waitMs = backoffMs(job, pods, nowMs);
  if (waitMs > 0) return { ...NO_CHANGE, wakeInMs: waitMs };
  const create = isIndexed(job)
    ? pendingIndexes(job, tally, ending, missing).map((index) => ({ index }))
    : Array.from({ length: missing }, () => ({}));
  return { ...NO_CHANGE, create };
}

/** Without a number of completions, nothing new is started once a pod has succeeded. */
function wantedActive({ spec }: JobObject, { active, succeeded }: Tally): number {
  const { parallelism = 1, completions } = spec;
  if (completions === undefined) return succeeded > 0 ? active.length : parallelism;
  return Math.max(0, Math.min(completions - succeeded, parallelism));
}

/** Those whose index is not wanted, or another's already, go first. */
function surplusPods(job: JobObject, active: readonly PodObject[], wanted: number): readonly PodObject[] {
  const byIndex = new Map<number, PodObject>();
  for (const pod of isIndexed(job) ? active : []) {
    const index = indexOf(pod, job);
    if (index !== undefined && !byIndex.has(index)) byIndex.set(index, pod);
  }
  const useful = isIndexed(job) ? [...byIndex.values()] : active;
  const kept = new Set(useful);
  const count = Math.max(0, useful.length - wanted);
  return [...active.filter((pod) => !kept.has(pod)), ...choosePodsToDelete(useful, useful, count)];
}

function pendingIndexes(
  job: JobObject,
  { active, succeededIndexes, failedIndexes }: Tally,
  ending: readonly PodObject[],
  count: number,
): number[] {
  const taken = [...active, ...ending].flatMap((pod) => indexOf(pod, job) ?? []);
  const excluded = withIndexes(union(succeededIndexes, failedIndexes), taken);
  return firstMissing(excluded, job.spec.completions ?? 0, count);
}

/** Each index waits for itself. */
function planIndexes(
  job: JobObject,
  indexes: readonly number[],
  { toReplace }: Tally,
  nowMs: number,
): Staffing {
  const waits = indexes.map((index) => {
    const last = toReplace.get(index);
    const waitMs = last ? remainingMs(failuresBefore(last) + 1, finishedAtMs(last), nowMs) : 0;
    return { index, last, waitMs };
  });
  const create = waits
    .filter(({ waitMs }) => waitMs === 0)
    .map(({ index, last }) => ({ index, failures: failuresAfter(job, last) }));
  const wakeInMs = waits
    .map(({ waitMs }) => waitMs)
    .filter((waitMs) => waitMs > 0)
    .reduce<number | undefined>(sooner, undefined);
  return { ...NO_CHANGE, create, wakeInMs };
}

/** What the replacement of a failed pod is told. */
function failuresAfter(job: JobObject, last: PodObject | undefined): { counted: number; ignored: number } {
  if (!last) return { counted: 0, ignored: 0 };
  const isOne = isCounted(last, job);
  return {
    counted: countOf(last, INDEX_FAILURES) + (isOne ? 1 : 0),
    ignored: countOf(last, INDEX_IGNORED_FAILURES) + (isOne ? 0 : 1),
  };
}

/** Milliseconds until another pod may be tried after those that failed since the last one that succeeded. */
function backoffMs(job: JobObject, pods: readonly PodObject[], nowMs: number): number {
  const lastSuccessMs = latest(pods.filter(isSucceeded).map(finishedAtMs));
  const failures = pods
    .filter((pod) => isFailed(pod, job) && (isTracked(pod) || pod.metadata.deletionTimestamp === undefined))
    .map(finishedAtMs)
    .filter((atMs) => atMs > lastSuccessMs);
  return remainingMs(failures.length, latest(failures), nowMs);
}

function latest(times: readonly number[]): number {
  return times.reduce((last, time) => Math.max(last, time), 0);
}

/** A device's clock may be ahead of ours: it is never waited longer than from now on. */
function remainingMs(failures: number, lastMs: number, nowMs: number): number {
  if (failures === 0) return 0;
  const delayMs = Math.min(FIRST_BACKOFF_MS * 2 ** (failures - 1), LONGEST_BACKOFF_MS);
  return Math.max(0, Math.min(lastMs + delayMs - nowMs, delayMs));
}
