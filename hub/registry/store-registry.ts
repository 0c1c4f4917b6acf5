import {
  ApiError,
  alreadyExists,
  badRequest,
  conflict,
  entityTooLarge,
  expired,
  invalid,
  notFound,
  noUniqueName,
} from '../resources/api-error.ts';
import { apiVersionOf, type ResourceDefinition } from '../resources/definition.ts';
import type { KubeObject, ManagedFieldsEntry } from '../resources/object.ts';
import { formatTime } from '../resources/time.ts';
import { type Change, CompactedError, type Store, StoreWriteError } from '../store/store.ts';
import { ADMIT_ALL, type Admission, type AdmissionRequest } from './admission.ts';
import { matches, ObjectCache } from './object-cache.ts';
import { eventOf, read, selectedEvent } from './object-events.ts';
import {
  checkNamespace,
  endingObject,
  isRemovable,
  isUnchanged,
  newObject,
  updatedObject,
} from './object-lifecycle.ts';
import { OwnerIndex } from './owner-index.ts';
import { itemsBefore } from './past.ts';
import type {
  Connection,
  DeleteOptions,
  ListOptions,
  ObjectList,
  Registry,
  Selection,
  UpdateOptions,
  WatchEvent,
  WatchOptions,
  WriteOptions,
} from './registry.ts';
import { encode, prefixOf, storageKey } from './storage-key.ts';

/** How often a write that names no resourceVersion tries again when another one comes between. */
const WRITE_ATTEMPTS = 8;
const NAME_ATTEMPTS = 8;
/** The largest object that etcd takes by default, so that none grows here that has no place in another cluster. */
const OBJECT_LIMIT_BYTES = 1.5 * 1024 * 1024;

/** One ordinary write, for managedFields: what was there, what will be, and who writes. */
export interface TrackedWrite {
  readonly resource: ResourceDefinition;
  readonly live: KubeObject | undefined;
  readonly next: KubeObject;
  readonly manager: string;
  readonly subresource: string | undefined;
  /** RFC 3339. */
  readonly time: string;
}

export interface StoreRegistryOptions {
  readonly store: Store;
  readonly definitions: readonly ResourceDefinition[];
  /** The managedFields after an ordinary write. */
  readonly trackFields: (write: TrackedWrite) => ManagedFieldsEntry[] | undefined;
  readonly now?: () => number;
}

interface Shelf {
  /** The newest definition: that of a custom resource may change. */
  resource: ResourceDefinition;
  readonly prefix: string;
  cache: ObjectCache;
  readonly watchers: Set<Deliver>;
  /** Told when the shelf is taken down. */
  readonly onGone: Set<() => void>;
}

/** Somebody who watches many resources, and the watches that this takes, by prefix. */
interface Overseer {
  readonly select: (resource: ResourceDefinition) => boolean;
  readonly listener: (resource: ResourceDefinition, event: WatchEvent) => void;
  readonly selection: Selection;
  readonly ends: Map<string, () => void>;
}

/** The Registry on a Store: objects are decoded once, kept in memory, and follow the store's commits. */
export class StoreRegistry implements Registry {
  definitions: readonly ResourceDefinition[];
  /** The cluster's policies, which themselves need the registry. */
  admission: Admission = ADMIT_ALL;
  readonly #store: Store;
  readonly #trackFields: StoreRegistryOptions['trackFields'];
  readonly #now: () => number;
  readonly #builtIn: readonly ResourceDefinition[];
  #custom: readonly ResourceDefinition[] = [];
  readonly #overseers = new Set<Overseer>();
  readonly #shelves = new WeakMap<ResourceDefinition, Shelf>(); // also of definitions that others still hold
  readonly #shelfByPrefix = new Map<string, Shelf>();
  readonly #owners = new OwnerIndex();
  readonly #unsubscribe: () => void;
  readonly #namespaces: ResourceDefinition | undefined;

  constructor({ store, definitions, trackFields, now = Date.now }: StoreRegistryOptions) {
    this.#store = store;
    this.definitions = definitions;
    this.#builtIn = definitions;
    this.#trackFields = trackFields;
    this.#now = now;
    this.#namespaces = definitions.find(({ group, plural }) => group === '' && plural === 'namespaces');
    for (const resource of definitions) this.#load(resource);
    this.#unsubscribe = store.subscribe((changes) => this.#follow(changes));
  }

  get revision(): number {
    return this.#store.revision;
  }

  close(): void {
    this.#unsubscribe();
  }

  get(resource: ResourceDefinition, namespace: string | undefined, name: string): KubeObject | undefined {
    return this.#shelf(resource).cache.get(namespace, name);
  }

  list(resource: ResourceDefinition, selection: ListOptions = {}): ObjectList {
    const { atRevision = this.revision } = selection;
    const shelf = this.#shelf(resource);
    if (atRevision === this.revision) return { items: shelf.cache.list(selection), revision: this.revision };
    const items = itemsBefore({
      items: shelf.cache.list(),
      prefix: shelf.prefix,
      changes: this.#history(shelf, atRevision),
      decode: ({ value, revision }) => read(shelf.resource, value, revision),
    });
    return { items: items.filter((object) => matches(object, selection)), revision: atRevision };
  }

  count(resource: ResourceDefinition): number {
    return this.#shelf(resource).cache.size;
  }

  byIndex(resource: ResourceDefinition, index: string, value: string): readonly KubeObject[] {
    return this.#shelf(resource).cache.byIndex(index, value);
  }

  dependentsOf(uid: string): readonly { resource: ResourceDefinition; object: KubeObject }[] {
    return this.#owners.dependentsOf(uid);
  }

  watch(
    resource: ResourceDefinition,
    options: WatchOptions,
    listener: (event: WatchEvent) => void,
  ): () => void {
    const shelf = this.#shelf(resource);
    const deliver = (event: WatchEvent, previous?: KubeObject) => {
      const seen = event.type === 'SYNCED' ? event : selectedEvent(event, previous, options);
      if (seen) listener(seen);
    };
    const { onGone } = options;
    if (options.fromRevision === undefined) {
      for (const object of shelf.cache.list(options)) {
        listener({ type: 'ADDED', object, revision: Number(object.metadata.resourceVersion) });
      }
      listener({ type: 'SYNCED', revision: this.revision });
    } else {
      for (const change of this.#history(shelf, options.fromRevision)) {
        const { previous: before } = change;
        const previous = before && read(shelf.resource, before.value, before.revision);
        deliver(eventOf(shelf.resource, change, previous), previous);
      }
    }
    shelf.watchers.add(deliver);
    if (onGone) shelf.onGone.add(onGone);
    return () => {
      shelf.watchers.delete(deliver);
      if (onGone) shelf.onGone.delete(onGone);
    };
  }

  watchAll(
    select: Overseer['select'],
    listener: Overseer['listener'],
    selection: Selection = {},
  ): () => void {
    const overseer: Overseer = { select, listener, selection, ends: new Map() };
    this.#overseers.add(overseer);
    for (const resource of this.definitions) this.#oversee(overseer, this.#shelf(resource));
    return () => {
      this.#overseers.delete(overseer);
      for (const end of overseer.ends.values()) end();
    };
  }

  /**
   * Serves these besides the built-in resources, and no others. Definitions of before that are among them are left
   * alone; one that replaces another of the same group and plural takes over its objects and watches.
   */
  serveCustom(custom: readonly ResourceDefinition[]): void {
    const before = new Map(this.#custom.map((resource) => [prefixOf(resource), resource]));
    this.#custom = custom;
    this.definitions = [...this.#builtIn, ...custom];
    for (const resource of custom) {
      const prefix = prefixOf(resource);
      const old = before.get(prefix);
      before.delete(prefix);
      if (old === resource) continue;
      if (old) this.#replace(this.#shelf(old), resource);
      else this.#load(resource);
    }
    for (const prefix of before.keys()) this.#takeDown(prefix);
  }

  #oversee({ select, listener, selection, ends }: Overseer, shelf: Shelf): void {
    if (ends.has(shelf.prefix) || !select(shelf.resource)) return;
    ends.set(shelf.prefix, () => undefined); // the listener may define resources
    ends.set(
      shelf.prefix,
      this.watch(shelf.resource, selection, (event) => listener(shelf.resource, event)),
    );
  }

  async create(resource: ResourceDefinition, given: KubeObject, options: WriteOptions): Promise<KubeObject> {
    if (resource.namespaced && this.#namespaces) {
      const namespace = this.get(this.#namespaces, undefined, given.metadata.namespace ?? '');
      checkNamespace(resource, given, namespace);
    }
    const generated = !given.metadata.name && given.metadata.generateName !== undefined;
    for (let attempt = 1; ; attempt += 1) {
      const request = (object: KubeObject) => admissionRequest(resource, object, undefined, options);
      const form = options.as ?? resource;
      const object = newObject(form, given, this.#now(), options.requester, (defaulted) =>
        this.admission.complete(request(defaulted)),
      );
      if (options.as) object.apiVersion = apiVersionOf(resource);
      if (!options.tracked) this.#track(resource, undefined, object, options, undefined);
      const stored = await this.#admitted(request(object), () => this.#tryCreate(resource, object, options));
      if (stored) return stored;
      if (!generated) throw alreadyExists(resource, object.metadata.name ?? '');
      if (attempt >= NAME_ATTEMPTS) throw noUniqueName(resource, object.metadata.name ?? '');
    }
  }

  async update(resource: ResourceDefinition, given: KubeObject, options: UpdateOptions): Promise<KubeObject> {
    const { namespace, name = '' } = given.metadata;
    const change = (current: KubeObject | undefined) => {
      if (!current && !resource.createOnUpdate) throw notFound(resource, name);
      return given;
    };
    const { object } = await this.modify(resource, namespace, name, change, options);
    return object;
  }

  async modify(
    resource: ResourceDefinition,
    namespace: string | undefined,
    name: string,
    change: (current: KubeObject | undefined) => KubeObject,
    options: UpdateOptions,
  ): Promise<{ object: KubeObject; created: boolean }> {
    for (let attempt = 1; attempt <= WRITE_ATTEMPTS; attempt += 1) {
      const current = this.get(resource, namespace, name);
      const given = change(current);
      if (!current) return { object: await this.create(resource, given, options), created: true };
      if (given === current) return { object: current, created: false };
      const object = await this.#tryUpdate(resource, current, given, options);
      if (object) return { object, created: false };
    }
    throw conflict(resource, name);
  }

  async delete(
    resource: ResourceDefinition,
    namespace: string | undefined,
    name: string,
    options: DeleteOptions,
  ): Promise<{ object: KubeObject; removed: boolean }> {
    for (let attempt = 1; attempt <= WRITE_ATTEMPTS; attempt += 1) {
      const current = this.get(resource, namespace, name);
      if (!current) throw notFound(resource, name);
      this.admission.checkDeletion(deletionRequest(resource, current, options));
      const object = endingObject(resource, current, options, this.#now());
      const removed = isRemovable(resource, object);
      if (options.dryRun || (!removed && isUnchanged(object, current))) return { object, removed };
      const stored = removed
        ? await this.#remove(resource, current, object)
        : await this.#put(resource, current, object);
      if (stored) return { object: stored, removed };
    }
    throw conflict(resource, name);
  }

  checkConnection(resource: ResourceDefinition, { options: object, ...connection }: Connection): void {
    const request = { operation: 'CONNECT', resource, object, old: undefined, dryRun: false } as const;
    this.admission.checkConnection({ ...request, ...connection });
  }

  async #tryCreate(
    resource: ResourceDefinition,
    object: KubeObject,
    options: WriteOptions,
  ): Promise<KubeObject | undefined> {
    const { namespace, name = '' } = object.metadata;
    if (!name) {
      throw invalid(resource.group, resource.kind, '', [
        {
          reason: 'FieldValueRequired',
          field: 'metadata.name',
          message: 'Required value: name or generateName is required',
        },
      ]);
    }
    if (options.dryRun) return this.get(resource, namespace, name) ? undefined : object;
    return this.#put(resource, undefined, object);
  }

  async #tryUpdate(
    resource: ResourceDefinition,
    current: KubeObject,
    given: KubeObject,
    options: UpdateOptions,
  ): Promise<KubeObject | undefined> {
    const object = updatedObject(options.as ?? resource, current, given, options.subresource, this.#now());
    if (options.as) object.apiVersion = apiVersionOf(resource);
    if (!options.tracked) this.#track(resource, current, object, options, options.subresource);
    if (isUnchanged(object, current)) return current;
    return this.#admitted(admissionRequest(resource, object, current, options), async () => {
      if (options.dryRun) return object;
      return isRemovable(resource, object)
        ? this.#remove(resource, current, object)
        : this.#put(resource, current, object);
    });
  }

  /** Writes what the policies let through; what it takes of their bounds is taken until it is stored, or is not. */
  async #admitted<T>(request: AdmissionRequest, write: () => Promise<T>): Promise<T> {
    const over = this.admission.check(request);
    try {
      return await write();
    } finally {
      over();
    }
  }

  #track(
    resource: ResourceDefinition,
    live: KubeObject | undefined,
    next: KubeObject,
    { fieldManager: manager }: WriteOptions,
    subresource: string | undefined,
  ): void {
    const entries = this.#trackFields({
      resource,
      live,
      next,
      manager,
      subresource,
      time: formatTime(this.#now()),
    });
    if (entries?.length) next.metadata.managedFields = entries;
    else delete next.metadata.managedFields;
  }

  /** Stores the object if nobody wrote it since `current`; undefined if somebody did. */
  async #put(
    resource: ResourceDefinition,
    current: KubeObject | undefined,
    object: KubeObject,
  ): Promise<KubeObject | undefined> {
    const { namespace, name = '' } = object.metadata;
    const key = storageKey(resource, namespace, name);
    const value = encode(object);
    checkSize(value);
    const revision = await this.#commit(key, Number(current?.metadata.resourceVersion ?? 0), value);
    if (revision === undefined) return undefined;
    const stored = this.get(resource, namespace, name);
    // Another write may already have followed: the answer is the state that this one made.
    return stored?.metadata.resourceVersion === String(revision) ? stored : read(resource, value, revision);
  }

  async #remove(
    resource: ResourceDefinition,
    current: KubeObject,
    object: KubeObject,
  ): Promise<KubeObject | undefined> {
    const { namespace, name = '' } = current.metadata;
    const key = storageKey(resource, namespace, name);
    const revision = await this.#commit(key, Number(current.metadata.resourceVersion), undefined);
    return revision === undefined ? undefined : read(resource, encode(object), revision);
  }

  /** The revision of the write; undefined when the key is not at `expected` any more. */
  async #commit(key: string, expected: number, value: string | undefined): Promise<number | undefined> {
    try {
      return (await this.#store.commit([{ key, revision: expected }], [{ key, value }])).revision;
    } catch (error) {
      if (!(error instanceof StoreWriteError)) throw error;
      throw new ApiError(
        500,
        'InternalError',
        `${error.message} Free space on the hub's data directory.`,
        undefined,
        {
          cause: error,
        },
      );
    }
  }

  #load(resource: ResourceDefinition): void {
    const shelf: Shelf = {
      resource,
      prefix: prefixOf(resource),
      cache: new ObjectCache(resource),
      watchers: new Set(),
      onGone: new Set(),
    };
    this.#shelfByPrefix.set(shelf.prefix, shelf);
    this.#fill(shelf);
    for (const overseer of this.#overseers) this.#oversee(overseer, shelf);
  }

  #fill(shelf: Shelf): void {
    const { resource, prefix, cache } = shelf;
    this.#shelves.set(resource, shelf);
    for (const { value, revision } of this.#store.list(prefix)) {
      const object = read(resource, value, revision);
      cache.put(object);
      this.#owners.put(resource, object);
    }
  }

  /** What is stored may mean something else by the new definition. */
  #replace(shelf: Shelf, resource: ResourceDefinition): void {
    for (const object of shelf.cache.list()) this.#owners.remove(object);
    shelf.resource = resource;
    shelf.cache = new ObjectCache(resource);
    this.#fill(shelf);
  }

  #takeDown(prefix: string): void {
    const shelf = this.#shelfByPrefix.get(prefix);
    if (!shelf) return;
    this.#shelfByPrefix.delete(prefix);
    this.#shelves.delete(shelf.resource);
    for (const object of shelf.cache.list()) this.#owners.remove(object);
    for (const overseer of this.#overseers) overseer.ends.delete(prefix);
    for (const tell of shelf.onGone) tell();
  }

  #follow(changes: readonly Change[]): void {
    for (const change of changes) {
      const shelf = this.#shelfByPrefix.get(shelfPrefix(change.key));
      if (!shelf) continue;
      const { namespace, name = '' } = nameOf(shelf, change.key);
      const previous = shelf.cache.get(namespace, name);
      const event = eventOf(shelf.resource, change, previous);
      if (previous) this.#owners.remove(previous);
      if (event.type === 'DELETED') {
        shelf.cache.remove(event.object);
      } else {
        shelf.cache.put(event.object);
        this.#owners.put(shelf.resource, event.object);
      }
      for (const deliver of shelf.watchers) deliver(event, previous);
    }
  }

  #history(shelf: Shelf, fromRevision: number): Change[] {
    if (fromRevision > this.revision) {
      throw new ApiError(
        504,
        'Timeout',
        `Too large resource version: ${fromRevision}, current: ${this.revision}`,
        {
          causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
          retryAfterSeconds: 1,
        },
      );
    }
    try {
      return this.#store.history(shelf.prefix, fromRevision);
    } catch (error) {
      if (!(error instanceof CompactedError)) throw error;
      throw expired(`too old resource version: ${fromRevision} (${error.compacted})`);
    }
  }

  #shelf(resource: ResourceDefinition): Shelf {
    const shelf = this.#shelves.get(resource) ?? this.#shelfByPrefix.get(prefixOf(resource));
    if (!shelf) throw badRequest(`"${resource.plural}" is not served`);
    return shelf;
  }
}

function admissionRequest(
  resource: ResourceDefinition,
  object: KubeObject,
  old: KubeObject | undefined,
  { subresource, requester, dryRun = false, warn = () => {} }: UpdateOptions,
): AdmissionRequest {
  return {
    operation: old ? 'UPDATE' : 'CREATE',
    resource,
    subresource,
    object,
    old,
    requester,
    dryRun,
    warn,
  };
}

function deletionRequest(
  resource: ResourceDefinition,
  object: KubeObject,
  { requester, dryRun = false, warn = () => {} }: DeleteOptions,
): AdmissionRequest {
  return {
    operation: 'DELETE',
    resource,
    subresource: undefined,
    object,
    old: object,
    requester,
    dryRun,
    warn,
  };
}

type Deliver = (event: WatchEvent, previous?: KubeObject) => void;

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

function checkSize(value: string): void {
  const sizeBytes = Buffer.byteLength(value);
  if (sizeBytes > OBJECT_LIMIT_BYTES)
    throw entityTooLarge(`the object has ${sizeBytes} bytes, limit is ${OBJECT_LIMIT_BYTES}`);
}
