import { BlockList, isIP, SocketAddress } from 'node:net';
import type { Environment } from '@marcbachmann/cel-js';

type Family = 'ipv4' | 'ipv6';

class Address {
  readonly text: string;
  readonly family: Family;

  constructor(text: string) {
    if (!isAddress(text))
      throw new Error(`IP Address ${JSON.stringify(text)} parse error during conversion from string`);
    this.family = isIP(text) === 4 ? 'ipv4' : 'ipv6';
    this.text = new SocketAddress({ address: text, family: this.family }).address;
  }
}

class Range {
  readonly address: Address;
  readonly length: number;
  readonly list = new BlockList();

  constructor(text: string) {
    const [address = '', length = ''] = text.split('/');
    if (!isRange(text))
      throw new Error(`network address parse error during conversion from string: ${JSON.stringify(text)}`);
    this.address = new Address(address);
    this.length = Number(length);
    this.list.addSubnet(this.address.text, this.length, this.address.family);
  }

  has({ text, family }: Address): boolean {
    return family === this.address.family && this.list.check(text, family);
  }

  toString(): string {
    return `${this.address.text}/${this.length}`;
  }
}

/** Zones and IPv4 written as IPv6 are not for rules. */
function isAddress(text: string): boolean {
  return isIP(text) !== 0 && !text.includes('%') && !/^::ffff:\d+\./i.test(text);
}

function isRange(text: string): boolean {
  const [address = '', length = '', ...rest] = text.split('/');
  return (
    isAddress(address) &&
    rest.length === 0 &&
    /^(?:0|[1-9]\d{0,2})$/.test(length) &&
    Number(length) <= (isIP(address) === 4 ? 32 : 128)
  );
}

const LOOPBACK = blocks(['127.0.0.0', 8], ['::1', 128]);
const LINK_LOCAL = blocks(['169.254.0.0', 16], ['fe80::', 10]);
const LINK_LOCAL_MULTICAST = blocks(['224.0.0.0', 24], ['ff02::', 16]);
const MULTICAST = blocks(['224.0.0.0', 4], ['ff00::', 8]);

function blocks(v4: readonly [string, number], v6: readonly [string, number]): BlockList {
  const list = new BlockList();
  list.addSubnet(...v4, 'ipv4');
  list.addSubnet(...v6, 'ipv6');
  return list;
}

class IpLibrary {}

/** Kubernetes' libraries `ip` and `cidr`. */
export function registerAddresses(environment: Environment): void {
  const within = (list: BlockList) => (address: Address) => list.check(address.text, address.family);
  const isUnspecified = ({ text }: Address) => text === '0.0.0.0' || text === '::';
  const isSpecial = (address: Address) =>
    isUnspecified(address) ||
    address.text === '255.255.255.255' ||
    [LOOPBACK, LINK_LOCAL, MULTICAST].some((list) => within(list)(address));
  environment.registerType('net.IP', Address);
  environment.registerType('net.CIDR', Range);
  environment.registerFunction('isIP(string): bool', isAddress);
  environment.registerFunction('ip(string): net.IP', (text: string) => new Address(text));
  environment.registerType('IpLibrary', IpLibrary);
  environment.registerConstant('ip', 'IpLibrary', new IpLibrary());
  environment.registerFunction(
    'IpLibrary.isCanonical(string): bool',
    (_: unknown, text: string) => new Address(text).text === text,
  );
  environment.registerFunction('string(net.IP): string', ({ text }: Address) => text);
  environment.registerFunction('net.IP.family(): int', ({ family }: Address) =>
    family === 'ipv4' ? 4n : 6n,
  );
  environment.registerFunction('net.IP.isUnspecified(): bool', isUnspecified);
  environment.registerFunction('net.IP.isLoopback(): bool', within(LOOPBACK));
  environment.registerFunction('net.IP.isLinkLocalUnicast(): bool', within(LINK_LOCAL));
  environment.registerFunction('net.IP.isLinkLocalMulticast(): bool', within(LINK_LOCAL_MULTICAST));
  environment.registerFunction('net.IP.isGlobalUnicast(): bool', (address: Address) => !isSpecial(address));
  environment.registerOperator('net.IP == net.IP', (a: Address, b: Address) => a.text === b.text);
  environment.registerFunction('isCIDR(string): bool', isRange);
  environment.registerFunction('cidr(string): net.CIDR', (text: string) => new Range(text));
  environment.registerFunction('string(net.CIDR): string', (range: Range) => range.toString());
  environment.registerFunction('net.CIDR.ip(): net.IP', ({ address }: Range) => address);
  environment.registerFunction('net.CIDR.prefixLength(): int', ({ length }: Range) => BigInt(length));
  environment.registerFunction('net.CIDR.containsIP(net.IP): bool', (range: Range, address: Address) =>
    range.has(address),
  );
  environment.registerFunction('net.CIDR.containsIP(string): bool', (range: Range, text: string) =>
    range.has(new Address(text)),
  );
  const contains = (range: Range, inner: Range) => inner.length >= range.length && range.has(inner.address);
  environment.registerFunction('net.CIDR.containsCIDR(net.CIDR): bool', contains);
  environment.registerFunction('net.CIDR.containsCIDR(string): bool', (range: Range, text: string) =>
    contains(range, new Range(text)),
  );
  environment.registerOperator('net.CIDR == net.CIDR', (a: Range, b: Range) => a.toString() === b.toString());
}
