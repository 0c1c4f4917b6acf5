import type { NodeObject } from '../resources/typed.ts';
import type { ObjectEvent } from './controller.ts';
import { isSamePlace } from './daemon-set/placement.ts';

/** Remembers each node as a place for pods: most changes of a node are its heartbeats, and concern nobody. */
export class NodePlaces {
  readonly #known = new Map<string, NodeObject>();

  /** The node before and after the event; nothing when it is the same place as before. */
  touchedBy({ type, object }: ObjectEvent): readonly NodeObject[] {
    const node = object as NodeObject;
    const name = node.metadata.name ?? '';
    const before = this.#known.get(name);
    if (type === 'DELETED') this.#known.delete(name);
    else this.#known.set(name, node);
    if (before && type !== 'DELETED' && isSamePlace(before, node)) return [];
    return before ? [before, node] : [node];
  }
}
