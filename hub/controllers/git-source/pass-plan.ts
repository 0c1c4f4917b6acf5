import { durationMs } from '../../fleet/duration.ts';
import { type GitSourceObject, RECONCILE_ANNOTATION } from '../../fleet/git-source.ts';
import { ownValue } from '../../resources/object.ts';

/** What is known of one GitSource besides what is stored: all of it can be lost. */
export interface PassMemory {
  /** When the repository is to be asked next, by the clock; 0 before the first time. */
  readonly nextMs: number;
  /** In a row. */
  readonly failures: number;
  /** The Git server told of a push. */
  readonly isPushed: boolean;
  /** The generation that was last tried since the hub started. */
  readonly generation: number | undefined;
}

export const NEW_MEMORY: PassMemory = { nextMs: 0, failures: 0, isPushed: false, generation: undefined };

export type Pass =
  /** `isAsked`: also what is only to be told of is put right. */
  | { readonly type: 'fetch'; readonly isAsked: boolean }
  | { readonly type: 'wait'; readonly waitMs: number }
  | { readonly type: 'suspended' };

/** Whether it is time to look into the repository. */
export function planPass(source: GitSourceObject, memory: PassMemory, nowMs: number): Pass {
  if (source.spec.suspend) return { type: 'suspended' };
  const asked = askedAt(source);
  const isAsked = asked !== '' && asked !== source.status?.lastHandledReconcileAt;
  const isChanged = memory.generation !== source.metadata.generation;
  if (isAsked || isChanged || memory.isPushed || nowMs >= memory.nextMs) return { type: 'fetch', isAsked };
  return { type: 'wait', waitMs: memory.nextMs - nowMs };
}

/** The value of the annotation that asks; empty without one. */
export function askedAt({ metadata }: GitSourceObject): string {
  return ownValue(metadata.annotations, RECONCILE_ANNOTATION) ?? '';
}

const FIRST_RETRY_MS = 10_000;
const LONGEST_RETRY_MS = 900_000;

/** How long until the repository is asked again: after failures sooner at first, then ever later. */
export function nextInMs({ spec }: GitSourceObject, failures: number): number {
  const intervalMs = durationMs(spec.interval);
  if (failures === 0) return intervalMs;
  const firstMs = Math.min(FIRST_RETRY_MS, intervalMs);
  return Math.min(firstMs * 2 ** Math.min(failures - 1, 30), Math.max(intervalMs, LONGEST_RETRY_MS));
}

/**
 * Whether a revision is to be applied, or only compared with what there is: what others changed since it was applied is
 * drift.
 */
export function isToApply(source: GitSourceObject, revision: string, isAsked: boolean): boolean {
  const { status = {}, metadata } = source;
  return (
    isAsked ||
    status.lastAppliedRevision !== revision ||
    status.observedGeneration !== metadata.generation ||
    (status.failures ?? []).length > 0
  );
}
