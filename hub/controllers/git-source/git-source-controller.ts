import { Limit } from '../../../proto/limit.ts';
import type { ManifestWriter } from '../../api/manifest-writer.ts';
import { type GitSourceObject, type GitSourceStatus, gitSources } from '../../fleet/git-source.ts';
import { objectKey } from '../../resources/object.ts';
import { secrets, serviceAccounts } from '../../resources/table-of-resources.ts';
import { sameJson } from '../../schema/json-type.ts';
import { Backoff } from '../backoff.ts';
import {
  type ControllerContext,
  type ObjectEvent,
  type RunningController,
  splitKey,
  startController,
} from '../controller.ts';
import { changeExisting } from '../status.ts';
import type { ApplyContext } from './apply.ts';
import { correctDrift } from './correct-drift.ts';
import { type FollowedSource, FollowedSources } from './followed-sources.ts';
import type { GitPushes } from './git-pushes.ts';
import { accountMissing, type Outcome } from './outcome.ts';
import { NEW_MEMORY, nextInMs, planPass } from './pass-plan.ts';
import { fetchRevision } from './repository.ts';
import { passRevision } from './repository-pass.ts';
import { statusAfter, statusDuring, statusSuspended, statusWithDrift } from './source-status.ts';

export interface GitSourceOptions {
  readonly writer: ManifestWriter;
  readonly pushes: GitPushes;
  /** Holds a copy of each repository, which may be lost. */
  readonly directory: string;
}

const MANAGER = 'git-source-controller';
/** So many repositories are fetched at a time. */
const FETCHES = 4;

interface Parts extends ControllerContext, GitSourceOptions {
  readonly sources: FollowedSources;
  readonly fetches: Limit;
  readonly patience: Backoff;
}

/** Follows the repositories that GitSources name: applies what is new in them, and sees who changes it besides. */
export function startGitSourceController(
  context: ControllerContext,
  options: GitSourceOptions,
): RunningController {
  const { writer, pushes, directory } = options;
  const sources = new FollowedSources(writer, directory);
  const parts: Parts = {
    ...context,
    ...options,
    sources,
    fetches: new Limit(FETCHES),
    patience: new Backoff(context.now),
  };
  const controller = startController(context, {
    name: 'git-source',
    watches: [
      {
        resource: gitSources,
        keys: (event) => {
          sources.changed(event);
          return event.type === 'DELETED' ? [] : [objectKey(event.object)];
        },
      },
      { resource: secrets, keys: (event) => waitingFor(parts, event, ({ secretRef }) => secretRef?.name) },
      {
        resource: serviceAccounts,
        keys: (event) => waitingFor(parts, event, ({ serviceAccountName }) => serviceAccountName),
      },
    ],
    watchesAll: {
      select: () => true,
      keys: (resource, event) =>
        sources.isEmpty ? [] : sources.touched(writer.keyOfStored(resource, event.object), event),
    },
    sync: (key, signal) => sync(parts, key, signal),
  });
  sources.tidy(); // all that exist are known now, and none has been synced
  pushes.onPush((key) => {
    if (sources.pushed(key)) controller.add(key);
  });
  return controller;
}

/** GitSources that failed and name this object: it may be what they lacked. */
function waitingFor(
  { registry, sources }: Parts,
  { object: { metadata } }: ObjectEvent,
  nameIn: (spec: GitSourceObject['spec']) => string | undefined,
): string[] {
  if (registry.count(gitSources) === 0) return [];
  const { items } = registry.list(gitSources, { namespace: metadata.namespace ?? '' });
  return (items as readonly GitSourceObject[]).flatMap((object) => {
    const key = objectKey(object);
    const source = sources.get(key);
    if (nameIn(object.spec) !== metadata.name || !source || source.pass.failures === 0) return [];
    source.pass = { ...source.pass, nextMs: 0 };
    return [key];
  });
}

async function sync(parts: Parts, key: string, signal: AbortSignal): Promise<number | undefined> {
  const { registry, sources, now } = parts;
  const { namespace, name } = splitKey(key);
  const object = registry.get(gitSources, namespace, name) as GitSourceObject | undefined;
  const source = sources.get(key);
  if (!object || !source || object.metadata.uid !== source.uid || object.metadata.deletionTimestamp)
    return undefined;
  const plan = planPass(object, source.pass, now());
  if (plan.type === 'suspended') {
    source.pass = NEW_MEMORY;
    source.wanted = undefined;
    await tell(parts, object, (current) => statusSuspended(current, now()));
    return undefined;
  }
  const context = applyContext(parts, key, object, signal);
  if (plan.type === 'fetch') await pass(parts, context, object, source, plan.isAsked, signal);
  const waitMs =
    context && source.touched.size > 0
      ? await correct(parts, context, object, source)
      : Number.POSITIVE_INFINITY;
  return Math.max(0, Math.min(source.pass.nextMs - now(), waitMs));
}

/** Undefined when there is no such account. */
function applyContext(
  { registry, writer, sources }: Parts,
  key: string,
  { metadata: { namespace = '' }, spec }: GitSourceObject,
  signal: AbortSignal,
): ApplyContext | undefined {
  const user = writer.account(namespace, spec.serviceAccountName);
  return (
    user && {
      registry,
      writer,
      user,
      source: key,
      namespace,
      targetNamespace: spec.targetNamespace,
      otherOwner: (object) => sources.otherOwner(key, object),
      signal,
    }
  );
}

/** One look into the repository, and what follows from it. */
async function pass(
  parts: Parts,
  context: ApplyContext | undefined,
  object: GitSourceObject,
  source: FollowedSource,
  isAsked: boolean,
  signal: AbortSignal,
): Promise<void> {
  const { now, events } = parts;
  source.pass = { ...source.pass, isPushed: false, generation: object.metadata.generation };
  const outcome = context ? await look(parts, context, object, source, isAsked) : accountMissing(object);
  signal.throwIfAborted();
  const failures = outcome.isReady ? 0 : source.pass.failures + 1;
  source.pass = { ...source.pass, failures, nextMs: now() + nextInMs(object, failures) };
  // About the object as it was when the pass began: it may have been changed, or asked for again, meanwhile.
  await tell(parts, object, ({ status = {} }) =>
    statusAfter({ ...object, status }, outcome, [...source.drifted.values()], now()),
  );
  const { isReady, reason, message } = outcome;
  if (!isReady) events.record(MANAGER, object, { type: 'Warning', reason, message });
}

async function look(
  parts: Parts,
  context: ApplyContext,
  object: GitSourceObject,
  source: FollowedSource,
  isAsked: boolean,
): Promise<Outcome> {
  const { registry, sources, fetches, events, now } = parts;
  const found = await fetches.run(() => fetchRevision(registry, object, source.clone, context.signal));
  return passRevision(
    {
      context,
      object,
      source,
      sources,
      isAsked,
      record: (text) => events.record(MANAGER, object, text),
      onApply: (revision) => tell(parts, object, (current) => statusDuring(current, revision, now())),
    },
    found,
  );
}

/** Resolves with how long to leave alone what others change back each time. */
async function correct(
  parts: Parts,
  context: ApplyContext,
  object: GitSourceObject,
  source: FollowedSource,
): Promise<number> {
  const { events, now, patience } = parts;
  const { waitMs, hasFailed, events: texts } = await correctDrift(context, object, source, patience);
  for (const text of texts) events.record(MANAGER, object, text);
  if (hasFailed)
    source.pass = { ...source.pass, nextMs: Math.min(source.pass.nextMs, now() + nextInMs(object, 1)) };
  await tell(parts, object, (current) => statusWithDrift(current, [...source.drifted.values()], now()));
  return waitMs;
}

/** Nothing when nothing is new: at rest, a GitSource writes nothing. */
async function tell(
  { registry }: Parts,
  object: GitSourceObject,
  next: (current: GitSourceObject) => GitSourceStatus,
): Promise<void> {
  await changeExisting(
    registry,
    gitSources,
    object,
    (current) => {
      const status = next(current as GitSourceObject);
      return sameJson(current.status ?? {}, status) ? current : { ...current, status };
    },
    { fieldManager: MANAGER, subresource: 'status' },
  );
}
