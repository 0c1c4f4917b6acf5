import { randomInt } from 'node:crypto';

/**
 * Places from 0 on that Services take: what they have by what is stored, and what writes that are under way will give
 * them. Memory is in proportion to what is taken, whatever the size.
 */
export class Pool {
  readonly size: number;
  readonly #lowerBand: number;
  readonly #stored = new Map<number, string>(); // who has it, by uid
  readonly #pending = new Map<number, { readonly owner: string; readonly count: number }>();

  /** In `lowerBand`, nothing is given that was not asked for by name, as long as there is anything above it. */
  constructor(size: number, lowerBand: number) {
    this.size = size;
    this.#lowerBand = lowerBand;
  }

  /** Whether nobody else has it. */
  isFree(place: number, owner: string): boolean {
    return [this.#stored.get(place), this.#pending.get(place)?.owner].every(
      (other) => other === undefined || other === owner,
    );
  }

  /** A place that nobody has; undefined when there is none. */
  next(): number | undefined {
    return this.#search(this.#lowerBand, this.size) ?? this.#search(0, this.#lowerBand);
  }

  /** From a random one on, so that what was given back is not given away again at once. */
  #search(from: number, to: number): number | undefined {
    const count = to - from;
    if (count <= 0) return undefined;
    const start = randomInt(count);
    for (let step = 0; step < count; step += 1) {
      const place = from + ((start + step) % count);
      if (!this.#stored.has(place) && !this.#pending.has(place)) return place;
    }
    return undefined;
  }

  reserve(place: number, owner: string): void {
    this.#pending.set(place, { owner, count: (this.#pending.get(place)?.count ?? 0) + 1 });
  }

  unreserve(place: number): void {
    const { owner = '', count = 0 } = this.#pending.get(place) ?? {};
    if (count > 1) this.#pending.set(place, { owner, count: count - 1 });
    else this.#pending.delete(place);
  }

  store(place: number, owner: string): void {
    this.#stored.set(place, owner);
  }

  release(place: number, owner: string): void {
    if (this.#stored.get(place) === owner) this.#stored.delete(place);
  }
}

/** How much Kubernetes keeps for what is asked for by name: a share of the range within bounds, nothing of a tiny one. */
export function lowerBandOf(
  size: number,
  { share, least, most }: { share: number; least: number; most: number },
): number {
  return size <= least ? 0 : Math.min(Math.max(least, Math.floor(size / share)), most);
}
