import { setImmediate as nextTurn } from 'node:timers/promises';
import { Limit } from '../../../proto/limit.ts';
import type { ManifestWriter } from '../../api/manifest-writer.ts';
import { customResourceDefinitions } from '../../custom-resources/custom-resource-definitions.ts';
import {
  type DriftedObject,
  type Failure,
  type ObjectRef,
  PRUNE_ANNOTATION,
  SOURCE_ANNOTATION,
} from '../../fleet/git-source.ts';
import type { Registry } from '../../registry/registry.ts';
import { ApiError } from '../../resources/api-error.ts';
import type { Requester } from '../../resources/definition.ts';
import {
  definedKinds,
  isDefinedBy,
  type Placement,
  placed,
  sorted,
  stagesOf,
  type WantedObject,
} from './apply-plan.ts';
import { differenceOf } from './drift.ts';
import { type Manifest, refText } from './manifests.ts';

/** As whom, and for which GitSource. */
export interface ApplyContext {
  readonly registry: Registry;
  readonly writer: ManifestWriter;
  readonly user: Requester;
  /** `namespace/name` */
  readonly source: string;
  readonly namespace: string;
  readonly targetNamespace?: string | undefined;
  /** Which other GitSource has an object; undefined when none does. */
  readonly otherOwner: (key: string) => string | undefined;
  readonly signal: AbortSignal;
}

export interface Applied {
  /** Everything that the revision wants, as far as it is known where it goes. */
  readonly wanted: readonly WantedObject[];
  readonly applied: readonly WantedObject[];
  /** How many of them are other than before. */
  readonly changed: number;
  readonly failures: readonly Failure[];
}

/** At a time: the hub answers others in between. */
const WIDTH = 8;
const SERVED_WITHIN_MS = 10_000;

/**
 * Applies a revision. First everything is tried without storing it: a revision that holds something invalid or not
 * allowed changes nothing. Where namespaces or definitions that the rest needs are new, those are tried and applied before
 * the rest is tried. What fails although it could be
 * applied when it was tried keeps nothing of its stage from being applied.
 */
export async function applyRevision(context: ApplyContext, manifests: readonly Manifest[]): Promise<Applied> {
  const { writer, registry, signal } = context;
  const place = (each: Manifest) => placed(each, placementOf(context));
  const kinds = definedKinds(manifests);
  const isLater = ({ ref }: Manifest) => writer.isNamespaced(ref) === undefined && isDefinedBy(kinds, ref);
  const all = sorted(manifests.filter((each) => !isLater(each)).map(place));
  const nothing = { wanted: all.wanted, applied: [], changed: 0 };
  if (all.failures.length > 0) return { ...nothing, failures: all.failures };

  const stages = stagesOf(manifests);
  const needed = sorted(stages.slice(0, -1).flat().map(place));
  const isTriedAtOnce = needed.wanted.every(({ ref }) => writer.find(ref) !== undefined);
  if (isTriedAtOnce) {
    const failures = await tried(context, all.wanted);
    if (failures.length > 0) return { ...nothing, failures };
  }
  const wanted: WantedObject[] = [];
  const applied: WantedObject[] = [];
  const failures: Failure[] = [];
  let changed = 0;
  for (const stage of stages) {
    const here = sorted(stage.map(place));
    wanted.push(...here.wanted);
    failures.push(...here.failures, ...(isTriedAtOnce ? [] : await tried(context, here.wanted)));
    if (failures.length > 0) return { wanted, applied, changed, failures };
    await forEach(here.wanted, signal, async (object) => {
      const failure = await attempt(object, async () => {
        const before = writer.find(object.ref)?.metadata.resourceVersion;
        const after = await writer.apply(context.user, object.body, object.ref, false);
        if (after.metadata.resourceVersion !== before) changed += 1;
        applied.push(object);
      });
      if (failure) failures.push(failure);
    });
    await untilServed(registry, here.wanted, signal);
  }
  return { wanted, applied, changed, failures };
}

function placementOf({ source, namespace, targetNamespace, writer }: ApplyContext): Placement {
  return {
    source,
    namespace,
    targetNamespace,
    isNamespaced: (ref) => writer.isNamespaced(ref),
    keyOf: (ref) => writer.keyOf(ref),
  };
}

/** What would be refused of these. */
async function tried(context: ApplyContext, objects: readonly WantedObject[]): Promise<Failure[]> {
  const { writer, user, otherOwner, signal } = context;
  const failures: Failure[] = [];
  await forEach(objects, signal, async (object) => {
    const failure = await attempt(object, async () => {
      const owner = otherOwner(object.key);
      if (owner !== undefined)
        throw new ApiError(
          409,
          'Conflict',
          `belongs to the GitSource ${owner}: remove it from one of the repositories`,
        );
      await writer.apply(user, object.body, object.ref, true);
    });
    if (failure) failures.push(failure);
  });
  return failures;
}

/** The failure of an action on an object; what is a bug is thrown. */
async function attempt(
  { file, ref }: { readonly file?: string; readonly ref: ObjectRef },
  act: () => Promise<void>,
): Promise<Failure | undefined> {
  try {
    await act();
    return undefined;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return { ...(file !== undefined && { file }), object: refText(ref), message: error.message };
  }
}

async function forEach<T>(
  items: readonly T[],
  signal: AbortSignal,
  act: (item: T) => Promise<void>,
): Promise<void> {
  const limit = new Limit(WIDTH);
  await Promise.all(
    items.map((item) =>
      limit.run(async () => {
        await nextTurn();
        signal.throwIfAborted();
        await act(item);
      }),
    ),
  );
}

/** Until the kinds are served that some definitions define, or for some seconds: then what is of them says so. */
async function untilServed(
  registry: Registry,
  objects: readonly WantedObject[],
  signal: AbortSignal,
): Promise<void> {
  const names = objects
    .filter(({ ref }) => ref.kind === customResourceDefinitions.kind)
    .map(({ ref }) => ref.name);
  const isServed = (name: string) =>
    registry.definitions.some(({ plural, group }) => `${plural}.${group}` === name);
  if (names.every(isServed)) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const end = registry.watch(customResourceDefinitions, {}, () => {
    if (names.every(isServed)) resolve();
  });
  const timer = setTimeout(resolve, SERVED_WITHIN_MS);
  signal.addEventListener('abort', () => resolve(), { once: true });
  await promise;
  clearTimeout(timer);
  end();
}

/** Where everything goes that a revision wants, as far as its kinds are served. */
export function placeAll(context: ApplyContext, manifests: readonly Manifest[]): readonly WantedObject[] {
  return sorted(manifests.map((each) => placed(each, placementOf(context)))).wanted;
}

/** Objects that are not as they are wanted, by key. What cannot be told is left out. */
export async function findDrift(
  { writer, user, signal }: ApplyContext,
  objects: readonly WantedObject[],
): Promise<Map<string, DriftedObject>> {
  const found = new Map<string, DriftedObject>();
  await forEach(objects, signal, async (object) => {
    const { key, ref, body } = object;
    await attempt(object, async () => {
      const live = writer.find(ref);
      const drift: DriftedObject | undefined =
        !live || live.metadata.deletionTimestamp
          ? { object: refText(ref), state: 'Missing' }
          : differenceOf(refText(ref), live, await writer.apply(user, body, ref, true));
      if (drift) found.set(key, drift);
    });
  });
  return found;
}

/** Puts objects right again. */
export async function applyAgain(
  { writer, user, signal }: ApplyContext,
  objects: readonly WantedObject[],
): Promise<Failure[]> {
  const failures: Failure[] = [];
  await forEach(objects, signal, async (object) => {
    const failure = await attempt(object, async () => {
      await writer.apply(user, object.body, object.ref, false);
    });
    if (failure) failures.push(failure);
  });
  return failures;
}

export interface Pruned {
  readonly removed: readonly ObjectRef[];
  /** Could not be removed: they stay in the inventory. */
  readonly failures: readonly (Failure & { readonly ref: ObjectRef })[];
}

/**
 * Deletes what has gone from the repository; one after the other, since the order counts. What is not ours any more, or
 * says that it wants to stay, stays and is forgotten.
 */
export async function pruneObjects(context: ApplyContext, gone: readonly ObjectRef[]): Promise<Pruned> {
  const { writer, user, source, otherOwner, signal } = context;
  const removed: ObjectRef[] = [];
  const failures: (Failure & { ref: ObjectRef })[] = [];
  for (const ref of gone) {
    signal.throwIfAborted();
    const live = writer.find(ref);
    const { annotations = {}, uid = '', deletionTimestamp } = live?.metadata ?? {};
    const isOurs = annotations[SOURCE_ANNOTATION] === source && !otherOwner(writer.keyOf(ref) ?? '');
    if (!live || deletionTimestamp || !isOurs || annotations[PRUNE_ANNOTATION] === 'disabled') continue;
    const failure = await attempt({ ref }, async () => {
      await writer.remove(user, ref, uid);
      removed.push(ref);
    });
    if (failure) failures.push({ ...failure, ref });
  }
  return { removed, failures };
}
