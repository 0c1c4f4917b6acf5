import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Service } from '../pod/pod.ts';
import type { Zone } from './answer.ts';
import type { DnsServer } from './dns-server.ts';
import { endpointsOf, type LocalPod } from './service-records.ts';

/** How long until an address that somebody else holds is tried again. */
const RETRY_MS = { first: 1_000, longest: 60_000 };

export interface ServiceNamesOptions {
  /** The Services that lead to pods of this device, by `namespace/name`. */
  readonly services: () => ReadonlyMap<string, Service>;
  readonly pods: () => Iterable<LocalPod>;
  /** Where containers reach this device; undefined where they cannot. */
  readonly address: () => Promise<string | undefined>;
  readonly log: Logger;
}

/** Answers for the names of Services while there are any: a device without them has no server and loads none. */
export class ServiceNames implements Zone {
  readonly #options: ServiceNamesOptions;
  readonly #abort = new AbortController();
  #server: DnsServer | undefined;
  #isChanging = false;

  constructor(options: ServiceNamesOptions) {
    this.#options = options;
  }

  /** Services, or the engine, may have come or gone. */
  changed(): void {
    if (this.#isRight || this.#isChanging) return;
    this.#isChanging = true;
    void this.#change().finally(() => {
      this.#isChanging = false;
    });
  }

  close(): void {
    this.#abort.abort();
    this.#server?.close();
  }

  service(namespace: string, name: string): Service | undefined {
    return this.#options.services().get(`${namespace}/${name}`);
  }

  endpoints(service: Service) {
    return endpointsOf(service, this.#options.pods());
  }

  get #isRight(): boolean {
    return this.#options.services().size > 0 === (this.#server !== undefined);
  }

  async #change(): Promise<void> {
    const { address: whereFrom, log } = this.#options;
    const { signal } = this.#abort;
    let delayMs = RETRY_MS.first;
    while (!signal.aborted && !this.#isRight) {
      if (this.#server) {
        this.#server.close();
        this.#server = undefined;
        continue;
      }
      const address = await whereFrom().catch(() => undefined);
      if (!address) return; // the engine's return is a change
      try {
        const { DnsServer } = await import('./dns-server.ts'); // most devices have no Services
        this.#server = await DnsServer.listen({ address, zone: this, log });
        log.info({ address }, 'names of Services are answered');
      } catch (error) {
        log.warn(
          { err: error, address, retryInMs: delayMs },
          'names of Services cannot be answered on this device',
        );
        await sleep(delayMs, undefined, { signal, ref: false }).catch(() => {});
        delayMs = Math.min(delayMs * 2, RETRY_MS.longest);
      }
    }
    if (signal.aborted) this.#server?.close();
  }
}
