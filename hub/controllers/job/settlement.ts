import type { JobStatus } from 'kubernetes-types/batch/v1.d.ts';
import type { JobObject, PodObject } from '../../resources/typed.ts';
import { formatRanges } from './index-ranges.ts';
import { isCounted, isIndexed, limitsEachIndex, type Tally } from './job-tally.ts';
import type { Verdict } from './job-verdict.ts';
import { indexOf, isFailed, isSucceeded } from './pod-outcome.ts';

/** Kubernetes' limit: so many notes keep the status small. */
const UNCOUNTED_AT_ONCE = 500;

export interface Settlement {
  readonly release: readonly PodObject[];
  readonly counts: JobStatus;
  /** Every pod is counted. */
  readonly isDone: boolean;
}

/**
 * Turns notes whose pods are released into numbers, and notes what is to be released next.
 *
 * Pods are counted exactly once, whatever crashes: the uid of one that has ended is noted in the status, then its
 * finalizer is removed, then the note becomes part of the number. A note whose pod has no finalizer any more is not in
 * the number yet; a pod with neither has been counted.
 */
export function settle(
  job: JobObject,
  tally: Tally,
  dismissed: ReadonlySet<PodObject>,
  verdict: Verdict | undefined,
): Settlement {
  const { succeeded = 0, failed = 0, uncountedTerminatedPods: uncounted } = job.status ?? {};
  const held = new Set(tally.tracked.map(uidOf));
  const stillHeld = (uids: readonly string[] = []) => new Set(uids.filter((uid) => held.has(uid)));
  const notes = { succeeded: stillHeld(uncounted?.succeeded), failed: stillHeld(uncounted?.failed) };
  const counted = {
    succeeded: succeeded + (uncounted?.succeeded?.length ?? 0) - notes.succeeded.size,
    failed: failed + (uncounted?.failed?.length ?? 0) - notes.failed.size,
  };
  const waiting = tally.tracked.filter((pod) => !dismissed.has(pod));
  const release = waiting.filter((pod) => isReleasable(job, pod, tally, verdict)).slice(0, UNCOUNTED_AT_ONCE);
  for (const pod of release) {
    const outcome = outcomeToNote(job, pod, verdict);
    if (outcome && !notes.failed.has(uidOf(pod))) notes[outcome].add(uidOf(pod));
  }
  const uncountedTerminatedPods = Object.fromEntries(
    Object.entries(notes).flatMap(([outcome, uids]) => (uids.size > 0 ? [[outcome, [...uids]]] : [])),
  );
  const total = isIndexed(job) ? tally.succeeded : counted.succeeded;
  const completedIndexes = formatRanges(tally.succeededIndexes);
  return {
    release,
    isDone: waiting.length === 0 && notes.succeeded.size + notes.failed.size === 0,
    counts: {
      ...(total > 0 && { succeeded: total }),
      ...(counted.failed > 0 && { failed: counted.failed }),
      ...(completedIndexes && { completedIndexes }),
      ...(limitsEachIndex(job) && { failedIndexes: formatRanges(tally.failedIndexes) }),
      uncountedTerminatedPods,
    },
  };
}

function uidOf({ metadata }: PodObject): string {
  return metadata.uid ?? '';
}

/** Once the Job is decided, or ends, nothing can come of its pods any more. */
function isReleasable(job: JobObject, pod: PodObject, tally: Tally, verdict: Verdict | undefined): boolean {
  if (verdict || job.metadata.deletionTimestamp !== undefined || isSucceeded(pod)) return true;
  const index = indexOf(pod, job);
  return isFailed(pod, job) && (index === undefined || tally.toReplace.get(index) !== pod);
}

/** That an index has succeeded is noted by the index itself. What runs when a Job fails has failed. */
function outcomeToNote(
  job: JobObject,
  pod: PodObject,
  verdict: Verdict | undefined,
): 'succeeded' | 'failed' | undefined {
  if (isSucceeded(pod)) return isIndexed(job) ? undefined : 'succeeded';
  if (!isFailed(pod, job) && verdict?.type !== 'FailureTarget') return undefined;
  const isForeign = isIndexed(job) && indexOf(pod, job) === undefined;
  return isForeign || !isCounted(pod, job) ? undefined : 'failed';
}
