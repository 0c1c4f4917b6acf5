import { RuntimeError } from './runtime.ts';

/** An engine that hangs keeps its connections: only a question tells. */
const ASK_EVERY_MS = 15_000;
/** A slow device's engine takes seconds when it has much to do. */
const ANSWER_WITHIN_MS = 15_000;

export interface EngineWatchOptions {
  /** Resolves when the engine answers; rejects when it does not, or when the signal is aborted. */
  readonly ping: (signal: AbortSignal) => Promise<void>;
  /** Why the engine is of no use, undefined when it is; called when that is told again, too. */
  readonly onChange: (error: Error | undefined) => void;
  readonly everyMs?: number;
  readonly withinMs?: number;
}

/** Knows whether the engine is gone, as who follows it tells, or there and hanging, as it is asked now and then. */
export class EngineWatch {
  readonly #options: EngineWatchOptions;
  readonly #abort = new AbortController();
  #isHanging = false;
  #lost: Error | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: EngineWatchOptions) {
    this.#options = options;
  }

  /** Asks for the first time after a while: at the start it is asked enough. */
  start(): void {
    const { everyMs = ASK_EVERY_MS } = this.#options;
    if (this.#abort.signal.aborted) return;
    this.#timer = setTimeout(() => void this.#ask().then(() => this.start()), everyMs).unref();
  }

  /** What happens at the engine is followed (undefined), or can not be, and why. */
  followed(lost: Error | undefined): void {
    this.#lost = lost;
    this.#isHanging = false;
    this.#options.onChange(lost);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#abort.abort();
  }

  async #ask(): Promise<void> {
    const { ping, withinMs = ANSWER_WITHIN_MS } = this.#options;
    const tooLate = AbortSignal.timeout(withinMs);
    const signal = AbortSignal.any([this.#abort.signal, tooLate]);
    await ping(signal).catch(() => {}); // one that is gone is noticed by who follows it
    if (!this.#abort.signal.aborted) this.#answered(!tooLate.aborted, withinMs);
  }

  #answered(inTime: boolean, withinMs: number): void {
    if (inTime !== this.#isHanging) return;
    this.#isHanging = !inTime;
    this.#options.onChange(inTime ? this.#lost : hanging(withinMs));
  }
}

const hanging = (ms: number) =>
  new RuntimeError(
    'engine-down',
    `the engine has taken a question and not answered it for ${ms / 1000} s: what runs goes on, and nothing can be started or ended until it answers; see its log, or restart it`,
  );
