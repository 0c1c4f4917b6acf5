import type { Logger } from 'pino';
import { type Lease, type LeaseRequest, leaseLeftMs, MOST_LEASES } from '../pod/lease.ts';
import type { Moment } from '../pod/moment.ts';
import type { Pod } from '../pod/pod.ts';
import type { AgentState } from '../state/agent-state.ts';

export interface LeasesOptions {
  readonly state: Pick<AgentState, 'leases' | 'saveLease' | 'forgetLease'>;
  readonly moment: () => Moment;
  readonly log: Logger;
  /** One was taken, renewed or given back. That one has ended by itself is not told. */
  readonly onChange: () => void;
}

/** What programs on the device have asked to be left alone for. */
export class Leases {
  readonly #options: LeasesOptions;
  readonly #leases = new Map<string, Lease>();

  constructor(options: LeasesOptions) {
    this.#options = options;
    for (const [name, json] of options.state.leases()) this.#leases.set(name, JSON.parse(json) as Lease);
    this.#forgetEnded();
  }

  /** Durable when it returns; undefined when there are too many. Throws when it cannot be stored. */
  hold(request: LeaseRequest): Lease | undefined {
    const { state, moment, onChange } = this.#options;
    this.#forgetEnded();
    if (!this.#leases.has(request.name) && this.#leases.size >= MOST_LEASES) return undefined;
    const lease: Lease = { ...request, at: moment() };
    state.saveLease(lease.name, JSON.stringify(lease));
    this.#leases.set(lease.name, lease);
    onChange();
    return lease;
  }

  /** Whether there was one. */
  release(name: string): boolean {
    this.#forgetEnded();
    if (!this.#leases.has(name)) return false;
    this.#options.state.forgetLease(name);
    this.#leases.delete(name);
    this.#options.onChange();
    return true;
  }

  /** Those that stand, by name. */
  list(): Lease[] {
    return this.#standing().sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** The one that holds the pod longest. */
  over({ metadata: { namespace, name } }: Pod): Lease | undefined {
    const now = this.#options.moment();
    const over = this.#standing().filter(({ pod }) => pod === undefined || pod === `${namespace}/${name}`);
    return over.reduce<Lease | undefined>(
      (longest, lease) => (longest && leaseLeftMs(longest, now) >= leaseLeftMs(lease, now) ? longest : lease),
      undefined,
    );
  }

  #standing(): Lease[] {
    const now = this.#options.moment();
    return [...this.#leases.values()].filter((lease) => leaseLeftMs(lease, now) > 0);
  }

  /** When somebody asks, and when the agent starts: nothing has to be woken for it. */
  #forgetEnded(): void {
    const { state, log } = this.#options;
    const standing = new Set(this.#standing().map(({ name }) => name));
    for (const name of [...this.#leases.keys()].filter((name) => !standing.has(name))) {
      this.#leases.delete(name);
      try {
        state.forgetLease(name);
      } catch (error) {
        log.warn({ err: error, lease: name }, 'a lease that is over could not be removed: it is next time');
      }
    }
  }
}
