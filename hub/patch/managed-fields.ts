import { ApiError, badRequest } from '../resources/api-error.ts';
import type { KubeObject, ManagedFieldsEntry } from '../resources/object.ts';
import { type JsonObject, sameJson } from '../schema/json-type.ts';
import type { ObjectSchema } from '../schema/schema.ts';
import { mergeApplied, pruneObject } from './apply-merge.ts';
import {
  difference,
  type FieldSet,
  intersection,
  NO_FIELDS,
  pathsOf,
  sameFields,
  union,
  unionAll,
  withoutSubtrees,
} from './field-set.ts';
import {
  clearsManagers,
  isSameManager,
  type Manager,
  readManagers,
  sameManagers,
  trackable,
  writeManagers,
} from './managers.ts';
import { type Changes, changesOf, checkListKeys, fieldsOf } from './tracked-fields.ts';

/** Who writes what, for both ways of writing. */
interface Write {
  readonly schema: ObjectSchema;
  readonly manager: string;
  /** Of the object as it is written: `apps/v1`. */
  readonly apiVersion: string;
  /** RFC 3339, seconds. */
  readonly time: string;
  readonly subresource?: string | undefined;
  /** Whether the kind has a status subresource, so that the main path does not own `status`. True by default. */
  readonly hasStatus?: boolean;
}

export interface Update extends Write {
  /** Undefined at creation. */
  readonly live: KubeObject | undefined;
  /** What is to be stored, after defaults; with the managedFields that the client sent. */
  readonly next: KubeObject;
}

export interface Apply extends Write {
  readonly live: KubeObject | undefined;
  /** The configuration, decoded. */
  readonly applied: KubeObject;
  /** Whether to take fields from other managers. */
  readonly force: boolean;
  /** Changes its argument. */
  readonly setDefaults?: ((object: KubeObject) => void) | undefined;
}

/** A field that an apply would have taken from another manager. */
export interface Conflict {
  readonly with: Manager;
  /** `.spec.replicas` */
  readonly path: string;
}

export type ApplyResult =
  | { readonly object: KubeObject; readonly conflicts?: undefined }
  | { readonly object?: undefined; readonly conflicts: readonly Conflict[] };

function entryOf(write: Write, operation: 'Apply' | 'Update', fields: FieldSet): Manager {
  const { manager, apiVersion, time, subresource = '' } = write;
  return { manager, operation, apiVersion, time, subresource, fields };
}

function trackableOf({ subresource = '', hasStatus = true }: Write, set: FieldSet): FieldSet {
  return trackable(set, subresource, hasStatus);
}

/** The managers that a write starts from. Subresources cannot set them. */
function managersBefore({ live, next, subresource }: Update): Manager[] {
  const sent = next.metadata.managedFields;
  if (!subresource) {
    if (clearsManagers(sent)) return [];
    const managers = readManagers(sent);
    if (managers && managers.length > 0) return managers;
  }
  return readManagers(live?.metadata.managedFields) ?? [];
}

/** The others without what was changed or removed. A manager that loses fields keeps its time. */
function takeFrom(managers: readonly Manager[], { changed, removed }: Changes): Manager[] {
  return managers.map((manager) => ({
    ...manager,
    fields: withoutSubtrees(difference(manager.fields, changed), removed),
  }));
}

/**
 * The managedFields after an ordinary write: what changed belongs to the writer alone. Returns the entries of `live`
 * themselves when nothing about them changed.
 */
export function trackUpdate(update: Update): ManagedFieldsEntry[] {
  const { schema, live, next } = update;
  const managers = managersBefore(update);
  const changes = changesOf(schema, live ?? {}, next);
  const changed = trackableOf(update, changes.changed);
  const self = entryOf(update, 'Update', changed);
  const previous = managers.find((manager) => isSameManager(manager, self));
  const others = managers.filter((manager) => manager !== previous);
  const owned = union(withoutSubtrees(previous?.fields ?? NO_FIELDS, changes.removed), changed);
  const isSame = previous !== undefined && sameFields(previous.fields, owned);
  const after = [
    ...takeFrom(others, { changed, removed: changes.removed }),
    isSame ? previous : { ...self, fields: owned },
  ];
  return reuse(live, writeManagers(after));
}

function reuse(live: KubeObject | undefined, entries: ManagedFieldsEntry[]): ManagedFieldsEntry[] {
  const before = live?.metadata.managedFields;
  return before && sameJson(before, entries) ? before : entries;
}

/** What of a configuration counts on this path. */
function relevant({ subresource = '', hasStatus = true, applied }: Apply): JsonObject {
  const { apiVersion, kind, metadata, status, ...rest } = applied;
  if (subresource === 'status')
    return { apiVersion, kind, metadata: {}, ...(status !== undefined && { status }) };
  return { apiVersion, kind, metadata, ...rest, ...(!hasStatus && status !== undefined && { status }) };
}

/** Objects that were written before anybody was tracked belong to a manager of their own. */
function managersOfLive(apply: Apply): Manager[] {
  if (!apply.live) return [];
  const managers = readManagers(apply.live.metadata.managedFields) ?? [];
  if (managers.length > 0) return managers;
  const fields = trackable(fieldsOf(apply.schema, apply.live), '', apply.hasStatus ?? true);
  return [{ ...entryOf(apply, 'Update', fields), manager: 'before-first-apply', subresource: '' }];
}

function conflictsWith(others: readonly Manager[], changed: FieldSet): Conflict[] {
  return others.flatMap((manager) =>
    pathsOf(intersection(manager.fields, changed)).map((path) => ({ with: manager, path })),
  );
}

/**
 * Server-side apply: merges a configuration into the live object, removes what this manager sent before and nobody
 * else owns, and tells who owns what. Returns `live` itself when nothing changes. Throws 400 for a configuration that
 * cannot be applied.
 */
export function applyConfiguration(apply: Apply): ApplyResult {
  const { schema, live, applied } = apply;
  if (applied.metadata.managedFields !== undefined) throw badRequest('metadata.managedFields must be nil');
  const configuration = relevant(apply);
  checkListKeys(schema, configuration);
  const self = entryOf(apply, 'Apply', trackableOf(apply, fieldsOf(schema, configuration)));
  const managers = managersOfLive(apply);
  const previous = managers.find((manager) => isSameManager(manager, self));
  const others = managers.filter((manager) => manager !== previous);

  const merged = live ? (mergeApplied(schema, live, configuration) as JsonObject) : configuration;
  const kept = unionAll([self, ...others].map(({ fields }) => fields));
  const pruned = pruneObject(schema, merged, previous?.fields ?? NO_FIELDS, kept);
  const changes = changesOf(schema, live ?? {}, pruned);
  const conflicts = conflictsWith(others, changes.changed);
  if (conflicts.length > 0 && !apply.force) return { conflicts };

  const after = [...takeFrom(others, changes), self];
  return { object: finish(apply, pruned, managers, after) };
}

function finish(
  { live, setDefaults }: Apply,
  pruned: JsonObject,
  before: readonly Manager[],
  after: readonly Manager[],
): KubeObject {
  const object = structuredClone(pruned) as KubeObject;
  setDefaults?.(object);
  const isSame = live && sameManagers(before, after) && sameJson(unmanaged(object), unmanaged(live));
  if (isSame && live.metadata.managedFields) return live;
  object.metadata = { ...object.metadata, managedFields: writeManagers(after) };
  return object;
}

function unmanaged(object: KubeObject): JsonObject {
  const { managedFields: _, ...metadata } = object.metadata;
  return { ...object, metadata };
}

function describe({ manager, operation, apiVersion, time, subresource }: Manager): string {
  const where = subresource ? ` with subresource ${JSON.stringify(subresource)}` : '';
  const when = time === undefined ? '' : ` at ${time}`;
  return JSON.stringify(manager) + where + (operation === 'Update' ? ` using ${apiVersion}${when}` : '');
}

function conflictMessage(conflicts: readonly Conflict[]): string {
  const [first] = conflicts;
  if (first && conflicts.length === 1) {
    return `Apply failed with 1 conflict: conflict with ${describe(first.with)}: ${first.path}`;
  }
  const byManager = Map.groupBy(conflicts, (conflict) => describe(conflict.with));
  const lines = [...byManager.keys()]
    .sort()
    .flatMap((manager) => [
      `conflicts with ${manager}:`,
      ...(byManager.get(manager) ?? []).map(({ path }) => `- ${path}`),
    ]);
  return `Apply failed with ${conflicts.length} conflicts: ${lines.join('\n')}`;
}

/** The answer to an apply that was not forced: 409 with one cause per field. */
export function applyConflict(conflicts: readonly Conflict[]): ApiError {
  return new ApiError(409, 'Conflict', conflictMessage(conflicts), {
    causes: conflicts.map((conflict) => ({
      reason: 'FieldManagerConflict',
      message: `conflict with ${describe(conflict.with)}`,
      field: conflict.path,
    })),
  });
}
