/** Changes that come together, as `kubectl apply` of several files makes them, become one revision. */
const SETTLE_MS = 1_000;
/** The soonest that another content makes another revision. */
const INTERVAL_MS = 5_000;

/** When content that changes is taken up, by workload: soon, all at once, and not too often. */
export class Settling {
  readonly #now: () => number;
  readonly #dueMs = new Map<string, number>();
  readonly #takenMs = new Map<string, number>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** How long to wait with a change that is there, from when this was first asked. */
  waitMs(key: string): number {
    const nowMs = this.#now();
    const takenMs = this.#takenMs.get(key) ?? Number.NEGATIVE_INFINITY;
    const dueMs = this.#dueMs.get(key) ?? Math.max(nowMs + SETTLE_MS, takenMs + INTERVAL_MS);
    this.#dueMs.set(key, dueMs);
    return Math.max(0, dueMs - nowMs);
  }

  taken(key: string): void {
    this.#dueMs.delete(key);
    this.#takenMs.set(key, this.#now());
  }

  /** There is nothing to wait with. */
  quiet(key: string): void {
    this.#dueMs.delete(key);
  }

  forget(key: string): void {
    this.#dueMs.delete(key);
    this.#takenMs.delete(key);
  }
}
