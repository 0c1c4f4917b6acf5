/** So many at once … */
const BURST = 60;
/** … and then one every so often. */
const REFILL_MS = 1000;
/** Beyond it, who was heard of longest ago is forgotten. */
const REMEMBERED = 4096;

/** How much each of many may still ask for. */
export class Allowances {
  readonly #now: () => number;
  readonly #left = new Map<string, { readonly tokens: number; readonly atMs: number }>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Whether it is not too much, this time included. */
  take(who: string): boolean {
    const nowMs = this.#now();
    const { tokens, atMs } = this.#left.get(who) ?? { tokens: BURST, atMs: nowMs };
    const available = Math.min(BURST, tokens + Math.max(0, nowMs - atMs) / REFILL_MS);
    this.#left.delete(who);
    this.#left.set(who, { tokens: Math.max(available - 1, 0), atMs: nowMs });
    const [oldest] = this.#left.keys();
    if (this.#left.size > REMEMBERED && oldest !== undefined) this.#left.delete(oldest);
    return available >= 1;
  }
}
