/** An exact number: `value` × 10^`scale`. Resource amounts must add up, so floating point will not do. */
export interface Quantity {
  readonly value: bigint;
  readonly scale: number;
  readonly format: 'decimal' | 'binary' | 'exponent';
}

const SYNTAX = /^([+-]?)(\d+\.?\d*|\.\d+)(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?\d+))?$/;
const DECIMAL_SUFFIXES = new Map([
  ['n', -9],
  ['u', -6],
  ['m', -3],
  ['', 0],
  ['k', 3],
  ['M', 6],
  ['G', 9],
  ['T', 12],
  ['P', 15],
  ['E', 18],
]);
const BINARY_SUFFIXES = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];
const SMALLEST_SCALE = -9;
/** Beyond it no machine has so much of anything, and a client must not make the hub compute 10^999999999. */
const LARGEST_EXPONENT = 30;
/** Nor must it compute with a million digits. */
const MAX_LENGTH = 100;

/** Returns undefined for what is no quantity. Finer than nano is rounded up, as Kubernetes does. */
export function parseQuantity(input: string | number): Quantity | undefined {
  const text = String(input);
  const match = text.length <= MAX_LENGTH ? SYNTAX.exec(text) : undefined;
  if (!match) return undefined;
  const [, sign = '', digits = '', suffix = '', exponent] = match;
  if (exponent !== undefined && Math.abs(Number(exponent)) > LARGEST_EXPONENT) return undefined;
  const [whole = '', fraction = ''] = digits.split('.');
  const magnitude = BigInt(`${whole}${fraction}` || '0') * binaryFactor(suffix);
  const value = sign === '-' ? -magnitude : magnitude;
  const power = exponent === undefined ? (DECIMAL_SUFFIXES.get(suffix) ?? 0) : Number(exponent);
  return {
    ...toNano({ value, scale: power - fraction.length }),
    format: exponent !== undefined ? 'exponent' : suffix.endsWith('i') ? 'binary' : 'decimal',
  };
}

function binaryFactor(suffix: string): bigint {
  return suffix.endsWith('i') ? 1024n ** BigInt(BINARY_SUFFIXES.indexOf(suffix)) : 1n;
}

function toNano({ value, scale }: { value: bigint; scale: number }): { value: bigint; scale: number } {
  if (scale >= SMALLEST_SCALE) return { value, scale };
  return { value: divideAwayFromZero(value, 10n ** BigInt(SMALLEST_SCALE - scale)), scale: SMALLEST_SCALE };
}

function divideAwayFromZero(value: bigint, divisor: bigint): bigint {
  const quotient = value / divisor;
  if (quotient * divisor === value) return quotient;
  return value < 0n ? quotient - 1n : quotient + 1n;
}

function scaledTo(quantity: Quantity, scale: number): bigint {
  return quantity.scale >= scale
    ? quantity.value * 10n ** BigInt(quantity.scale - scale)
    : divideAwayFromZero(quantity.value, 10n ** BigInt(scale - quantity.scale));
}

/** Below zero when `left` is the smaller one. */
export function compareQuantities(left: Quantity, right: Quantity): number {
  const scale = Math.min(left.scale, right.scale);
  const difference = scaledTo(left, scale) - scaledTo(right, scale);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

export function addQuantities(left: Quantity, right: Quantity): Quantity {
  const scale = Math.min(left.scale, right.scale);
  return {
    value: scaledTo(left, scale) + scaledTo(right, scale),
    scale,
    format: left.value === 0n ? right.format : left.format,
  };
}

/** Thousandths, rounded up: how CPU is counted. */
export function toMilli(quantity: Quantity): number {
  return Number(scaledTo(quantity, -3));
}

/** Whole units, rounded up: bytes, pods. */
export function toNumber(quantity: Quantity): number {
  return Number(scaledTo(quantity, 0));
}

/** The one spelling of a quantity: `1000m` is `1`, `1.5Gi` is `1536Mi`. */
export function canonicalQuantity(quantity: Quantity): string {
  if (quantity.value === 0n) return '0';
  const binary = quantity.format === 'binary' ? binaryForm(quantity) : undefined;
  return binary ?? decimalForm(quantity);
}

function binaryForm(quantity: Quantity): string | undefined {
  const units = scaledTo(quantity, 0);
  const magnitude = units < 0n ? -units : units;
  const isWhole = compareQuantities({ value: units, scale: 0, format: 'binary' }, quantity) === 0;
  if (!isWhole || magnitude < 1024n) return undefined;
  let value = units;
  let step = 0;
  while (value % 1024n === 0n && step < BINARY_SUFFIXES.length - 1) {
    value /= 1024n;
    step++;
  }
  return `${value}${BINARY_SUFFIXES[step] ?? ''}`;
}

function decimalForm(quantity: Quantity): string {
  let { value, scale } = quantity;
  while (value % 10n === 0n) {
    value /= 10n;
    scale++;
  }
  const power = Math.min(Math.floor(scale / 3) * 3, 18);
  const mantissa = value * 10n ** BigInt(scale - power);
  if (quantity.format === 'exponent') return power === 0 ? `${mantissa}` : `${mantissa}e${power}`;
  const suffix = [...DECIMAL_SUFFIXES].find(([, each]) => each === power)?.[0] ?? '';
  return `${mantissa}${suffix}`;
}
