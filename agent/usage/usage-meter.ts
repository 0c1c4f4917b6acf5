import { setTimeout as sleep } from 'node:timers/promises';
import { Limit } from '../../proto/limit.ts';
import type { ObservedContainer, Runtime } from '../runtime/runtime.ts';
import { deviceSample } from './device-sample.ts';
import { type Sample, type Usage, usageBetween } from './usage.ts';

export interface UsageMeterOptions {
  readonly runtime: Pick<Runtime, 'stats'>;
  /** The pods' containers that run now. */
  readonly running: () => readonly ObservedContainer[];
  readonly monotonicMs: () => number;
}

export interface ContainerUsage {
  readonly podUid: string;
  readonly container: string;
  readonly usage: Usage;
}

/** What the device and the containers on it use. */
export interface DeviceUsage {
  readonly device: Usage | undefined;
  readonly containers: readonly ContainerUsage[];
}

/** CPU is used over a time: the shortest that tells something. The kernel counts the device's in hundredths of a second. */
const SHORTEST_WINDOW_MS = 1_000;
/** What was used so long ago says nothing of now: who asks later gets a new, short window. */
const KEPT_MS = 60_000;
/** Docker 20.10 takes a second for each answer, and does nothing meanwhile: the hub does not wait for many in turn. */
const AT_ONCE = 64;

interface Samples {
  readonly device: Sample;
  /** By the engine's id. */
  readonly containers: ReadonlyMap<string, Sample>;
}

/**
 * Measures when it is asked, and never else. The window reaches back to the question before, if that was not long ago;
 * what was not seen then is looked at twice, a second apart.
 */
export class UsageMeter {
  readonly #options: UsageMeterOptions;
  readonly #limit = new Limit(AT_ONCE);
  #kept: Samples | undefined;
  #forgetting: NodeJS.Timeout | undefined;

  constructor(options: UsageMeterOptions) {
    this.#options = options;
  }

  /** Rejects with the signal's reason when it is aborted. */
  async measure(signal: AbortSignal): Promise<DeviceUsage> {
    const before = await this.#before(signal);
    const youngestMs = Math.max(
      before.device.atMs,
      ...[...before.containers.values()].map(({ atMs }) => atMs),
    );
    const waitMs = youngestMs + SHORTEST_WINDOW_MS - this.#options.monotonicMs();
    if (waitMs > 0) await sleep(waitMs, undefined, { signal });
    const running = this.#options.running();
    const after = await this.#sample(running, signal);
    this.#keep(after);
    return {
      device: usageBetween(before.device, after.device),
      containers: running.flatMap(({ id, podUid, container }) => {
        const [first, last] = [before.containers.get(id), after.containers.get(id)];
        const usage = first && last && usageBetween(first, last);
        return usage ? { podUid, container, usage } : [];
      }),
    };
  }

  /** What the last question left, and a first look at what is new since. */
  async #before(signal: AbortSignal): Promise<Samples> {
    const kept = this.#kept;
    const added = this.#options.running().filter(({ id }) => !kept?.containers.has(id));
    if (kept && added.length === 0) return kept;
    const { device, containers } = await this.#sample(added, signal);
    return {
      device: kept?.device ?? device,
      containers: new Map([...(kept?.containers ?? []), ...containers]),
    };
  }

  /** What cannot be asked is left out: it may end at any moment, and so may the engine. */
  async #sample(running: readonly ObservedContainer[], signal: AbortSignal): Promise<Samples> {
    const { runtime, monotonicMs } = this.#options;
    const containers = new Map<string, Sample>();
    const look = async (id: string) => {
      if (signal.aborted) return;
      const stats = await runtime.stats(id, signal).catch(() => undefined);
      if (stats) containers.set(id, { ...stats, atMs: monotonicMs() });
    };
    await Promise.all(running.map(({ id }) => this.#limit.run(() => look(id))));
    signal.throwIfAborted();
    return { device: { ...(await deviceSample()), atMs: monotonicMs() }, containers };
  }

  #keep(samples: Samples): void {
    this.#kept = samples;
    clearTimeout(this.#forgetting);
    this.#forgetting = setTimeout(() => {
      this.#kept = undefined;
    }, KEPT_MS).unref();
  }
}
