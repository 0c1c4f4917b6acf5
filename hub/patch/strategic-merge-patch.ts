import { badRequest } from '../resources/api-error.ts';
import { isJsonObject, type JsonObject } from '../schema/json-type.ts';
import { ANY, type Field, type ListSchema, type PatchStrategy, type Schema } from '../schema/schema.ts';

const DIRECTIVE = '$patch';
const RETAIN_KEYS = '$retainKeys';
const DELETE_FROM_LIST = '$deleteFromPrimitiveList/';
const ELEMENT_ORDER = '$setElementOrder/';

/** What the directives beside a list say of it. */
interface ListDirectives {
  readonly remove: readonly unknown[];
  readonly order: readonly unknown[] | undefined;
}

function directiveOf(patch: JsonObject): 'replace' | 'delete' | 'merge' {
  const directive = patch[DIRECTIVE] ?? 'merge';
  if (directive === 'replace' || directive === 'delete' || directive === 'merge') return directive;
  throw badRequest(`unknown patch type found: ${JSON.stringify(directive)}`);
}

function without(object: JsonObject, key: string): JsonObject {
  const { [key]: _, ...rest } = object;
  return rest;
}

function listOf(patch: JsonObject, key: string): readonly unknown[] | undefined {
  const value = patch[key];
  if (value === undefined || Array.isArray(value)) return value;
  throw badRequest(`${key} must be a list`);
}

function fieldOf(schema: Schema, key: string): Field {
  if (schema.type === 'map') return { schema: schema.values };
  const field = schema.type === 'object' ? schema.fields.get(key) : undefined;
  return field ?? { schema: ANY };
}

/** The object with only the keys that `$retainKeys` names, if it is there. */
function retainKeys(original: JsonObject, patch: JsonObject): JsonObject {
  const retained = listOf(patch, RETAIN_KEYS);
  if (!retained) return original;
  const names = new Set(retained);
  const stray = Object.keys(patch).find((key) => !key.startsWith('$') && !names.has(key));
  if (stray !== undefined)
    throw badRequest(`${RETAIN_KEYS} must name every key of the patch, not "${stray}"`);
  return Object.fromEntries(Object.entries(original).filter(([key]) => names.has(key)));
}

/** Names of the lists that the patch speaks of, by themselves or only in a directive. */
function patchedKeys(patch: JsonObject): Set<string> {
  const keys = new Set<string>();
  for (const key of Object.keys(patch)) {
    if (key === DIRECTIVE || key === RETAIN_KEYS) continue;
    const prefix = [DELETE_FROM_LIST, ELEMENT_ORDER].find((directive) => key.startsWith(directive));
    keys.add(prefix ? key.slice(prefix.length) : key);
  }
  return keys;
}

function mergeObject(schema: Schema, original: JsonObject, patch: JsonObject): JsonObject {
  const directive = directiveOf(patch);
  if (directive === 'delete') return {};
  if (directive === 'replace') return mergeObject(schema, {}, without(patch, DIRECTIVE));
  const merged = { ...retainKeys(original, patch) };
  for (const key of patchedKeys(patch)) {
    const value = patch[key];
    if (value === null) {
      delete merged[key];
      continue;
    }
    const directives = {
      remove: listOf(patch, DELETE_FROM_LIST + key) ?? [],
      order: listOf(patch, ELEMENT_ORDER + key),
    };
    const result = mergeValue(fieldOf(schema, key), merged[key], value, directives);
    if (result !== undefined) merged[key] = result;
  }
  return merged;
}

function merges(strategy: PatchStrategy | undefined): boolean {
  return strategy === 'merge' || strategy === 'merge,retainKeys';
}

function mergeValue(
  { schema, patchStrategy }: Field,
  original: unknown,
  patch: unknown,
  directives: ListDirectives,
): unknown {
  if (isJsonObject(patch) && schema.type !== 'any') {
    const base = isJsonObject(original) && patchStrategy !== 'replace' ? original : {};
    return mergeObject(schema, base, patch);
  }
  if (schema.type === 'list' && merges(schema.patchStrategy)) {
    return mergeList(schema, original, patch, directives);
  }
  if (schema.type === 'list' && Array.isArray(patch)) return patch.map((item) => newItem(schema, item));
  return patch === undefined ? original : patch;
}

function newItem(schema: ListSchema, item: unknown): unknown {
  return isJsonObject(item) && schema.items.type !== 'any' ? mergeObject(schema.items, {}, item) : item;
}

function mergeList(
  schema: ListSchema,
  original: unknown,
  patch: unknown,
  { remove, order }: ListDirectives,
): unknown {
  if (patch !== undefined && !Array.isArray(patch)) return patch; // decoding will say what is wrong with it
  if (original === undefined && patch === undefined) return undefined;
  const items: readonly unknown[] = Array.isArray(original) ? original : [];
  const key = schema.patchMergeKey;
  const merged =
    key === undefined
      ? mergePrimitives(items, patch ?? [], remove)
      : mergeItems(schema, key, items, patch ?? []);
  return order ? reorder(merged, order, key) : merged;
}

function mergePrimitives(
  original: readonly unknown[],
  patch: readonly unknown[],
  remove: readonly unknown[],
): unknown[] {
  const removed = new Set(remove);
  return [...new Set([...original.filter((item) => !removed.has(item)), ...patch])];
}

function keyOf(item: JsonObject, key: string): unknown {
  if (item[key] !== undefined && item[key] !== null) return item[key];
  throw badRequest(`map: ${JSON.stringify(item)} does not contain declared merge key: ${key}`);
}

function isReplaced(patch: readonly unknown[]): boolean {
  return patch.some((item) => isJsonObject(item) && directiveOf(item) === 'replace');
}

function mergeItems(
  schema: ListSchema,
  key: string,
  original: readonly unknown[],
  patch: readonly unknown[],
): unknown[] {
  const items = new ItemsByKey(key, isReplaced(patch) ? [] : original);
  for (const item of patch) {
    if (!isJsonObject(item))
      throw badRequest(`a list that merges by "${key}" may only have objects in a patch`);
    const directive = directiveOf(item);
    // `{$patch: replace}` alone is a mark beside the items; with other fields it is one of them.
    const content = without(item, DIRECTIVE);
    if (directive === 'replace' && Object.keys(content).length === 0) continue;
    const value = keyOf(content, key);
    if (directive === 'delete') items.remove(value);
    else items.set(value, mergeObject(schema.items, items.get(value) ?? {}, content));
  }
  return items.toList();
}

/** The items of a list, which are found by their merge keys however many there are. Of equals the first is found. */
class ItemsByKey {
  readonly #items: (readonly [item: unknown] | undefined)[];
  readonly #places = new Map<string, number[]>();

  constructor(key: string, items: readonly unknown[]) {
    this.#items = items.map((item) => [item]);
    for (const [at, item] of items.entries()) {
      if (!isJsonObject(item)) continue;
      const identity = identityOf(item[key]);
      const places = this.#places.get(identity);
      if (places) places.push(at);
      else this.#places.set(identity, [at]);
    }
  }

  get(value: unknown): JsonObject | undefined {
    const [item] = this.#items[this.#places.get(identityOf(value))?.[0] ?? -1] ?? [];
    return isJsonObject(item) ? item : undefined;
  }

  /** In the place of the item that has the key, or as the last. */
  set(value: unknown, item: JsonObject): void {
    const identity = identityOf(value);
    const [at = this.#items.length] = this.#places.get(identity) ?? [];
    if (at === this.#items.length) this.#places.set(identity, [at]);
    this.#items[at] = [item];
  }

  remove(value: unknown): void {
    const identity = identityOf(value);
    for (const at of this.#places.get(identity) ?? []) this.#items[at] = undefined;
    this.#places.delete(identity);
  }

  toList(): unknown[] {
    return this.#items.flatMap((place) => place ?? []);
  }
}

/** Equal for values that are the same in JSON; merge keys are never objects. */
function identityOf(value: unknown): string {
  return String(JSON.stringify(value));
}

/** Sorts the items that `order` names among the places they hold; all others keep theirs. */
function reorder(items: readonly unknown[], order: readonly unknown[], key: string | undefined): unknown[] {
  const identity = (item: unknown): string =>
    identityOf(key !== undefined && isJsonObject(item) ? item[key] : item);
  const ranks = new Map<string, number>();
  for (const [rank, entry] of order.entries()) {
    if (!ranks.has(identity(entry))) ranks.set(identity(entry), rank);
  }
  const ranked = items.map((item) => ({ item, rank: ranks.get(identity(item)) ?? -1 }));
  const sorted = ranked.filter(({ rank }) => rank >= 0).sort((a, b) => a.rank - b.rank);
  let next = 0;
  return ranked.map(({ item, rank }) => (rank >= 0 ? sorted[next++]?.item : item));
}

/**
 * Applies a strategic merge patch, whose lists merge as the schema says. Throws 400 for a directive that does not exist
 * or a list item without its merge key. Neither argument is changed; the result shares their parts.
 */
export function applyStrategicMergePatch(schema: Schema, object: JsonObject, patch: JsonObject): JsonObject {
  return mergeObject(schema, object, patch);
}
