import type { ResourceDefinition } from '../resources/definition.ts';
import type { KubeObject } from '../resources/object.ts';
import type { Change } from '../store/store.ts';
import { matches } from './object-cache.ts';
import type { WatchEvent, WatchOptions } from './registry.ts';
import { decode } from './storage-key.ts';

/*
 * What changes of the store are to those who watch objects. Pure.
 */

export type ObjectEvent = Exclude<WatchEvent, { type: 'SYNCED' }>;

/** A stored object as its definition has it today. */
export function read(resource: ResourceDefinition, value: string, revision: number): KubeObject {
  const object = decode(value, revision);
  resource.readStored?.(object);
  return object;
}

export function eventOf(
  resource: ResourceDefinition,
  { key, value, revision }: Change,
  previous: KubeObject | undefined,
): ObjectEvent {
  if (value !== undefined) {
    return { type: previous ? 'MODIFIED' : 'ADDED', object: read(resource, value, revision), revision };
  }
  if (!previous) throw new Error(`revision ${revision} deletes "${key}", which never was`);
  return { type: 'DELETED', object: withRevision(previous, revision), revision };
}

/** A deleted object is last seen with the revision of its deletion. */
export function withRevision(object: KubeObject, revision: number): KubeObject {
  return { ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } };
}

/** The event as a watch with a selection sees it: an object that starts or stops to match comes or goes. */
export function selectedEvent(
  event: ObjectEvent,
  previous: KubeObject | undefined,
  selection: WatchOptions,
): ObjectEvent | undefined {
  const matchesNow = event.type !== 'DELETED' && matches(event.object, selection);
  const matchedBefore = previous !== undefined && matches(previous, selection);
  if (matchesNow) return { ...event, type: matchedBefore ? 'MODIFIED' : 'ADDED' };
  if (!matchedBefore || !previous) return undefined;
  return { type: 'DELETED', object: withRevision(previous, event.revision), revision: event.revision };
}
