/* Addresses of IPv4 networks. Pure. */

/** Such as 172.18.0.0/16. */
export interface Subnet {
  /** Its first address, as a number. */
  readonly base: number;
  readonly prefix: number;
}

/** Undefined when it is none. */
export function parseSubnet(text: string): Subnet | undefined {
  const [address = '', length = ''] = text.split('/');
  const number = numberOf(address);
  const prefix = Number(length);
  if (number === undefined || !/^\d+$/.test(length) || prefix > 30) return undefined;
  return { base: number - (number % sizeOf(prefix)), prefix };
}

/** The first that nobody has, from the third on: the first two are the network's name and its gateway. */
export function freeAddress(subnet: Subnet, taken: ReadonlySet<string>): string | undefined {
  for (let offset = 2; offset < sizeOf(subnet.prefix) - 1; offset++) {
    const address = textOf(subnet.base + offset);
    if (!taken.has(address)) return address;
  }
  return undefined;
}

/** The last that a device can have. */
export function lastAddress({ base, prefix }: Subnet): string {
  return textOf(base + sizeOf(prefix) - 2);
}

export function isIn({ base, prefix }: Subnet, address: string): boolean {
  const offset = (numberOf(address) ?? -1) - base;
  return offset > 1 && offset < sizeOf(prefix) - 1;
}

function sizeOf(prefix: number): number {
  return 2 ** (32 - prefix);
}

function numberOf(address: string): number | undefined {
  const parts = address.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256))
    return undefined;
  return parts.reduce((sum, part) => sum * 256 + Number(part), 0);
}

function textOf(number: number): string {
  return [24, 16, 8, 0].map((shift) => (number >>> shift) & 0xff).join('.');
}
