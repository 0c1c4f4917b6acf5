export interface WorkQueueOptions {
  /**
   * Brings one key to its desired state. Reads what is wanted now, never what an event said. Resolves to the
   * milliseconds after which to look again although nothing changed, if that matters.
   */
  readonly sync: (key: string, signal: AbortSignal) => Promise<number | undefined>;
  /** Told of each failure; `failures` counts those in a row. */
  readonly onError: (failure: Failure) => void;
  readonly concurrency?: number;
  readonly minDelayMs?: number;
  readonly maxDelayMs?: number;
}

export interface Failure {
  readonly key: string;
  readonly error: unknown;
  readonly failures: number;
  readonly retryInMs: number;
}

/** Longer timers than this fire at once in Node. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * Syncs every added key: one run at a time per key, one more run if the key was added meanwhile, and a later run,
 * after a doubling delay, if the run failed. A run starts in a microtask of the turn that added its key, so an event
 * and all that came with it in one commit cost one run and no wait.
 */
export class WorkQueue {
  readonly #options: Required<WorkQueueOptions>;
  readonly #waiting = new Set<string>(); // a Set keeps the order and drops repeats
  readonly #running = new Map<string, Promise<void>>();
  readonly #failures = new Map<string, number>();
  readonly #timers = new Map<string, { readonly atMs: number; readonly timer: NodeJS.Timeout }>();
  readonly #abort = new AbortController();

  constructor(options: WorkQueueOptions) {
    this.#options = { concurrency: 64, minDelayMs: 50, maxDelayMs: 60_000, ...options };
  }

  add(key: string): void {
    if (this.#abort.signal.aborted) return;
    this.#forgetTimer(key);
    this.#waiting.add(key);
    this.#startNext();
  }

  /** Adds the key later, unless it is added before; who asks for it again meanwhile does not put it off. */
  addAfter(key: string, delayMs: number): void {
    if (this.#abort.signal.aborted || this.#waiting.has(key)) return;
    const delay = Math.min(Math.max(delayMs, 0), LONGEST_TIMER_MS);
    const atMs = performance.now() + delay;
    if ((this.#timers.get(key)?.atMs ?? Number.POSITIVE_INFINITY) <= atMs) return;
    this.#forgetTimer(key);
    this.#timers.set(key, { atMs, timer: setTimeout(() => this.add(key), delay) });
  }

  /** Drops what waits, aborts what runs, and resolves when nothing runs any more. */
  async stop(): Promise<void> {
    this.#abort.abort();
    this.#waiting.clear();
    for (const key of this.#timers.keys()) this.#forgetTimer(key);
    await Promise.all(this.#running.values());
  }

  #forgetTimer(key: string): void {
    clearTimeout(this.#timers.get(key)?.timer);
    this.#timers.delete(key);
  }

  #startNext(): void {
    for (const key of this.#waiting) {
      if (this.#running.size >= this.#options.concurrency) return;
      if (this.#running.has(key)) continue;
      this.#waiting.delete(key);
      // A microtask later, so that a sync that adds its own key finds itself running.
      this.#running.set(
        key,
        Promise.resolve(key).then((next) => this.#run(next)),
      );
    }
  }

  async #run(key: string): Promise<void> {
    try {
      this.#abort.signal.throwIfAborted();
      const again = await this.#options.sync(key, this.#abort.signal);
      this.#failures.delete(key);
      if (again !== undefined) this.addAfter(key, again);
    } catch (error) {
      this.#retryLater(key, error);
    } finally {
      this.#running.delete(key);
      this.#startNext();
    }
  }

  #retryLater(key: string, error: unknown): void {
    if (this.#abort.signal.aborted) return; // a stopped queue fails quietly
    const failures = (this.#failures.get(key) ?? 0) + 1;
    this.#failures.set(key, failures);
    const retryInMs = Math.min(this.#options.minDelayMs * 2 ** (failures - 1), this.#options.maxDelayMs);
    this.addAfter(key, retryInMs);
    this.#options.onError({ key, error, failures, retryInMs });
  }
}
