import { alreadyExists, conflict, invalid, notFound, noUniqueName } from '../resources/api-error.ts';
import { apiVersionOf, type ResourceDefinition } from '../resources/definition.ts';
import type { KubeObject, ManagedFieldsEntry } from '../resources/object.ts';
import { formatTime } from '../resources/time.ts';
import type { Store } from '../store/store.ts';
import { ADMIT_ALL, type Admission, type AdmissionRequest } from './admission.ts';
import { connectionRequest, deletionRequest, writeRequest } from './admission-requests.ts';
import { historyOf } from './history.ts';
import { matches } from './object-cache.ts';
import { read } from './object-events.ts';
import {
  checkNamespace,
  endingObject,
  isRemovable,
  isUnchanged,
  newObject,
  updatedObject,
} from './object-lifecycle.ts';
import { itemsBefore } from './past.ts';
import type {
  Connection,
  DeleteOptions,
  ListOptions,
  ObjectList,
  Registry,
  UpdateOptions,
  WriteOptions,
} from './registry.ts';
import { Shelves } from './shelves.ts';
import { putObject, removeObject } from './store-writes.ts';
import { Watches } from './watches.ts';

/**
 * How often a write that names no resourceVersion tries again when another one comes between. With each round one of
 * those that write the same object is done: so many may write it at once, and none of them is refused for it.
 */
const WRITE_ATTEMPTS = 1000;
const NAME_ATTEMPTS = 8;

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

/** The Registry on a Store: reads and watches are of what `Shelves` keep in memory; here is what writes mean. */
export class StoreRegistry implements Registry {
  /** The cluster's policies, which themselves need the registry. */
  admission: Admission = ADMIT_ALL;
  readonly #store: Store;
  readonly #trackFields: StoreRegistryOptions['trackFields'];
  readonly #now: () => number;
  readonly #shelves: Shelves;
  readonly #watches: Watches;
  readonly #namespaces: ResourceDefinition | undefined;

  constructor({ store, definitions, trackFields, now = Date.now }: StoreRegistryOptions) {
    this.#store = store;
    this.#trackFields = trackFields;
    this.#now = now;
    this.#namespaces = definitions.find(({ group, plural }) => group === '' && plural === 'namespaces');
    this.#shelves = new Shelves(store, definitions);
    this.#watches = new Watches(store, this.#shelves);
  }

  get definitions(): readonly ResourceDefinition[] {
    return this.#shelves.definitions;
  }

  get revision(): number {
    return this.#store.revision;
  }

  close(): void {
    this.#shelves.close();
  }

  get(resource: ResourceDefinition, namespace: string | undefined, name: string): KubeObject | undefined {
    return this.#shelves.of(resource).cache.get(namespace, name);
  }

  list(resource: ResourceDefinition, selection: ListOptions = {}): ObjectList {
    const { atRevision = this.revision } = selection;
    const shelf = this.#shelves.of(resource);
    if (atRevision === this.revision) return { items: shelf.cache.list(selection), revision: this.revision };
    const items = itemsBefore({
      items: shelf.cache.list(),
      prefix: shelf.prefix,
      changes: historyOf(this.#store, shelf.prefix, atRevision),
      decode: ({ value, revision }) => read(shelf.resource, value, revision),
    });
    return { items: items.filter((object) => matches(object, selection)), revision: atRevision };
  }

  count(resource: ResourceDefinition): number {
    return this.#shelves.of(resource).cache.size;
  }

  byIndex(resource: ResourceDefinition, index: string, value: string): readonly KubeObject[] {
    return this.#shelves.of(resource).cache.byIndex(index, value);
  }

  dependentsOf(uid: string): readonly { resource: ResourceDefinition; object: KubeObject }[] {
    return this.#shelves.owners.dependentsOf(uid);
  }

  watch(...watch: Parameters<Registry['watch']>): () => void {
    return this.#watches.watch(...watch);
  }

  watchAll(...watch: Parameters<Registry['watchAll']>): () => void {
    return this.#watches.watchAll(...watch);
  }

  /**
   * Serves these besides the built-in resources, and no others. Definitions of before that are among them are left
   * alone; one that replaces another of the same group and plural takes over its objects and watches.
   */
  serveCustom(custom: readonly ResourceDefinition[]): void {
    this.#shelves.serveCustom(custom);
  }

  async create(resource: ResourceDefinition, given: KubeObject, options: WriteOptions): Promise<KubeObject> {
    if (resource.namespaced && this.#namespaces) {
      const namespace = this.get(this.#namespaces, undefined, given.metadata.namespace ?? '');
      checkNamespace(resource, given, namespace);
    }
    const generated = !given.metadata.name && given.metadata.generateName !== undefined;
    for (let attempt = 1; ; attempt += 1) {
      const request = (object: KubeObject) => writeRequest(resource, object, undefined, options);
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
        ? await removeObject(this.#store, resource, current, object)
        : await this.#put(resource, current, object);
      if (stored) return { object: stored, removed };
    }
    throw conflict(resource, name);
  }

  checkConnection(resource: ResourceDefinition, connection: Connection): void {
    this.admission.checkConnection(connectionRequest(resource, connection));
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
    return this.#admitted(writeRequest(resource, object, current, options), async () => {
      if (options.dryRun) return object;
      return isRemovable(resource, object)
        ? removeObject(this.#store, resource, current, object)
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

  /** What is then stored; undefined if somebody wrote it since `current`. */
  async #put(
    resource: ResourceDefinition,
    current: KubeObject | undefined,
    object: KubeObject,
  ): Promise<KubeObject | undefined> {
    const written = await putObject(this.#store, resource, current, object);
    if (!written) return undefined;
    const { value, revision } = written;
    const { namespace, name = '' } = object.metadata;
    const stored = this.get(resource, namespace, name);
    // Another write may already have followed: the answer is the state that this one made.
    return stored?.metadata.resourceVersion === String(revision) ? stored : read(resource, value, revision);
  }
}
