import { isActive, isReady } from '../../resources/pod-state.ts';
import type { JobObject, PodObject } from '../../resources/typed.ts';
import {
  below,
  hasIndex,
  type IndexRanges,
  parseRanges,
  sizeOf,
  union,
  withIndexes,
} from './index-ranges.ts';
import {
  countOf,
  failureVerdict,
  INDEX_FAILURES,
  INDEX_IGNORED_FAILURES,
  indexOf,
  isFailed,
  isSucceeded,
  isTerminating,
  isTracked,
} from './pod-outcome.ts';

/** What a Job's pods have come to, those counted before included. */
export interface Tally {
  readonly active: readonly PodObject[];
  readonly ready: number;
  readonly terminating: readonly PodObject[];
  /** Not counted yet. */
  readonly tracked: readonly PodObject[];
  /** The newly failed among the tracked. */
  readonly newlyFailed: readonly PodObject[];
  /** Pods, or indexes of an indexed Job. */
  readonly succeeded: number;
  /** But for those that the podFailurePolicy ignores. */
  readonly failed: number;
  /** Of an indexed Job. */
  readonly succeededIndexes: IndexRanges;
  readonly failedIndexes: IndexRanges;
  /** Where failures are counted by index: the last failed pod of each that is to be replaced. */
  readonly toReplace: ReadonlyMap<number, PodObject>;
}

export function isIndexed({ spec }: JobObject): boolean {
  return spec.completionMode === 'Indexed';
}

export function limitsEachIndex({ spec }: JobObject): boolean {
  return spec.backoffLimitPerIndex !== undefined;
}

/** Counts. A pod without the finalizer was counted before: it is in the numbers of the status already. */
export function tallyOf(job: JobObject, pods: readonly PodObject[]): Tally {
  const { succeeded = 0, failed = 0, uncountedTerminatedPods: uncounted } = job.status ?? {};
  const [noted, notedAsFailed] = [new Set(uncounted?.succeeded), new Set(uncounted?.failed)];
  const uidOf = ({ metadata }: PodObject) => metadata.uid ?? '';
  const tracked = pods.filter(isTracked);
  const newlyFailed = tracked.filter((pod) => !notedAsFailed.has(uidOf(pod)) && isFailed(pod, job));
  const newlySucceeded = tracked.filter((pod) => !noted.has(uidOf(pod)) && isSucceeded(pod));
  const active = pods.filter(isActive);
  const succeededIndexes = succeededIndexesOf(job, tracked);
  const failedIndexes = failedIndexesOf(job, newlyFailed, succeededIndexes);
  return {
    active,
    ready: active.filter(isReady).length,
    terminating: pods.filter(isTerminating),
    tracked,
    newlyFailed,
    succeeded: isIndexed(job) ? sizeOf(succeededIndexes) : succeeded + noted.size + newlySucceeded.length,
    failed: failed + notedAsFailed.size + newlyFailed.filter((pod) => isCounted(pod, job)).length,
    succeededIndexes,
    failedIndexes,
    toReplace: toReplace(job, newlyFailed, active, succeededIndexes, failedIndexes),
  };
}

export function isCounted(pod: PodObject, job: JobObject): boolean {
  return failureVerdict(pod, job).action !== 'Ignore';
}

function succeededIndexesOf(job: JobObject, tracked: readonly PodObject[]): IndexRanges {
  if (!isIndexed(job)) return [];
  const known = below(parseRanges(job.status?.completedIndexes), job.spec.completions ?? 0);
  return withIndexes(
    known,
    tracked.filter(isSucceeded).flatMap((pod) => indexOf(pod, job) ?? []),
  );
}

function failedIndexesOf(job: JobObject, failed: readonly PodObject[], succeeded: IndexRanges): IndexRanges {
  if (!limitsEachIndex(job)) return [];
  const indexes = failed.filter((pod) => isLastFailure(pod, job)).flatMap((pod) => indexOf(pod, job) ?? []);
  const known = below(parseRanges(job.status?.failedIndexes), job.spec.completions ?? 0);
  return union(
    known,
    withIndexes(
      [],
      indexes.filter((index) => !hasIndex(succeeded, index)),
    ),
  );
}

/** Whether with this pod its index has failed for good. */
function isLastFailure(pod: PodObject, job: JobObject): boolean {
  const { action } = failureVerdict(pod, job);
  if (action === 'FailIndex') return true;
  return action !== 'Ignore' && countOf(pod, INDEX_FAILURES) >= (job.spec.backoffLimitPerIndex ?? 0);
}

/** The replacement takes over how often its index has failed: until it is there, the failed pod is kept. */
function toReplace(
  job: JobObject,
  failed: readonly PodObject[],
  active: readonly PodObject[],
  ...ended: readonly IndexRanges[]
): Map<number, PodObject> {
  const last = new Map<number, PodObject>();
  if (!limitsEachIndex(job)) return last;
  const replaced = new Set(active.map((pod) => indexOf(pod, job)));
  for (const pod of failed) {
    const index = indexOf(pod, job);
    if (index === undefined || replaced.has(index) || ended.some((ranges) => hasIndex(ranges, index)))
      continue;
    const other = last.get(index);
    if (!other || failuresBefore(other) <= failuresBefore(pod)) last.set(index, pod);
  }
  return last;
}

/** How often the pod's index had failed when the pod was made. */
export function failuresBefore(pod: PodObject): number {
  return countOf(pod, INDEX_FAILURES) + countOf(pod, INDEX_IGNORED_FAILURES);
}
