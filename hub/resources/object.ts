import type { ObjectMeta as KubeObjectMeta, OwnerReference } from 'kubernetes-types/meta/v1.d.ts';

export type { OwnerReference };

/** A JSON value that nobody may change: objects are shared between the store, watches and controllers. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** Who last set which fields, as `metadata.managedFields` tells it. */
export interface ManagedFieldsEntry {
  manager?: string;
  operation?: 'Apply' | 'Update';
  apiVersion?: string;
  time?: string;
  fieldsType?: string;
  fieldsV1?: object;
  subresource?: string;
}

type Writable<T> = { -readonly [Field in keyof T]: T[Field] };

/** The published types mark what clients may not set as read-only; the hub is who sets it. */
export interface ObjectMeta
  extends Writable<Omit<KubeObjectMeta, 'managedFields' | 'creationTimestamp' | 'deletionTimestamp'>> {
  creationTimestamp?: string;
  deletionTimestamp?: string;
  managedFields?: ManagedFieldsEntry[];
}

/**
 * Any Kubernetes object. What the registry returns is complete (name, uid, resourceVersion …) and is never
 * changed afterwards; to change an object, copy it first.
 */
export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
  spec?: unknown;
  status?: unknown;
  [field: string]: unknown;
}

/** The name that identifies an object in logs and queues: `namespace/name`, or `name` where there is no namespace. */
export function objectKey(object: { metadata: ObjectMeta }): string {
  const { namespace, name = '' } = object.metadata;
  return namespace ? `${namespace}/${name}` : name;
}

/**
 * The order of lists, by objects' keys: namespace, then name. The slash
 * would sort after `-` and `.`, so the parts are compared.
 */
export function compareKeys(a: string, b: string): number {
  const [aFirst = '', aSecond = ''] = a.split('/');
  const [bFirst = '', bSecond = ''] = b.split('/');
  return compareText(aFirst, bFirst) || compareText(aSecond, bSecond);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The owner that manages this object, if one does. */
export function controllerOf(object: { metadata: ObjectMeta }): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find((owner) => owner.controller);
}

/**
 * What a record has under a key that a client chose. Every object also has what it inherits: a label named `constructor`
 * is there only if somebody set it.
 */
export function ownValue<T>(record: Readonly<Record<string, T>> | undefined, key: string): T | undefined {
  return record && Object.hasOwn(record, key) ? record[key] : undefined;
}
