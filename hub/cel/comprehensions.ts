import type { Environment } from '@marcbachmann/cel-js';

/*
 * Comprehensions with two variables, as Kubernetes 1.34 has them: index and item of a list, key and value of a map. They
 * are macros: their arguments are expressions, which are evaluated once for each item. What follows are the parts of the
 * library that it hands to macros.
 */

interface Type {
  readonly kind: string;
  readonly name: string;
  readonly keyType: Type;
  readonly valueType: Type;
  isDynOrBool(): boolean;
}

interface Node {
  readonly op: string;
  readonly args: unknown;
}

interface Scope {
  forkWithVariable(name: string, type: Type): InnerScope;
}

/** A scope with one variable more, which is given another value for each item. */
interface InnerScope extends Scope {
  reuse(parent: Scope): InnerScope;
  setIterValue(value: unknown, evaluator: Evaluator): InnerScope;
}

interface Checker {
  check(node: Node, scope: Scope): Type;
  getType(name: string): Type;
  formatType(type: Type): string;
  createError(code: string, message: string, node: Node): Error;
  readonly registry: { getListType(of: Type): Type; getMapType(key: Type, value: Type): Type };
}

interface Evaluator {
  run(node: Node, scope: Scope): unknown;
  /** An error that evaluation throws is returned. */
  tryEval(node: Node, scope: Scope): unknown;
}

interface Call {
  readonly args: readonly Node[];
  readonly receiver: Node;
}

interface Comprehension {
  readonly name: string;
  /** Whether a filter may stand before the last argument. */
  readonly filters: boolean;
  /** Of the whole, by the type of its last argument; throws for one that can not be. */
  type(checker: Checker, result: Type, first: Type, node: Node): Type;
  /** Takes the items one after the other. */
  evaluate(items: Iterable<ItemSteps>): unknown;
}

/** An item, to be evaluated before the next is taken: both share their variables. */
interface ItemSteps {
  /** Index or key. */
  readonly key: unknown;
  /** The value of the last argument. Throws what it throws. */
  result(): unknown;
  /** The same; what it throws is returned. */
  tried(): unknown;
}

const bool: Comprehension['type'] = (checker, result, _, node) => {
  if (!result.isDynOrBool())
    throw checker.createError(
      'invalid_argument',
      `predicate must return bool, got '${checker.formatType(result)}'`,
      node,
    );
  return checker.getType('bool');
};

/** Looks for an item whose predicate is `wanted`; an error counts only when there is none. */
function seek(items: Iterable<ItemSteps>, wanted: boolean): boolean {
  let failure: Error | undefined;
  for (const item of items) {
    const value = item.tried();
    if (value instanceof Error) failure ??= value;
    else if (value === wanted) return true;
  }
  if (failure) throw failure;
  return false;
}

const existsOne = (name: string): Comprehension => ({
  name,
  filters: false,
  type: bool,
  evaluate: (items) => Array.from(items, (item) => item.result()).filter((is) => is === true).length === 1,
});

const COMPREHENSIONS: readonly Comprehension[] = [
  { name: 'all', filters: false, type: bool, evaluate: (items) => !seek(items, false) },
  { name: 'exists', filters: false, type: bool, evaluate: (items) => seek(items, true) },
  existsOne('existsOne'),
  existsOne('exists_one'),
  {
    name: 'transformList',
    filters: true,
    type: ({ registry }, result) => registry.getListType(result),
    evaluate: (items) => Array.from(items, (item) => item.result()),
  },
  {
    name: 'transformMap',
    filters: true,
    type: ({ registry }, result, key) => registry.getMapType(key, result),
    evaluate: (items) => new Map(Array.from(items, (item) => [item.key, item.result()])),
  },
  {
    name: 'transformMapEntry',
    filters: true,
    type: (checker, result, _, node) => {
      if (result.kind !== 'map' && result.kind !== 'dyn')
        throw checker.createError(
          'invalid_argument',
          `transformMapEntry must make a map, got '${checker.formatType(result)}'`,
          node,
        );
      return result;
    },
    evaluate: (items) => joined(items),
  },
];

/** The entries of all maps. No key may be in two of them. */
function joined(items: Iterable<ItemSteps>): Map<unknown, unknown> {
  const made = new Map<unknown, unknown>();
  for (const item of items)
    for (const [key, value] of entriesOf(item.result())) {
      if (made.has(key)) throw new Error(`insert failed: key ${String(key)} already exists`);
      made.set(key, value);
    }
  return made;
}

function entriesOf(value: unknown): [unknown, unknown][] {
  if (Array.isArray(value)) return value.map((item, index) => [BigInt(index), item]);
  if (value instanceof Map) return [...(value as Map<unknown, unknown>)];
  if (typeof value === 'object' && value !== null) return Object.entries(value);
  throw new Error('a comprehension ranges over a list or a map');
}

export function registerComprehensions(environment: Environment): void {
  for (const each of COMPREHENSIONS) {
    environment.registerFunction(`list.${each.name}(ast, ast, ast): dyn`, (call: Call) =>
      macroOf(each, call),
    );
    if (each.filters)
      environment.registerFunction(`list.${each.name}(ast, ast, ast, ast): dyn`, (call: Call) =>
        macroOf(each, call),
      );
  }
}

function macroOf(comprehension: Comprehension, { args, receiver }: Call): object {
  const [first, second, ...rest] = args;
  const [filter, last] = rest.length === 2 ? rest : [undefined, rest[0]];
  if (!first || !second || !last) throw new Error(`${comprehension.name} takes two variables`);
  let [outer, inner]: (InnerScope | undefined)[] = [];
  let keys = '';
  return {
    async: false,
    typeCheck(checker: Checker, _: unknown, scope: Scope): Type {
      const names = [first, second].map((node) => variableOf(checker, comprehension, node));
      const [key, value] = rangeOf(checker, receiver, scope);
      keys = key.name;
      outer = scope.forkWithVariable(names[0] ?? '', key);
      inner = outer.forkWithVariable(names[1] ?? '', value);
      if (filter) bool(checker, checker.check(filter, inner), key, filter);
      return comprehension.type(checker, checker.check(last, inner), key, last);
    },
    evaluate(evaluator: Evaluator, _: unknown, scope: Scope): unknown {
      const range = entriesOf(evaluator.run(receiver, scope));
      const at = (key: unknown, value: unknown): Scope | undefined => {
        const parent = outer?.reuse(scope).setIterValue(key, evaluator);
        return parent && inner?.reuse(parent).setIterValue(value, evaluator);
      };
      return comprehension.evaluate(itemsOf(range, keys, at, evaluator, filter, last));
    },
  };
}

/** Those that the filter lets through, one after the other. */
function* itemsOf(
  range: readonly [unknown, unknown][],
  keys: string,
  at: (key: unknown, value: unknown) => Scope | undefined,
  evaluator: Evaluator,
  filter: Node | undefined,
  last: Node,
): Generator<ItemSteps> {
  for (const [given, value] of range) {
    // The language's own maps have texts for keys, whatever they are.
    const key = keys === 'int' && typeof given === 'string' ? BigInt(given) : given;
    const scope = at(key, value);
    if (!scope) throw new Error('a comprehension was evaluated before it was checked');
    if (filter && evaluator.run(filter, scope) !== true) continue;
    yield {
      key,
      result: () => evaluator.run(last, scope),
      tried: () => evaluator.tryEval(last, scope),
    };
  }
}

function variableOf(checker: Checker, { name }: Comprehension, node: Node): string {
  if (node.op === 'id' && typeof node.args === 'string') return node.args;
  throw checker.createError('invalid_macro_argument', `${name} takes the names of two variables`, node);
}

/** Types of index and item, or of key and value. */
function rangeOf(checker: Checker, receiver: Node, scope: Scope): [Type, Type] {
  const type = checker.check(receiver, scope);
  switch (type.kind) {
    case 'list':
      return [checker.getType('int'), type.valueType];
    case 'map':
      return [type.keyType, type.valueType];
    case 'dyn':
      return [type, type];
    default:
      throw checker.createError(
        'invalid_comprehension_range',
        `Expression of type '${checker.formatType(type)}' cannot be range of a comprehension (must be list, map, or dynamic).`,
        receiver,
      );
  }
}
