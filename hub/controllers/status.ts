import type { Registry, UpdateOptions } from '../registry/registry.ts';
import { notFound } from '../resources/api-error.ts';
import type { ResourceDefinition } from '../resources/definition.ts';
import type { KubeObject } from '../resources/object.ts';
import { sameJson } from '../schema/json-type.ts';
import { unlessGone } from './controller.ts';

/**
 * Writes a status that was computed from `object`, if it differs. Refused with a conflict when the object was written
 * since: the sync that this write woke will compute it again.
 */
export async function writeStatus(
  registry: Registry,
  resource: ResourceDefinition,
  object: KubeObject,
  status: object,
  fieldManager: string,
): Promise<void> {
  if (sameJson(object.status ?? {}, status)) return;
  await registry.update(resource, { ...object, status }, { fieldManager, subresource: 'status' });
}

/**
 * Changes the newest state of an object that was read before. Returns what is then stored; undefined when the object
 * is gone, another one has its name, or the change was refused with a conflict.
 */
export async function changeExisting(
  registry: Registry,
  resource: ResourceDefinition,
  { metadata: { namespace, name = '', uid } }: KubeObject,
  change: (current: KubeObject) => KubeObject,
  options: UpdateOptions,
): Promise<KubeObject | undefined> {
  const changeNewest = (current: KubeObject | undefined) => {
    if (current?.metadata.uid !== uid || !current) throw notFound(resource, name);
    return change(current);
  };
  const written = await unlessGone(registry.modify(resource, namespace, name, changeNewest, options));
  return written?.object;
}
