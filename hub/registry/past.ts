import { compareKeys, type KubeObject, objectKey } from '../resources/object.ts';
import type { Change, Entry } from '../store/store.ts';

/** Objects as they are now, and how to come from there to what was. */
export interface Present {
  readonly items: readonly KubeObject[];
  /** What the keys of these objects begin with in the store. */
  readonly prefix: string;
  /** All that happened below the prefix since, in order. */
  readonly changes: readonly Change[];
  readonly decode: (entry: Entry) => KubeObject;
}

/** The objects before the changes, in the order of lists. */
export function itemsBefore({ items, prefix, changes, decode }: Present): KubeObject[] {
  const before = new Map<string, Entry | undefined>();
  for (const { key, previous } of changes) if (!before.has(key)) before.set(key, previous);
  const untouched = items.filter((object) => !before.has(prefix + objectKey(object)));
  const changed = [...before.values()].flatMap((entry) => (entry ? [decode(entry)] : []));
  return [...untouched, ...changed].sort((a, b) => compareKeys(objectKey(a), objectKey(b)));
}
