import { BlockList, isIP } from 'node:net';

/** Each function returns what is wrong with an address, in Kubernetes' words; an empty array means it is valid. */

const FORBIDDEN: readonly (readonly [message: string, list: BlockList])[] = [
  ['may not be unspecified (0.0.0.0 or ::)', blockList(['0.0.0.0', 32], ['::', 128])],
  ['may not be in the loopback range (127.0.0.0/8, ::1/128)', blockList(['127.0.0.0', 8], ['::1', 128])],
  [
    'may not be in the link-local range (169.254.0.0/16, fe80::/10)',
    blockList(['169.254.0.0', 16], ['fe80::', 10]),
  ],
  [
    'may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)',
    blockList(['224.0.0.0', 24], ['ff02::', 16]),
  ],
];

function blockList(v4: readonly [string, number], v6: readonly [string, number]): BlockList {
  const list = new BlockList();
  list.addSubnet(...v4, 'ipv4');
  list.addSubnet(...v6, 'ipv6');
  return list;
}

/** `IPv4` or `IPv6`; undefined for what is no address. */
export function familyOf(address: string): 'IPv4' | 'IPv6' | undefined {
  const version = isIP(address);
  return version === 0 ? undefined : `IPv${version as 4 | 6}`;
}

export function addressErrors(address: string): string[] {
  return familyOf(address) ? [] : ['must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'];
}

/** Addresses that mean something else on every machine cannot be those of an endpoint. */
export function endpointAddressErrors(address: string): string[] {
  const family = familyOf(address);
  if (!family) return addressErrors(address);
  return FORBIDDEN.filter(([, list]) => list.check(address, family === 'IPv4' ? 'ipv4' : 'ipv6')).map(
    ([message]) => message,
  );
}

interface Range {
  readonly family: 'IPv4' | 'IPv6';
  readonly address: string;
  readonly bits: number;
}

/** `10.0.0.0/8` taken apart; undefined for what is no range. */
export function parseRange(text: string): Range | undefined {
  const [, address = '', length = ''] = /^([^/]+)\/(\d{1,3})$/.exec(text) ?? [];
  const family = familyOf(address);
  const bits = Number(length);
  return family && bits <= (family === 'IPv4' ? 32 : 128) ? { family, address, bits } : undefined;
}

/** `10.0.0.0/8` */
export function rangeErrors(range: string): string[] {
  return parseRange(range) ? [] : ['must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)'];
}

/** Whether all of `inner` is in `outer`, and not all of `outer` in `inner`. */
export function isStrictSubrange(inner: string, outer: string): boolean {
  const [small, large] = [parseRange(inner), parseRange(outer)];
  if (!small || !large || small.family !== large.family || small.bits <= large.bits) return false;
  const type = large.family === 'IPv4' ? 'ipv4' : 'ipv6';
  const list = new BlockList();
  list.addSubnet(large.address, large.bits, type);
  return list.check(small.address, type);
}
