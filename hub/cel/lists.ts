import type { Environment } from '@marcbachmann/cel-js';
import { isEqual } from './equality.ts';

/** A place for functions that are called by a name: `sets.contains(a, b)`. */
class SetsLibrary {}
class MathLibrary {}

type List = readonly unknown[];

/** Kubernetes' lists library, sets, and what of `math` is in use. */
export function registerLists(environment: Environment): void {
  environment.registerFunction('list.isSorted(): bool', (list: List) =>
    list.every((item, index) => index === 0 || compare(list[index - 1], item) <= 0),
  );
  environment.registerFunction('list.sum(): dyn', (list: List) => sum(list));
  environment.registerFunction('list.min(): dyn', (list: List) => extreme(list, -1, 'min'));
  environment.registerFunction('list.max(): dyn', (list: List) => extreme(list, 1, 'max'));
  environment.registerFunction('list.indexOf(dyn): int', (list: List, item: unknown) =>
    BigInt(list.findIndex((each) => isEqual(each, item))),
  );
  environment.registerFunction('list.lastIndexOf(dyn): int', (list: List, item: unknown) =>
    BigInt(list.findLastIndex((each) => isEqual(each, item))),
  );
  const has = (list: List, item: unknown) => list.some((each) => isEqual(each, item));
  const contains = (list: List, part: List) => part.every((item) => has(list, item));
  environment.registerType('SetsLibrary', SetsLibrary);
  environment.registerConstant('sets', 'SetsLibrary', new SetsLibrary());
  environment.registerFunction('SetsLibrary.contains(list, list): bool', (_: unknown, a: List, b: List) =>
    contains(a, b),
  );
  environment.registerFunction(
    'SetsLibrary.equivalent(list, list): bool',
    (_: unknown, a: List, b: List) => contains(a, b) && contains(b, a),
  );
  environment.registerFunction('SetsLibrary.intersects(list, list): bool', (_: unknown, a: List, b: List) =>
    a.some((item) => has(b, item)),
  );
  environment.registerType('MathLibrary', MathLibrary);
  environment.registerConstant('math', 'MathLibrary', new MathLibrary());
  environment.registerFunction('MathLibrary.greatest(dyn, dyn): dyn', (_: unknown, a: unknown, b: unknown) =>
    compare(a, b) >= 0 ? a : b,
  );
  environment.registerFunction('MathLibrary.least(dyn, dyn): dyn', (_: unknown, a: unknown, b: unknown) =>
    compare(a, b) <= 0 ? a : b,
  );
  environment.registerFunction('MathLibrary.greatest(list): dyn', (_: unknown, list: List) =>
    extreme(list, 1, 'max'),
  );
  environment.registerFunction('MathLibrary.least(list): dyn', (_: unknown, list: List) =>
    extreme(list, -1, 'min'),
  );
}

function compare(a: unknown, b: unknown): number {
  if (typeof a === 'string' && typeof b === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b));
  const [left, right] = [a as number, b as number];
  return left < right ? -1 : left > right ? 1 : 0;
}

function extreme(list: List, sign: number, name: string): unknown {
  if (list.length === 0) throw new Error(`${name} called on empty list`);
  return list.reduce((best, item) => (compare(item, best) * sign > 0 ? item : best));
}

function sum(list: List): unknown {
  const [first] = list;
  if (first === undefined) return 0n;
  if (typeof first === 'bigint') return (list as bigint[]).reduce((total, each) => total + each, 0n);
  return (list as number[]).reduce((total, each) => total + each, 0);
}
