import type { ResourceDefinition } from '../resources/definition.ts';
import type { KubeObject } from '../resources/object.ts';
import type { Store } from '../store/store.ts';
import { historyOf } from './history.ts';
import { eventOf, read, selectedEvent } from './object-events.ts';
import type { Selection, WatchEvent, WatchOptions } from './registry.ts';
import type { Shelf, Shelves } from './shelves.ts';

/** Somebody who watches many resources, and the watches that this takes, by prefix. */
interface Overseer {
  readonly select: (resource: ResourceDefinition) => boolean;
  readonly listener: (resource: ResourceDefinition, event: WatchEvent) => void;
  readonly selection: Selection;
  readonly ends: Map<string, () => void>;
}

/** Who is told what changes: of one resource, or of all that there are and will be. */
export class Watches {
  readonly #store: Store;
  readonly #shelves: Shelves;
  readonly #overseers = new Set<Overseer>();

  constructor(store: Store, shelves: Shelves) {
    this.#store = store;
    this.#shelves = shelves;
    shelves.observe({
      putUp: (shelf) => {
        for (const overseer of this.#overseers) this.#oversee(overseer, shelf);
      },
      takenDown: ({ prefix }) => {
        for (const { ends } of this.#overseers) ends.delete(prefix);
      },
    });
  }

  /** See `Registry`. */
  watch(
    resource: ResourceDefinition,
    options: WatchOptions,
    listener: (event: WatchEvent) => void,
  ): () => void {
    const shelf = this.#shelves.of(resource);
    const deliver = (event: WatchEvent, previous?: KubeObject) => {
      const seen = event.type === 'SYNCED' ? event : selectedEvent(event, previous, options);
      if (seen) listener(seen);
    };
    const { onGone } = options;
    if (options.fromRevision === undefined) {
      for (const object of shelf.cache.list(options)) {
        listener({ type: 'ADDED', object, revision: Number(object.metadata.resourceVersion) });
      }
      listener({ type: 'SYNCED', revision: this.#store.revision });
    } else {
      for (const change of historyOf(this.#store, shelf.prefix, options.fromRevision)) {
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

  /** See `Registry`. */
  watchAll(
    select: Overseer['select'],
    listener: Overseer['listener'],
    selection: Selection = {},
  ): () => void {
    const overseer: Overseer = { select, listener, selection, ends: new Map() };
    this.#overseers.add(overseer);
    for (const resource of this.#shelves.definitions) this.#oversee(overseer, this.#shelves.of(resource));
    return () => {
      this.#overseers.delete(overseer);
      for (const end of overseer.ends.values()) end();
    };
  }

  #oversee({ select, listener, selection, ends }: Overseer, shelf: Shelf): void {
    if (ends.has(shelf.prefix) || !select(shelf.resource)) return;
    ends.set(shelf.prefix, () => undefined); // the listener may define resources
    ends.set(
      shelf.prefix,
      this.watch(shelf.resource, selection, (event) => listener(shelf.resource, event)),
    );
  }
}
