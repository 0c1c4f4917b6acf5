const FIRST_MS = 1000;
const LONGEST_MS = 900_000;

/** How long to leave something alone that failed: the longer, the more often in a row. Forgets what went well since. */
export class Backoff {
  readonly #now: () => number;
  readonly #entries = new Map<string, { readonly delayMs: number; readonly untilMs: number }>();

  constructor(now: () => number) {
    this.#now = now;
  }

  note(key: string): void {
    const nowMs = this.#now();
    for (const [other, { untilMs }] of this.#entries)
      if (untilMs + LONGEST_MS < nowMs) this.#entries.delete(other);
    const last = this.#entries.get(key);
    const delayMs = Math.min(last ? last.delayMs * 2 : FIRST_MS, LONGEST_MS);
    this.#entries.set(key, { delayMs, untilMs: nowMs + delayMs });
  }

  /** Milliseconds until it may be tried again; 0 when it may. */
  waitMs(key: string): number {
    return Math.max(0, (this.#entries.get(key)?.untilMs ?? 0) - this.#now());
  }
}
