import type { ResourceDefinition } from '../resources/definition.ts';
import { compareKeys, type KubeObject, objectKey } from '../resources/object.ts';
import type { Selection } from './registry.ts';

/** All objects of one resource, in memory, with the indexes that its definition names. */
export class ObjectCache {
  readonly #objects = new Map<string, KubeObject>();
  readonly #indexes: readonly Index[];
  #sortedKeys: string[] | undefined; // made when first asked for; dropped when a key comes or goes

  constructor(resource: ResourceDefinition) {
    this.#indexes = Object.entries(resource.indexes ?? {}).map(([name, values]) => new Index(name, values));
  }

  get(namespace: string | undefined, name: string): KubeObject | undefined {
    return this.#objects.get(namespace ? `${namespace}/${name}` : name);
  }

  get size(): number {
    return this.#objects.size;
  }

  put(object: KubeObject): void {
    const key = objectKey(object);
    const old = this.#objects.get(key);
    if (!old) this.#sortedKeys = undefined;
    this.#objects.set(key, object);
    for (const index of this.#indexes) index.replace(key, old, object);
  }

  remove(object: KubeObject): void {
    const key = objectKey(object);
    const old = this.#objects.get(key);
    if (!old) return;
    this.#sortedKeys = undefined;
    this.#objects.delete(key);
    for (const index of this.#indexes) index.replace(key, old, undefined);
  }

  list(selection: Selection = {}): KubeObject[] {
    return this.#candidates(selection).filter((object) => matches(object, selection));
  }

  byIndex(name: string, value: string): KubeObject[] {
    const index = this.#indexes.find((candidate) => candidate.name === name);
    if (!index) throw new Error(`no index "${name}"`);
    return index.keys(value).flatMap((key) => this.#objects.get(key) ?? []);
  }

  #candidates({ namespace, name }: Selection): KubeObject[] {
    if (name !== undefined && namespace !== undefined) {
      const object = this.get(namespace, name);
      return object ? [object] : [];
    }
    this.#sortedKeys ??= [...this.#objects.keys()].sort(compareKeys);
    return this.#sortedKeys.flatMap((key) => this.#objects.get(key) ?? []);
  }
}

/** Whether a selection covers the object. */
export function matches(object: KubeObject, { namespace, name, matches: extra }: Selection): boolean {
  if (namespace !== undefined && object.metadata.namespace !== namespace) return false;
  if (name !== undefined && object.metadata.name !== name) return false;
  return extra?.(object) ?? true;
}

class Index {
  readonly name: string;
  readonly #values: (object: KubeObject) => readonly string[];
  readonly #keys = new Map<string, Set<string>>();

  constructor(name: string, values: (object: KubeObject) => readonly string[]) {
    this.name = name;
    this.#values = values;
  }

  keys(value: string): string[] {
    return [...(this.#keys.get(value) ?? [])];
  }

  replace(key: string, old: KubeObject | undefined, object: KubeObject | undefined): void {
    for (const value of old ? this.#values(old) : []) {
      const keys = this.#keys.get(value);
      keys?.delete(key);
      if (keys?.size === 0) this.#keys.delete(value);
    }
    for (const value of object ? this.#values(object) : []) {
      const keys = this.#keys.get(value) ?? new Set();
      this.#keys.set(value, keys.add(key));
    }
  }
}
