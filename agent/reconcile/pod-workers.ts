export interface PodWorkersOptions {
  /** Brings one pod a step nearer to what is wanted. Returns when to look again; Infinity when there is no need. */
  readonly pass: (uid: string) => Promise<number>;
  readonly monotonicMs: () => number;
  /** A pass must not throw; when it does, it is a bug. */
  readonly onBug: (uid: string, error: unknown) => void;
}

/** Longest that a timer of Node waits. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** One worker per pod: passes of a pod never overlap, a poke during a pass causes one more, pods do not wait for each other. */
export class PodWorkers {
  readonly #options: PodWorkersOptions;
  readonly #running = new Map<string, Promise<void>>();
  readonly #poked = new Set<string>();
  readonly #timers = new Map<string, NodeJS.Timeout>();
  #closed = false;

  constructor(options: PodWorkersOptions) {
    this.#options = options;
  }

  poke(uid: string): void {
    if (this.#closed) return;
    clearTimeout(this.#timers.get(uid));
    this.#timers.delete(uid);
    this.#poked.add(uid);
    if (this.#running.has(uid)) return;
    // A microtask later, so that a pass that pokes its own pod finds itself running.
    this.#running.set(
      uid,
      Promise.resolve().then(() => this.#work(uid)),
    );
  }

  /** Starts nothing more, and resolves when nothing runs. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#poked.clear();
    await Promise.all(this.#running.values());
  }

  async #work(uid: string): Promise<void> {
    let wakeAtMs = Number.POSITIVE_INFINITY;
    while (this.#poked.delete(uid)) {
      try {
        wakeAtMs = await this.#options.pass(uid);
      } catch (error) {
        this.#options.onBug(uid, error);
      }
    }
    this.#running.delete(uid);
    if (wakeAtMs < Number.POSITIVE_INFINITY) this.#wakeAt(uid, wakeAtMs);
  }

  #wakeAt(uid: string, atMs: number): void {
    if (this.#closed) return;
    const delayMs = Math.min(Math.max(0, atMs - this.#options.monotonicMs()), MAX_TIMER_MS);
    this.#timers.set(
      uid,
      setTimeout(() => this.poke(uid), delayMs),
    );
  }
}
