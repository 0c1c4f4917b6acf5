import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import {
  badRequest,
  conflict,
  type FieldError,
  forbidden,
  invalid,
  notFound,
} from '../resources/api-error.ts';
import type { PartOf, Requester, ResourceDefinition } from '../resources/definition.ts';
import { generateName } from '../resources/generate-name.ts';
import type { KubeObject } from '../resources/object.ts';
import { formatTime } from '../resources/time.ts';
import type { DeleteOptions, UpdateOptions } from './registry.ts';

/*
 * What a write makes of an object: pure functions of the objects and the time. The rules are Kubernetes' (its API
 * conventions; section B of the wire notes). Functions that return an object return one that nobody else holds.
 */

/** The object as it will be stored first; `complete` fills in what policies say. Throws 422 with everything that is wrong with it. */
export function newObject(
  resource: ResourceDefinition,
  given: KubeObject,
  nowMs: number,
  requester?: Requester,
  complete: (object: KubeObject) => void = () => {},
): KubeObject {
  const object = structuredClone(given);
  const { metadata } = object;
  if (metadata.resourceVersion)
    throw badRequest('resourceVersion should not be set on objects to be created');
  metadata.name ||= metadata.generateName ? generateName(metadata.generateName) : '';
  metadata.uid = randomUUID();
  metadata.creationTimestamp = formatTime(nowMs);
  if (resource.hasGeneration ?? (resource.hasStatus && object.spec !== undefined)) metadata.generation = 1;
  else delete metadata.generation;
  delete metadata.resourceVersion;
  delete metadata.deletionTimestamp;
  delete metadata.deletionGracePeriodSeconds;
  delete metadata.selfLink;
  if (!resource.namespaced) delete metadata.namespace;
  if (resource.hasStatus) delete object.status;
  resource.setDefaults?.(object);
  complete(object);
  resource.prepareForCreate?.(object, requester);
  check(resource, object, undefined);
  return object;
}

/** What `given` makes of `current`. Throws 409 when a precondition in it fails, 422 when the result is not valid. */
export function updatedObject(
  resource: ResourceDefinition,
  current: KubeObject,
  given: KubeObject,
  subresource: UpdateOptions['subresource'],
  nowMs: number,
): KubeObject {
  checkIdentity(resource, current, given);
  const part = subresource === undefined ? undefined : partOf(resource, subresource);
  const object = structuredClone(part ? withPart(current, given, part(given, current, nowMs)) : given);
  keepServerMetadata(object, current);
  if (!part) {
    if (resource.hasStatus) keepField(object, current, 'status');
    resource.setDefaults?.(object);
    resource.prepareForUpdate?.(object, current);
  } else if (subresource !== 'status') {
    resource.setDefaults?.(object);
  } else {
    resource.prepareStatus?.(object, current, nowMs);
  }
  if (subresource !== 'status' && bumpsGeneration(resource, object, current))
    object.metadata.generation = (current.metadata.generation ?? 0) + 1;
  const errors = newFinalizers(object, current);
  if (errors.length > 0) throw invalid(resource.group, resource.kind, current.metadata.name ?? '', errors);
  check(resource, object, current, subresource);
  return object;
}

/** Whether two states differ in more than what every write touches. */
export function isUnchanged(a: KubeObject, b: KubeObject): boolean {
  return isDeepStrictEqual(withoutVersion(a), withoutVersion(b));
}

/** Whether nothing keeps an ending object any more. */
export function isRemovable(resource: ResourceDefinition, object: KubeObject): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds, finalizers } = object.metadata;
  return (
    deletionTimestamp !== undefined &&
    !deletionGracePeriodSeconds &&
    !finalizers?.length &&
    !resource.holdsRemoval?.(object)
  );
}

/**
 * The object after a request to delete it: ending, with a time and perhaps a finalizer. `isRemovable` tells whether
 * it goes at once. Throws 409 when a precondition fails.
 */
export function endingObject(
  resource: ResourceDefinition,
  current: KubeObject,
  options: DeleteOptions,
  nowMs: number,
): KubeObject {
  checkPreconditions(resource, current, options);
  const object = structuredClone(current);
  const { metadata } = object;
  setPropagation(object, options.propagationPolicy);
  const requested = resource.gracePeriodSeconds?.(current, options.gracePeriodSeconds) ?? 0;
  const graceSeconds = Math.min(requested, metadata.deletionGracePeriodSeconds ?? requested);
  if (metadata.deletionTimestamp && metadata.deletionGracePeriodSeconds === graceSeconds) return object;
  if (!metadata.deletionTimestamp) {
    if (metadata.generation !== undefined) metadata.generation += 1;
    resource.prepareForDeletion?.(object);
  }
  metadata.deletionTimestamp = formatTime(nowMs + graceSeconds * 1000);
  metadata.deletionGracePeriodSeconds = graceSeconds;
  return object;
}

/** Throws unless objects of the resource may be created in this namespace now. */
export function checkNamespace(
  resource: ResourceDefinition,
  object: KubeObject,
  namespace: KubeObject | undefined,
): void {
  const name = object.metadata.namespace ?? '';
  if (!namespace) throw notFound({ group: '', plural: 'namespaces' }, name);
  if (!namespace.metadata.deletionTimestamp) return;
  const why = `unable to create new content in namespace ${name} because it is being terminated`;
  throw forbidden(resource, object.metadata.name ?? '', why, {
    reason: 'NamespaceTerminating',
    message: `namespace ${name} is being terminated`,
    field: 'metadata.namespace',
  });
}

/**
 * What was wrong before this write does not refuse it: rules become stricter with the hub's version, and objects that are
 * stored still have to be told how they are, scaled and mended.
 */
function check(
  resource: ResourceDefinition,
  object: KubeObject,
  old: KubeObject | undefined,
  part?: string,
): void {
  const errors = resource.validate?.(object, old, part) ?? [];
  if (errors.length === 0) return;
  const stored = new Set(old && resource.validate?.(old, old, part).map(errorKey));
  const newErrors = errors.filter((error) => !stored.has(errorKey(error)));
  if (newErrors.length > 0)
    throw invalid(resource.group, resource.kind, object.metadata.name ?? '', newErrors);
}

function errorKey({ field, message }: FieldError): string {
  return JSON.stringify([field, message]);
}

function checkIdentity(resource: ResourceDefinition, current: KubeObject, given: KubeObject): void {
  const { resourceVersion, uid } = given.metadata;
  const name = current.metadata.name ?? '';
  if (uid && uid !== current.metadata.uid) {
    const why = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${current.metadata.uid}`;
    throw conflict(resource, name, why);
  }
  if (resourceVersion && resourceVersion !== current.metadata.resourceVersion) throw conflict(resource, name);
  if (resource.updateNeedsVersion && !resourceVersion) {
    throw invalid(resource.group, resource.kind, name, [
      {
        reason: 'FieldValueInvalid',
        field: 'metadata.resourceVersion',
        message: 'Invalid value: 0x0: must be specified for an update',
      },
    ]);
  }
}

function checkPreconditions(
  resource: ResourceDefinition,
  current: KubeObject,
  { preconditions }: DeleteOptions,
): void {
  const name = current.metadata.name ?? '';
  for (const [field, label] of [
    ['uid', 'UID'],
    ['resourceVersion', 'ResourceVersion'],
  ] as const) {
    const wanted = preconditions?.[field];
    const found = current.metadata[field];
    if (wanted === undefined || wanted === found) continue;
    const why = `Precondition failed: ${label} in precondition: ${wanted}, ${label} in object meta: ${found}`;
    throw conflict(resource, name, why);
  }
}

/** How a subresource changes the object; undefined for one that changes the main path's fields. */
function partOf(resource: ResourceDefinition, subresource: string): PartOf | undefined {
  if (subresource === 'status') return ({ status }, current) => ({ ...current, status });
  return resource.parts?.[subresource];
}

/** Metadata is not for subresources to change, but for who manages which fields. */
function withPart(current: KubeObject, given: KubeObject, object: KubeObject): KubeObject {
  const { managedFields } = given.metadata;
  return { ...object, metadata: { ...current.metadata, ...(managedFields && { managedFields }) } };
}

function keepServerMetadata(object: KubeObject, current: KubeObject): void {
  const kept = current.metadata;
  const { metadata } = object;
  if (kept.uid) metadata.uid = kept.uid;
  if (kept.name) metadata.name = kept.name;
  if (kept.creationTimestamp) metadata.creationTimestamp = kept.creationTimestamp;
  for (const field of [
    'namespace',
    'generation',
    'deletionTimestamp',
    'deletionGracePeriodSeconds',
    'generateName',
  ] as const) {
    if (kept[field] === undefined) delete metadata[field];
    else Object.assign(metadata, { [field]: kept[field] });
  }
  delete metadata.selfLink;
}

function keepField(object: KubeObject, current: KubeObject, field: string): void {
  if (current[field] === undefined) delete object[field];
  else object[field] = structuredClone(current[field]);
}

function bumpsGeneration(resource: ResourceDefinition, object: KubeObject, current: KubeObject): boolean {
  if (current.metadata.generation === undefined) return false;
  return resource.bumpsGeneration?.(object, current) ?? !isDeepStrictEqual(object.spec, current.spec);
}

function newFinalizers(object: KubeObject, current: KubeObject): FieldError[] {
  if (!current.metadata.deletionTimestamp) return [];
  const known = new Set(current.metadata.finalizers);
  const added = (object.metadata.finalizers ?? []).filter((finalizer) => !known.has(finalizer));
  if (added.length === 0) return [];
  const found = JSON.stringify(added);
  return [
    {
      reason: 'FieldValueForbidden',
      field: 'metadata.finalizers',
      message: `Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers ${found}`,
    },
  ];
}

const FINALIZER_OF = { Foreground: 'foregroundDeletion', Orphan: 'orphan' } as const;

/** The request's policy wins over one that an earlier request or the object's maker left as a finalizer. */
function setPropagation(object: KubeObject, policy: DeleteOptions['propagationPolicy']): void {
  if (!policy) return;
  const others = (object.metadata.finalizers ?? []).filter(
    (finalizer) => finalizer !== FINALIZER_OF.Foreground && finalizer !== FINALIZER_OF.Orphan,
  );
  const finalizers = policy === 'Background' ? others : [...others, FINALIZER_OF[policy]];
  if (finalizers.length > 0) object.metadata.finalizers = finalizers;
  else delete object.metadata.finalizers;
}

function withoutVersion(object: KubeObject): object {
  const { resourceVersion: _, ...metadata } = object.metadata;
  return { ...object, metadata };
}
