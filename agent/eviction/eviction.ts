import type { Logger } from 'pino';
import type { Evictable, Evictor, EvictorOptions } from './evictor.ts';
import { hasStorageLimit } from './storage-limit.ts';
import {
  type Crossing,
  crossings,
  nextPressures,
  type Pressure,
  pressureOf,
  type Readings,
  resourceOf,
  type Threshold,
} from './thresholds.ts';

/** As the kubelet's. A look takes half a millisecond of a CPU. */
const LOOK_EACH_MS = 10_000;
/** While somebody was just ended: it may not have been enough. */
const SOON_MS = 1_000;
/** To look how much pods hold takes a share of the time of one in so many at most, and so long a pause at most. */
const LIMITS_SHARE = 1_000;
const LIMITS_PAUSE_MS = 5 * 60_000;

export interface EvictionSettings {
  readonly thresholds: readonly Threshold[];
  /** How long a pressure is told after it was last there. */
  readonly transitionMs: number;
}

export interface EvictionOptions extends Omit<EvictorOptions, 'pods'> {
  readonly settings: EvictionSettings;
  readonly pods: Evictable;
  readonly read: () => Promise<Readings>;
  /** Its pressures are others now. */
  readonly onPressures: () => void;
  /** Of the node. */
  readonly onEvent: (reason: string, message: string) => void;
  readonly log: Logger;
}

/**
 * Sees what the device runs out of, and ends pods before the kernel has to. In between it reads a few numbers; what
 * measures pods is loaded when a threshold is crossed, or a pod has a limit that nobody else keeps.
 */
export class Eviction {
  readonly #options: EvictionOptions;
  #settings: EvictionSettings;
  #seenAtMs = new Map<Pressure, number>();
  #evictor: Promise<Evictor> | undefined;
  #limitsAtMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();
  #isClosed = false;
  readonly #told = new Set<string>();
  /** Somebody wants to know before the next time. */
  #isAsked = false;

  constructor(options: EvictionOptions) {
    this.#options = options;
    this.#settings = options.settings;
  }

  get pressures(): ReadonlySet<Pressure> {
    return new Set(this.#seenAtMs.keys());
  }

  start(): void {
    this.#lookIn(0);
  }

  setSettings(settings: EvictionSettings): void {
    this.#settings = settings;
    this.#isAsked = true;
    this.#lookIn(0);
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  #lookIn(delayMs: number): void {
    clearTimeout(this.#timer);
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => {
      this.#looking = this.#looking
        .then(() => this.#look())
        .then((nextMs) => this.#lookIn(this.#isAsked ? 0 : nextMs));
    }, delayMs);
    this.#timer.unref();
  }

  async #look(): Promise<number> {
    this.#isAsked = false;
    try {
      const isBusy = await this.#relieve();
      await this.#enforceLimits();
      return isBusy ? SOON_MS : LOOK_EACH_MS;
    } catch (error) {
      this.#options.log.warn({ err: error }, 'whether this device lacks something could not be looked at');
      return LOOK_EACH_MS;
    }
  }

  /** Resolves with whether it is to be looked at again soon. */
  async #relieve(): Promise<boolean> {
    const { pods, log, onEvent } = this.#options;
    const [worst] = await this.#read();
    if (!worst) {
      this.#told.clear();
      return false;
    }
    if (pods.isEvicting()) return true;
    const evictor = await this.#load();
    this.#once('event', () =>
      onEvent('EvictionThresholdMet', `Attempting to reclaim ${resourceOf(worst.signal)}`),
    );
    if (pressureOf(worst.signal) === 'DiskPressure' && (await evictor.freeImages())) return true;
    const isEvicted = await evictor.evictNext(worst);
    if (!isEvicted)
      this.#once('warning', () => log.warn({ ...worst }, 'the device lacks something that no pod holds'));
    return isEvicted;
  }

  /** Until nothing is lacking any more. */
  #once(what: string, tell: () => void): void {
    if (!this.#told.has(what)) tell();
    this.#told.add(what);
  }

  async #read(): Promise<Crossing[]> {
    const { read, monotonicMs, onPressures } = this.#options;
    const { thresholds, transitionMs } = this.#settings;
    const crossed = thresholds.length > 0 ? crossings(thresholds, await read()) : [];
    const before = this.#seenAtMs;
    this.#seenAtMs = nextPressures(before, crossed, { transitionMs, nowMs: monotonicMs() });
    const isSame =
      before.size === this.#seenAtMs.size && [...before.keys()].every((each) => this.#seenAtMs.has(each));
    if (!isSame) onPressures();
    return crossed;
  }

  async #enforceLimits(): Promise<void> {
    const { pods, monotonicMs } = this.#options;
    const startedAtMs = monotonicMs();
    if (startedAtMs < this.#limitsAtMs || !pods.livePods().some(hasStorageLimit)) return;
    await (await this.#load()).enforceLimits();
    const tookMs = monotonicMs() - startedAtMs;
    this.#limitsAtMs = monotonicMs() + Math.min(LIMITS_PAUSE_MS, tookMs * LIMITS_SHARE);
  }

  #load(): Promise<Evictor> {
    this.#evictor ??= import('./evictor.ts').then(({ Evictor }) => new Evictor(this.#options));
    return this.#evictor;
  }
}
