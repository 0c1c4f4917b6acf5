import type { Environment } from '@marcbachmann/cel-js';
import {
  type Quantity as Amount,
  addQuantities,
  canonicalQuantity,
  compareQuantities,
  parseQuantity,
  toNumber,
} from '../resources/quantity.ts';

class Quantity {
  readonly amount: Amount;

  constructor(amount: Amount) {
    this.amount = amount;
  }
}

function read(text: string): Quantity {
  const amount = parseQuantity(text);
  if (!amount)
    throw new Error(
      "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    );
  return new Quantity(amount);
}

function negative({ amount }: Quantity): Amount {
  return { ...amount, value: -amount.value };
}

function whole(value: bigint): Quantity {
  return new Quantity({ value, scale: 0, format: 'decimal' });
}

function isInteger({ amount: { value, scale } }: Quantity): boolean {
  return scale >= 0 || value % 10n ** BigInt(-scale) === 0n;
}

/** Kubernetes' quantities library. */
export function registerQuantities(environment: Environment): void {
  const sign = ({ amount: { value } }: Quantity) => (value > 0n ? 1n : value < 0n ? -1n : 0n);
  const compare = (a: Quantity, b: Quantity) => compareQuantities(a.amount, b.amount);
  const type = 'kubernetes.Quantity';
  environment.registerType(type, Quantity);
  environment.registerFunction(`quantity(string): ${type}`, read);
  environment.registerFunction(
    'isQuantity(string): bool',
    (text: string) => parseQuantity(text) !== undefined,
  );
  environment.registerFunction(`string(${type}): string`, ({ amount }: Quantity) =>
    canonicalQuantity(amount),
  );
  environment.registerFunction(`${type}.sign(): int`, sign);
  environment.registerFunction(`${type}.isInteger(): bool`, isInteger);
  environment.registerFunction(`${type}.asInteger(): int`, (quantity: Quantity) => {
    if (!isInteger(quantity)) throw new Error('cannot convert value to integer');
    return BigInt(toNumber(quantity.amount));
  });
  environment.registerFunction(
    `${type}.asApproximateFloat(): double`,
    ({ amount: { value, scale } }: Quantity) => Number(value) * 10 ** scale,
  );
  environment.registerFunction(
    `${type}.isLessThan(${type}): bool`,
    (a: Quantity, b: Quantity) => compare(a, b) < 0,
  );
  environment.registerFunction(
    `${type}.isGreaterThan(${type}): bool`,
    (a: Quantity, b: Quantity) => compare(a, b) > 0,
  );
  environment.registerFunction(`${type}.compareTo(${type}): int`, (a: Quantity, b: Quantity) =>
    BigInt(Math.sign(compare(a, b))),
  );
  for (const [other, of] of [
    [type, (value: unknown) => value as Quantity],
    ['int', (value: unknown) => whole(value as bigint)],
  ] as const) {
    environment.registerFunction(
      `${type}.add(${other}): ${type}`,
      (a: Quantity, b: unknown) => new Quantity(addQuantities(a.amount, of(b).amount)),
    );
    environment.registerFunction(
      `${type}.sub(${other}): ${type}`,
      (a: Quantity, b: unknown) => new Quantity(addQuantities(a.amount, negative(of(b)))),
    );
  }
  environment.registerOperator(`${type} == ${type}`, (a: Quantity, b: Quantity) => compare(a, b) === 0);
}
