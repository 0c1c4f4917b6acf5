import { familyOf, parseRange } from '../../resources/addresses.ts';

export type Family = 'IPv4' | 'IPv6';

/** Some numbers in a row that something is allocated from, and the texts that they stand for. */
export interface AddressRange {
  /** As it was given: `10.96.0.0/16`. */
  readonly text: string;
  readonly family: Family;
  /** The first usable address, as a number. */
  readonly first: bigint;
  readonly size: number;
}

export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** What Services get: addresses of one family or two, and ports of nodes. */
export interface ServiceRanges {
  readonly addresses: readonly AddressRange[];
  readonly nodePorts: PortRange;
}

/**
 * Where kubeadm has its Services, so that what people know looks as they know it. Its /12 would reach up to
 * 10.111.255.255; 65,534 Services are enough, and what is not taken cannot collide with a network that a device is in.
 */
export const DEFAULT_ADDRESSES = '10.96.0.0/16';
export const DEFAULT_NODE_PORTS = '30000-32767';

/** Above so many an index would be no safe random number any more. */
const MAX_SIZE = 2 ** 40;
const V6_GROUPS = 8;

/** Both must be without problems: see below. */
export function parseServiceRanges(addresses: string, nodePorts: string): ServiceRanges {
  const [first = 0, last = 0] = nodePorts.split('-').map(Number);
  return { addresses: addresses.split(',').map(parseAddresses), nodePorts: { first, last } };
}

/** What is wrong with `10.96.0.0/16` or `10.96.0.0/16,fd00:10:96::/108`. */
export function addressesProblem(text: string): string | undefined {
  const families = text.split(',').map((each) => parseRange(each)?.family);
  const isKnown = families[0] === 'IPv4' && (families.length === 1 || families[1] === 'IPv6');
  if (!isKnown || families.length > 2)
    return 'must be an IPv4 range, and after a comma, if Services are to have both families, an IPv6 range';
  return text.split(',').some((each) => parseAddresses(each).size < 2)
    ? 'has no room for Services'
    : undefined;
}

/** What is wrong with `30000-32767`. */
export function nodePortsProblem(text: string): string | undefined {
  const [, first, last] = /^(\d{1,5})-(\d{1,5})$/.exec(text) ?? [];
  const isRange = Number(first) >= 1 && Number(first) <= Number(last) && Number(last) <= 65_535;
  return isRange ? undefined : 'must be two ports, the lower first, like 30000-32767';
}

/** The network's own address is nobody's, nor is IPv4's last one, which means everybody. */
function parseAddresses(text: string): AddressRange {
  const range = parseRange(text);
  if (!range) throw new Error(`read the range "${text}": it is none`);
  const { family, address, bits } = range;
  const hostBits = BigInt((family === 'IPv4' ? 32 : 128) - bits);
  const network = (addressNumber(address) >> hostBits) << hostBits;
  const count = (1n << hostBits) - (family === 'IPv4' ? 2n : 1n);
  const size = count > BigInt(MAX_SIZE) ? MAX_SIZE : Math.max(0, Number(count));
  return { text, family, first: network + 1n, size };
}

/** The address at a place of the range, as Kubernetes writes it. */
export function addressAt({ family, first }: AddressRange, index: number): string {
  const number = first + BigInt(index);
  return family === 'IPv4' ? v4Text(number) : v6Text(number);
}

/** The place of an address in the range; undefined when it is outside. */
export function indexOf({ family, first, size }: AddressRange, address: string): number | undefined {
  if (familyOf(address) !== family) return undefined;
  const index = addressNumber(address) - first;
  return index >= 0n && index < BigInt(size) ? Number(index) : undefined;
}

function addressNumber(address: string): bigint {
  const parts = familyOf(address) === 'IPv4' ? address.split('.').map(Number) : v6Groups(address);
  const shift = parts.length === V6_GROUPS ? 16n : 8n;
  return parts.reduce((number, part) => (number << shift) | BigInt(part), 0n);
}

/** The URL parser knows every way to write one, and makes hexadecimal groups of it with at most one gap. */
function v6Groups(address: string): number[] {
  const [head = '', tail] = canonicalV6(address).split('::');
  const groups = (text: string) =>
    text
      .split(':')
      .filter(Boolean)
      .map((group) => Number.parseInt(group, 16));
  const [before, after] = [groups(head), groups(tail ?? '')];
  return [...before, ...Array<number>(V6_GROUPS - before.length - after.length).fill(0), ...after];
}

function canonicalV6(address: string): string {
  return new URL(`http://[${address}]`).hostname.slice(1, -1);
}

function v4Text(number: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => (number >> shift) & 0xffn).join('.');
}

function v6Text(number: bigint): string {
  const groups = Array.from({ length: V6_GROUPS }, (_, index) => {
    const shift = BigInt((V6_GROUPS - 1 - index) * 16);
    return ((number >> shift) & 0xffffn).toString(16);
  });
  return canonicalV6(groups.join(':'));
}
