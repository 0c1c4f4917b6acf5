import { sameJson } from '../schema/json-type.ts';
import type { PodDemand } from './pod-demand.ts';

interface Parked {
  readonly demand: PodDemand;
  /** Its message may no longer be true. */
  isStale: boolean;
}

/** Which pods wait for a decision, and which for something to change. */
export class SchedulingQueue {
  readonly #active = new Map<string, PodDemand>();
  readonly #parked = new Map<string, Parked>();

  get hasActive(): boolean {
    return this.#active.size > 0;
  }

  /** The most important first. */
  get parked(): readonly PodDemand[] {
    return byPriority([...this.#parked.values()].map(({ demand }) => demand));
  }

  get hasParked(): boolean {
    return this.#parked.size > 0;
  }

  /** A pod that came or changed: decided anew only if what counts has changed. Tells whether it is. */
  offer(demand: PodDemand): boolean {
    const parked = this.#parked.get(demand.key);
    if (parked && isSame(parked.demand, demand)) {
      this.#parked.set(demand.key, { demand, isStale: parked.isStale });
      return false;
    }
    this.#parked.delete(demand.key);
    this.#active.set(demand.key, demand);
    return true;
  }

  park(demand: PodDemand): void {
    this.#active.delete(demand.key);
    this.#parked.set(demand.key, { demand, isStale: false });
  }

  activate(demand: PodDemand): void {
    this.#parked.delete(demand.key);
    this.#active.set(demand.key, demand);
  }

  markStale(): void {
    for (const parked of this.#parked.values()) parked.isStale = true;
  }

  /** Makes those active whose message may be wrong. */
  activateStale(): void {
    for (const { demand, isStale } of this.#parked.values()) if (isStale) this.activate(demand);
  }

  drop(key: string): void {
    this.#active.delete(key);
    this.#parked.delete(key);
  }

  /** All active pods, the most important first, then in the order in which they came. */
  takeActive(): PodDemand[] {
    const demands = [...this.#active.values()];
    this.#active.clear();
    return byPriority(demands);
  }
}

function byPriority(demands: PodDemand[]): PodDemand[] {
  return demands.sort((a, b) => (b.pod.spec.priority ?? 0) - (a.pod.spec.priority ?? 0));
}

function isSame(a: PodDemand, b: PodDemand): boolean {
  const [before, now] = [a.pod, b.pod];
  return (
    before.metadata.uid === now.metadata.uid &&
    before.metadata.generation === now.metadata.generation &&
    sameJson(before.metadata.labels, now.metadata.labels)
  );
}
