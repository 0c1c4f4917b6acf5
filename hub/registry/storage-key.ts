import type { ResourceDefinition } from '../resources/definition.ts';
import type { KubeObject } from '../resources/object.ts';
import { shareFields } from './shared-fields.ts';

/** Where a resource's objects are in the store: `/registry/apps/deployments/`. Versions share it. */
export function prefixOf({ group, plural }: ResourceDefinition): string {
  return `/registry/${group || 'core'}/${plural}/`;
}

export function storageKey(
  resource: ResourceDefinition,
  namespace: string | undefined,
  name: string,
): string {
  return prefixOf(resource) + (namespace ? `${namespace}/${name}` : name);
}

/** The stored form has no resourceVersion: that is the revision it is stored under. */
export function encode(object: KubeObject): string {
  const { resourceVersion: _, ...metadata } = object.metadata;
  return JSON.stringify({ ...object, metadata });
}

export function decode(value: string, revision: number): KubeObject {
  const object = JSON.parse(value) as KubeObject;
  object.metadata.resourceVersion = String(revision);
  shareFields(object);
  return object;
}
