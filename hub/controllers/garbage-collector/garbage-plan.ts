import type { DeleteOptions } from '../../registry/registry.ts';
import type { KubeObject, OwnerReference } from '../../resources/object.ts';

export const FOREGROUND = 'foregroundDeletion';
export const ORPHAN = 'orphan';

/**
 * What an owner is to its dependent: `gone` by uid; `waiting` for its dependents to go before it goes itself;
 * `unknown` when its kind is not served, so that nobody can tell.
 */
export type OwnerState = 'present' | 'waiting' | 'gone' | 'unknown';

export type DependentPlan =
  | { readonly type: 'keep' }
  /** Some owners remain: only the references to the others go. */
  | { readonly type: 'drop-references'; readonly uids: readonly string[] }
  | { readonly type: 'delete'; readonly policy: NonNullable<DeleteOptions['propagationPolicy']> };

const KEEP: DependentPlan = { type: 'keep' };

export function hasFinalizer({ metadata }: KubeObject, finalizer: string): boolean {
  return metadata.finalizers?.includes(finalizer) ?? false;
}

export function isEnding({ metadata }: KubeObject): boolean {
  return metadata.deletionTimestamp !== undefined;
}

/** An owner that waits for its dependents, whether or not this one blocks it. */
export function isWaiting(owner: KubeObject): boolean {
  return isEnding(owner) && hasFinalizer(owner, FOREGROUND);
}

/** What happens to an object whose owners have changed. `hasDependents`: others depend on it in turn. */
export function planDependent(
  object: KubeObject,
  stateOf: (owner: OwnerReference) => OwnerState,
  hasDependents: () => boolean,
): DependentPlan {
  if (isEnding(object)) return KEEP;
  const states = (object.metadata.ownerReferences ?? []).map((owner) => ({ owner, state: stateOf(owner) }));
  const lost = states.filter(({ state }) => state === 'gone' || state === 'waiting');
  if (lost.length === 0) return KEEP;
  if (lost.length < states.length)
    return { type: 'drop-references', uids: lost.map(({ owner }) => owner.uid) };
  const isWaitedFor = lost.some(({ state }) => state === 'waiting');
  if (isWaitedFor && hasDependents()) return { type: 'delete', policy: 'Foreground' };
  // Who made the object may have said how its dependents are to go, by a finalizer.
  if (hasFinalizer(object, ORPHAN)) return { type: 'delete', policy: 'Orphan' };
  if (hasFinalizer(object, FOREGROUND)) return { type: 'delete', policy: 'Foreground' };
  return { type: 'delete', policy: 'Background' };
}

/** Whether an ending object still waits for dependents that asked it to (`blockOwnerDeletion`). */
export function isBlocked(owner: KubeObject, dependents: readonly KubeObject[]): boolean {
  return dependents.some(({ metadata }) =>
    metadata.ownerReferences?.some(
      ({ uid, blockOwnerDeletion }) => uid === owner.metadata.uid && blockOwnerDeletion,
    ),
  );
}

/** The object without a finalizer. */
export function withoutFinalizer(object: KubeObject, finalizer: string): KubeObject {
  const finalizers = (object.metadata.finalizers ?? []).filter((each) => each !== finalizer);
  return { ...object, metadata: { ...object.metadata, finalizers } };
}
