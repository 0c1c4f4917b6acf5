import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { PodNetwork } from '../network/pod-network.ts';
import { type ContainerChange, type Runtime, RuntimeError } from '../runtime/runtime.ts';
import type { ContainerCache } from './container-cache.ts';

/** How soon the engine is asked again after it went away: it is a local socket, so asking is cheap. */
const RETRY_MS = { first: 100, longest: 5_000 };

export interface EngineFollowerOptions {
  readonly runtime: Pick<Runtime, 'changes'>;
  readonly containers: ContainerCache;
  readonly network: PodNetwork | undefined;
  /** The engine answers, again or for the first time, and all is known that there is; of these pods. */
  readonly onUp: (uids: ReadonlySet<string>) => Promise<void>;
  readonly onDown: (error: Error) => void;
  /** Somebody has removed the pods' network. */
  readonly onNetworkLost: () => void;
  readonly onImages: () => void;
  /** The pod is to be looked at. */
  readonly poke: (uid: string) => void;
  readonly monotonicMs: () => number;
  readonly log: Logger;
}

/** Hears what the engine tells, for ever, and keeps what is known of containers true to it. */
export class EngineFollower {
  readonly #options: EngineFollowerOptions;
  readonly #abort = new AbortController();
  #isUp = false;
  #hasLooked = false;

  constructor(options: EngineFollowerOptions) {
    this.#options = options;
  }

  /** Whether the engine answers. */
  get isUp(): boolean {
    return this.#isUp;
  }

  /** Whether it has been asked once. */
  get hasLooked(): boolean {
    return this.#hasLooked;
  }

  /** Runs until `close`. */
  async run(): Promise<void> {
    const { signal } = this.#abort;
    let delayMs = RETRY_MS.first;
    while (!signal.aborted) {
      try {
        await this.#follow(signal, () => {
          delayMs = RETRY_MS.first;
        });
      } catch (error) {
        if (!signal.aborted) this.#lost(error as Error);
      }
      await sleep(delayMs, undefined, { signal }).catch(() => {});
      delayMs = Math.min(delayMs * 2, RETRY_MS.longest);
    }
  }

  close(): void {
    this.#abort.abort();
  }

  /** Listens first, then looks at everything: so nothing that happens in between is missed. */
  async #follow(signal: AbortSignal, onUp: () => void): Promise<void> {
    const { runtime, network, containers, log } = this.#options;
    const changes = await runtime.changes(signal);
    network?.forget();
    const uids = await containers.refreshAfterAbsence();
    for (const { podUid, podIp } of containers.all()) network?.seen(podUid, podIp);
    onUp();
    this.#isUp = true;
    this.#hasLooked = true;
    log.info({ pods: uids.size }, 'the container engine answers');
    await this.#options.onUp(uids);
    for await (const change of changes) {
      if ('lostNetwork' in change) this.#networkLost(change.lostNetwork);
      else if ('changedImages' in change) this.#options.onImages();
      else await this.#look(change);
    }
    throw new RuntimeError('engine-down', 'the engine ended its event stream');
  }

  /** Somebody has removed it, or who held it, which the engine allows: what it knows of is not in it. */
  #networkLost(name: string): void {
    const { network, log, onNetworkLost } = this.#options;
    if (name !== network?.name) return;
    log.warn({ network: name }, 'the network of the pods is gone: it is made again');
    network.forget();
    onNetworkLost();
  }

  /** A container that ended is restarted on the engine's word; how exactly it ended is looked up meanwhile. */
  async #look({ id, ended }: ContainerChange): Promise<void> {
    const { containers, poke, monotonicMs } = this.#options;
    const now = monotonicMs();
    const early = ended && containers.markEnded(id, ended.exitCode, ended.atMs, now);
    if (early) poke(early);
    const uid = await containers.refresh(id);
    if (uid) poke(uid);
  }

  #lost(error: Error): void {
    const { log, onDown } = this.#options;
    if (this.#isUp) log.warn({ err: error }, 'the container engine is gone: waiting for it');
    this.#isUp = false;
    onDown(error);
  }
}
