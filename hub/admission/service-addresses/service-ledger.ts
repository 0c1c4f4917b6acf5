import type { Registry, WatchEvent } from '../../registry/registry.ts';
import { familyOf } from '../../resources/addresses.ts';
import { services } from '../../resources/table-of-resources.ts';
import type { ServiceObject } from '../../resources/typed.ts';
import { lowerBandOf, Pool } from './pool.ts';
import { type AddressRange, addressAt, type Family, indexOf, type ServiceRanges } from './service-ranges.ts';

const ADDRESS_BAND = { share: 16, least: 16, most: 256 };
const PORT_BAND = { share: 32, least: 16, most: 128 };

/** A place that is taken, and of what. */
interface Holding {
  readonly pool: Pool;
  readonly place: number;
}

interface Addresses {
  readonly range: AddressRange;
  readonly pool: Pool;
}

/**
 * Who has which address and which node port. Nothing of it is stored but the Services themselves, which it follows:
 * after a restart it knows what they say. This process is the only writer, so that what a write under way will take is
 * enough to keep two from taking the same.
 */
export class ServiceLedger {
  readonly ranges: ServiceRanges;
  readonly #addresses: ReadonlyMap<Family, Addresses>;
  readonly #ports: Pool;
  readonly #byService = new Map<string, readonly Holding[]>(); // by uid
  readonly #stop: () => void;

  constructor(registry: Registry, ranges: ServiceRanges) {
    this.ranges = ranges;
    this.#addresses = new Map(
      ranges.addresses.map((range) => {
        const pool = new Pool(range.size, lowerBandOf(range.size, ADDRESS_BAND));
        return [range.family, { range, pool }];
      }),
    );
    const ports = ranges.nodePorts.last - ranges.nodePorts.first + 1;
    this.#ports = new Pool(ports, lowerBandOf(ports, PORT_BAND));
    this.#stop = registry.watch(services, {}, (event) => this.#follow(event));
  }

  /** That of `default/kubernetes`. */
  get firstAddress(): string {
    const [range] = this.ranges.addresses;
    if (!range) throw new Error('Services have no range of addresses');
    return addressAt(range, 0);
  }

  get families(): readonly Family[] {
    return [...this.#addresses.keys()];
  }

  /** What one write takes, for the Service of this uid. */
  reservation(owner: string): Reservation {
    return new Reservation(owner, this.#addresses, { pool: this.#ports, ...this.ranges.nodePorts });
  }

  close(): void {
    this.#stop();
  }

  #follow(event: WatchEvent): void {
    if (event.type === 'SYNCED') return;
    const service = event.object as ServiceObject;
    const { uid = '' } = service.metadata;
    for (const { pool, place } of this.#byService.get(uid) ?? []) pool.release(place, uid);
    this.#byService.delete(uid);
    if (event.type === 'DELETED') return;
    const holdings = this.#holdingsOf(service);
    for (const { pool, place } of holdings) pool.store(place, uid);
    if (holdings.length > 0) this.#byService.set(uid, holdings);
  }

  #holdingsOf({ spec }: ServiceObject): Holding[] {
    const { clusterIPs = [], ports = [], healthCheckNodePort } = spec;
    const { first } = this.ranges.nodePorts;
    const nodePorts = [...ports.map(({ nodePort }) => nodePort), healthCheckNodePort];
    return [
      ...clusterIPs.flatMap((address) => {
        const { range, pool } = this.#addresses.get(familyOf(address) ?? 'IPv4') ?? {};
        const place = range && indexOf(range, address);
        return place === undefined || !pool ? [] : [{ pool, place }];
      }),
      ...nodePorts.flatMap((port) => (port ? [{ pool: this.#ports, place: port - first }] : [])),
    ];
  }
}

/** Taken until `end`: then it is stored, or it is not. What cannot be taken is thrown as an Error that says why. */
export class Reservation {
  readonly #owner: string;
  readonly #addresses: ReadonlyMap<Family, Addresses>;
  readonly #ports: { readonly pool: Pool; readonly first: number; readonly last: number };
  readonly #taken: Holding[] = [];

  constructor(
    owner: string,
    addresses: ReadonlyMap<Family, Addresses>,
    ports: { readonly pool: Pool; readonly first: number; readonly last: number },
  ) {
    this.#owner = owner;
    this.#addresses = addresses;
    this.#ports = ports;
  }

  takeAddress(family: Family, address: string): void {
    const { range, pool } = this.#of(family);
    const place = indexOf(range, address);
    if (place === undefined)
      throw new Error(
        `the provided IP (${address}) is not in the valid range. The range of valid IPs is ${range.text}`,
      );
    this.#take(pool, place, 'provided IP is already allocated');
  }

  nextAddress(family: Family): string {
    const { range, pool } = this.#of(family);
    return addressAt(range, this.#next(pool));
  }

  takePort(port: number): void {
    const { pool, first, last } = this.#ports;
    if (port < first || port > last)
      throw new Error(
        `provided port is not in the valid range. The range of valid ports is ${first}-${last}`,
      );
    this.#take(pool, port - first, 'provided port is already allocated');
  }

  nextPort(): number {
    return this.#ports.first + this.#next(this.#ports.pool);
  }

  end(): void {
    for (const { pool, place } of this.#taken) pool.unreserve(place);
  }

  #of(family: Family): Addresses {
    const addresses = this.#addresses.get(family);
    if (!addresses) throw new Error(`${family} is not configured on this cluster`);
    return addresses;
  }

  #take(pool: Pool, place: number, refusal: string): void {
    if (!pool.isFree(place, this.#owner)) throw new Error(refusal);
    this.#reserve(pool, place);
  }

  #next(pool: Pool): number {
    const place = pool.next();
    if (place === undefined) throw new Error('range is full');
    this.#reserve(pool, place);
    return place;
  }

  #reserve(pool: Pool, place: number): void {
    pool.reserve(place, this.#owner);
    this.#taken.push({ pool, place });
  }
}
