import { badRequest } from '../resources/api-error.ts';
import type { ResourceDefinition } from '../resources/definition.ts';
import type { KubeObject } from '../resources/object.ts';
import type { Change, Store } from '../store/store.ts';
import { ObjectCache } from './object-cache.ts';
import { eventOf, read } from './object-events.ts';
import { OwnerIndex } from './owner-index.ts';
import type { WatchEvent } from './registry.ts';
import { prefixOf } from './storage-key.ts';

export type Deliver = (event: WatchEvent, previous?: KubeObject) => void;

/** The objects of one resource, in memory. */
export interface Shelf {
  /** The newest definition: that of a custom resource may change. */
  resource: ResourceDefinition;
  readonly prefix: string;
  cache: ObjectCache;
  readonly watchers: Set<Deliver>;
  /** Told when the shelf is taken down. */
  readonly onGone: Set<() => void>;
}

/** Who must know which resources there are. */
export interface ShelfObserver {
  putUp(shelf: Shelf): void;
  takenDown(shelf: Shelf): void;
}

/** All objects: decoded once, kept in memory, they follow the store's commits. Custom resources come and go. */
export class Shelves {
  definitions: readonly ResourceDefinition[];
  readonly owners = new OwnerIndex();
  readonly #store: Store;
  readonly #builtIn: readonly ResourceDefinition[];
  #custom: readonly ResourceDefinition[] = [];
  #observer: ShelfObserver | undefined;
  readonly #shelves = new WeakMap<ResourceDefinition, Shelf>(); // also of definitions that others still hold
  readonly #byPrefix = new Map<string, Shelf>();
  readonly #unsubscribe: () => void;

  constructor(store: Store, definitions: readonly ResourceDefinition[]) {
    this.#store = store;
    this.definitions = definitions;
    this.#builtIn = definitions;
    for (const resource of definitions) this.#load(resource);
    this.#unsubscribe = store.subscribe((changes) => this.#follow(changes));
  }

  close(): void {
    this.#unsubscribe();
  }

  /** Tells of resources that come and go from now on. */
  observe(observer: ShelfObserver): void {
    this.#observer = observer;
  }

  /** Throws 400 for a resource that is not served. */
  of(resource: ResourceDefinition): Shelf {
    const shelf = this.#shelves.get(resource) ?? this.#byPrefix.get(prefixOf(resource));
    if (!shelf) throw badRequest(`"${resource.plural}" is not served`);
    return shelf;
  }

  /** See `StoreRegistry.serveCustom`. */
  serveCustom(custom: readonly ResourceDefinition[]): void {
    const before = new Map(this.#custom.map((resource) => [prefixOf(resource), resource]));
    this.#custom = custom;
    this.definitions = [...this.#builtIn, ...custom];
    for (const resource of custom) {
      const prefix = prefixOf(resource);
      const old = before.get(prefix);
      before.delete(prefix);
      if (old === resource) continue;
      if (old) this.#replace(this.of(old), resource);
      else this.#load(resource);
    }
    for (const prefix of before.keys()) this.#takeDown(prefix);
  }

  #load(resource: ResourceDefinition): void {
    const shelf: Shelf = {
      resource,
      prefix: prefixOf(resource),
      cache: new ObjectCache(resource),
      watchers: new Set(),
      onGone: new Set(),
    };
    this.#byPrefix.set(shelf.prefix, shelf);
    this.#fill(shelf);
    this.#observer?.putUp(shelf);
  }

  #fill(shelf: Shelf): void {
    const { resource, prefix, cache } = shelf;
    this.#shelves.set(resource, shelf);
    for (const { value, revision } of this.#store.list(prefix)) {
      const object = read(resource, value, revision);
      cache.put(object);
      this.owners.put(resource, object);
    }
  }

  /** What is stored may mean something else by the new definition. */
  #replace(shelf: Shelf, resource: ResourceDefinition): void {
    for (const object of shelf.cache.list()) this.owners.remove(object);
    shelf.resource = resource;
    shelf.cache = new ObjectCache(resource);
    this.#fill(shelf);
  }

  #takeDown(prefix: string): void {
    const shelf = this.#byPrefix.get(prefix);
    if (!shelf) return;
    this.#byPrefix.delete(prefix);
    this.#shelves.delete(shelf.resource);
    for (const object of shelf.cache.list()) this.owners.remove(object);
    this.#observer?.takenDown(shelf);
    for (const tell of shelf.onGone) tell();
  }

  #follow(changes: readonly Change[]): void {
    for (const change of changes) {
      const shelf = this.#byPrefix.get(shelfPrefix(change.key));
      if (!shelf) continue;
      const { namespace, name = '' } = nameOf(shelf, change.key);
      const previous = shelf.cache.get(namespace, name);
      const event = eventOf(shelf.resource, change, previous);
      if (previous) this.owners.remove(previous);
      if (event.type === 'DELETED') {
        shelf.cache.remove(event.object);
      } else {
        shelf.cache.put(event.object);
        this.owners.put(shelf.resource, event.object);
      }
      for (const deliver of shelf.watchers) deliver(event, previous);
    }
  }
}

function nameOf(shelf: Shelf, key: string): { namespace?: string; name?: string } {
  const [first, second] = key.slice(shelf.prefix.length).split('/');
  if (second !== undefined) return { namespace: first ?? '', name: second };
  return first === undefined ? {} : { name: first };
}

/** `/registry/apps/deployments/default/web` → `/registry/apps/deployments/`. */
function shelfPrefix(key: string): string {
  const [, root, group, plural] = key.split('/', 4);
  return `/${root}/${group}/${plural}/`;
}
