import type { GitSourceObject } from '../../fleet/git-source.ts';
import type { EventText } from '../event-recorder.ts';
import { type ApplyContext, applyRevision, findDrift, placeAll, pruneObjects } from './apply.ts';
import { goneOf } from './apply-plan.ts';
import { type FollowedSource, type FollowedSources, want } from './followed-sources.ts';
import { GitError } from './git.ts';
import type { Manifest } from './manifests.ts';
import { applied, nothingThere, type Outcome, refused, short, unread } from './outcome.ts';
import { isToApply } from './pass-plan.ts';
import { readRevision } from './repository.ts';

export interface RepositoryPass {
  readonly context: ApplyContext;
  readonly object: GitSourceObject;
  readonly source: FollowedSource;
  readonly sources: FollowedSources;
  /** Somebody asked for it by the annotation. */
  readonly isAsked: boolean;
  readonly record: (text: EventText) => void;
  /** Told before anything is changed. */
  readonly onApply: (revision: string) => Promise<void>;
}

/** What follows from what was found in the repository. */
export async function passRevision(pass: RepositoryPass, found: string | GitError): Promise<Outcome> {
  const { object, source, isAsked } = pass;
  const { spec, status = {}, metadata } = object;
  if (found instanceof GitError) {
    if (!source.wanted && status.lastAppliedRevision !== undefined)
      await recall(pass, status.lastAppliedRevision);
    return unread(found);
  }
  const isApplied = status.lastAppliedRevision === found && status.observedGeneration === metadata.generation;
  if (source.wanted && isApplied && !isAsked && (status.failures ?? []).length === 0)
    return applied(found, source.wanted.size);
  const read = await manifestsOf(pass, found);
  if (read instanceof GitError) return unread(read, found);
  const { manifests, failures } = read;
  if (failures.length > 0) return refused('ManifestsInvalid', found, failures);
  if (manifests.length === 0) return nothingThere(found, spec.path);
  if (isToApply(object, found, isAsked)) return applyManifests(pass, manifests, found);
  await compare(pass, manifests);
  if (object.spec.drift === 'correct') for (const key of source.drifted.keys()) source.touched.add(key);
  return applied(found, manifests.length);
}

function manifestsOf({ context, object, source }: RepositoryPass, revision: string) {
  const parse = (text: string) => context.writer.parse(text);
  return readRevision(object, source.clone, revision, parse, context.signal);
}

/** The repository cannot be reached, and the hub has forgotten what it applied: the copy here may still know. */
async function recall(pass: RepositoryPass, revision: string): Promise<void> {
  const read = await manifestsOf(pass, revision);
  if (read instanceof GitError || read.failures.length > 0) return;
  await compare(pass, read.manifests);
  for (const key of pass.source.drifted.keys()) pass.source.touched.add(key);
}

/** Compares what is wanted with what there is, without changing anything. */
async function compare(
  { context, source, sources }: RepositoryPass,
  manifests: readonly Manifest[],
): Promise<void> {
  const wanted = placeAll(context, manifests).filter(({ key }) => !context.otherOwner(key));
  sources.own(
    context.source,
    wanted.map(({ key }) => key),
  );
  want(source, wanted);
  for (const [key, drift] of await findDrift(context, wanted)) source.drifted.set(key, drift);
}

async function applyManifests(
  pass: RepositoryPass,
  manifests: readonly Manifest[],
  revision: string,
): Promise<Outcome> {
  const { context, object, source, sources } = pass;
  const { writer } = context;
  const { status = {}, spec } = object;
  if (revision !== status.lastAppliedRevision) await pass.onApply(revision);
  const result = await applyRevision(context, manifests);
  sources.own(
    context.source,
    result.applied.map(({ key }) => key),
  );
  const inventory = new Map(
    (status.inventory ?? []).flatMap((ref) => {
      const key = writer.keyOf(ref);
      return key === undefined ? [] : [[key, ref] as const]; // what has no kind any more went with it
    }),
  );
  for (const { key, ref } of result.applied) inventory.set(key, ref);
  if (result.failures.length > 0) {
    // What was changed is not to be taken for what somebody else changed.
    for (const each of result.applied) source.wanted?.set(each.key, each);
    return refused('ApplyFailed', revision, result.failures, [...inventory.values()]);
  }
  want(source, result.wanted);
  const wanted = new Set(result.wanted.map(({ key }) => key));
  const gone = goneOf([...inventory.values()], wanted, (ref) => writer.keyOf(ref));
  const { removed, failures } = spec.prune
    ? await pruneObjects(context, gone)
    : { removed: [], failures: [] };
  const left = spec.prune ? failures.map(({ ref }) => ref) : gone;
  sources.disown(
    context.source,
    gone.filter((ref) => !left.includes(ref)).flatMap((ref) => writer.keyOf(ref) ?? []),
  );
  if (result.changed + removed.length > 0)
    pass.record({
      type: 'Normal',
      reason: 'Applied',
      message: `revision ${short(revision)}: of ${result.applied.length} objects ${result.changed} changed, and ${removed.length} removed`,
    });
  const all = [...result.applied.map(({ ref }) => ref), ...left];
  if (failures.length === 0) return applied(revision, result.applied.length, all);
  return refused(
    'PruneFailed',
    revision,
    failures.map(({ ref: _, ...failure }) => failure),
    all,
  );
}
