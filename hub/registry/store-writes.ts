import { ApiError, entityTooLarge } from '../resources/api-error.ts';
import type { ResourceDefinition } from '../resources/definition.ts';
import type { KubeObject } from '../resources/object.ts';
import { type Store, StoreWriteError } from '../store/store.ts';
import { read } from './object-events.ts';
import { encode, storageKey } from './storage-key.ts';

/** The largest object that etcd takes by default, so that none grows here that has no place in another cluster. */
const OBJECT_LIMIT_BYTES = 1.5 * 1024 * 1024;

/** Stores the object if nobody wrote it since `current`; undefined if somebody did. */
export async function putObject(
  store: Store,
  resource: ResourceDefinition,
  current: KubeObject | undefined,
  object: KubeObject,
): Promise<{ value: string; revision: number } | undefined> {
  const { namespace, name = '' } = object.metadata;
  const value = encode(object);
  checkSize(value);
  const expected = Number(current?.metadata.resourceVersion ?? 0);
  const revision = await commit(store, storageKey(resource, namespace, name), expected, value);
  return revision === undefined ? undefined : { value, revision };
}

/** Removes the object, which was last seen as `current` and ends as `object`; undefined if somebody wrote it since. */
export async function removeObject(
  store: Store,
  resource: ResourceDefinition,
  current: KubeObject,
  object: KubeObject,
): Promise<KubeObject | undefined> {
  const { namespace, name = '', resourceVersion } = current.metadata;
  const key = storageKey(resource, namespace, name);
  const revision = await commit(store, key, Number(resourceVersion), undefined);
  return revision === undefined ? undefined : read(resource, encode(object), revision);
}

/** The revision of the write; undefined when the key is not at `expected` any more. */
async function commit(
  store: Store,
  key: string,
  expected: number,
  value: string | undefined,
): Promise<number | undefined> {
  try {
    return (await store.commit([{ key, revision: expected }], [{ key, value }])).revision;
  } catch (error) {
    if (!(error instanceof StoreWriteError)) throw error;
    const message = `${error.message} Free space on the hub's data directory.`;
    throw new ApiError(500, 'InternalError', message, undefined, { cause: error });
  }
}

function checkSize(value: string): void {
  const sizeBytes = Buffer.byteLength(value);
  if (sizeBytes > OBJECT_LIMIT_BYTES)
    throw entityTooLarge(`the object has ${sizeBytes} bytes, limit is ${OBJECT_LIMIT_BYTES}`);
}
