import { isJsonObject, type JsonObject } from '../schema/json-type.ts';

/**
 * A set of fields of an object, as a tree. The keys of `children` are written as FieldsV1 has them: `f:<name>`,
 * `k:{"<key>":<value>}` with sorted keys for an item of a list, `v:<json>` for an item of a set.
 */
export interface FieldSet {
  /** Whether this very place belongs to the set, besides what is below it. */
  readonly owned: boolean;
  readonly children: ReadonlyMap<string, FieldSet>;
}

export const NO_FIELDS: FieldSet = { owned: false, children: new Map() };
export const WHOLE_FIELD: FieldSet = { owned: true, children: new Map() };

const SELF = '.';

export function isEmptySet({ owned, children }: FieldSet): boolean {
  return !owned && children.size === 0;
}

/** A set from the sets of its children; those that are empty are left out. */
export function fieldSet(owned: boolean, children: Iterable<readonly [string, FieldSet]>): FieldSet {
  return { owned, children: new Map([...children].filter(([, child]) => !isEmptySet(child))) };
}

function childOf(set: FieldSet, element: string): FieldSet {
  return set.children.get(element) ?? NO_FIELDS;
}

export function union(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmptySet(a)) return b;
  if (isEmptySet(b)) return a;
  const elements = new Set([...a.children.keys(), ...b.children.keys()]);
  return fieldSet(
    a.owned || b.owned,
    [...elements].map((element) => [element, union(childOf(a, element), childOf(b, element))]),
  );
}

/** Halves at a time: one after the other would copy the growing sum once for each. */
export function unionAll(sets: readonly FieldSet[]): FieldSet {
  if (sets.length <= 1) return sets[0] ?? NO_FIELDS;
  const middle = sets.length >> 1;
  return union(unionAll(sets.slice(0, middle)), unionAll(sets.slice(middle)));
}

/** What is in `a` but not in `b`, place by place. */
export function difference(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmptySet(b)) return a;
  return fieldSet(
    a.owned && !b.owned,
    [...a.children].map(([element, child]) => [element, difference(child, childOf(b, element))]),
  );
}

/** `a` without the places of `b` and everything below them. */
export function withoutSubtrees(a: FieldSet, b: FieldSet): FieldSet {
  if (b.owned) return NO_FIELDS;
  if (b.children.size === 0) return a;
  return fieldSet(
    a.owned,
    [...a.children].map(([element, child]) => [element, withoutSubtrees(child, childOf(b, element))]),
  );
}

export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  return fieldSet(
    a.owned && b.owned,
    [...a.children].map(([element, child]) => [element, intersection(child, childOf(b, element))]),
  );
}

export function sameFields(a: FieldSet, b: FieldSet): boolean {
  if (a === b) return true;
  if (a.owned !== b.owned || a.children.size !== b.children.size) return false;
  return [...a.children].every(([element, child]) => sameFields(child, childOf(b, element)));
}

/** As `fieldsV1` has it; the same set always gives the same bytes. */
export function encodeFields({ owned, children }: FieldSet): JsonObject {
  const encoded: JsonObject = owned && children.size > 0 ? { [SELF]: {} } : {};
  for (const element of [...children.keys()].sort()) {
    const child = children.get(element);
    if (child) encoded[element] = encodeFields(child);
  }
  return encoded;
}

/** A path element in the one spelling that comparisons rely on. Throws if it is none. */
function normalElement(element: string): string {
  const text = element.slice(2);
  switch (element.slice(0, 2)) {
    case 'f:':
    case 'i:':
      return element;
    case 'v:':
      return valueElement(JSON.parse(text));
    case 'k:': {
      const key: unknown = JSON.parse(text);
      if (isJsonObject(key)) return keyElement(Object.entries(key));
    }
  }
  throw new Error(`"${element}" is no path element`);
}

/** Reads `fieldsV1`. Throws if it is malformed. */
export function decodeFields(encoded: unknown): FieldSet {
  return decodeChildren(encoded, false);
}

function decodeChildren(encoded: unknown, isChild: boolean): FieldSet {
  if (!isJsonObject(encoded)) throw new Error('a set of fields must be an object');
  const { [SELF]: self, ...children } = encoded;
  return {
    owned: isChild && (self !== undefined || Object.keys(children).length === 0),
    children: new Map(
      Object.entries(children).map(([element, child]) => [
        normalElement(element),
        decodeChildren(child, true),
      ]),
    ),
  };
}

export function fieldElement(name: string): string {
  return `f:${name}`;
}

/** The element of an item in a list that is a set. */
export function valueElement(value: unknown): string {
  return `v:${JSON.stringify(value)}`;
}

/** The element of an item in a list that is a map. */
export function keyElement(key: readonly (readonly [string, unknown])[]): string {
  const sorted = [...key].sort(([a], [b]) => (a < b ? -1 : 1));
  return `k:${JSON.stringify(Object.fromEntries(sorted))}`;
}

function elementText(element: string): string {
  const text = element.slice(2);
  if (element.startsWith('f:')) return `.${text}`;
  if (element.startsWith('v:')) return `[=${text}]`;
  if (element.startsWith('i:')) return `[${text}]`;
  const key = Object.entries(JSON.parse(text) as JsonObject);
  return `[${key.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(',')}]`;
}

/** Every place of the set, as messages have it: `.spec.containers[name="web"].image`. */
export function pathsOf(set: FieldSet, prefix = ''): string[] {
  return [
    ...(set.owned ? [prefix] : []),
    ...[...set.children].flatMap(([element, child]) => pathsOf(child, prefix + elementText(element))),
  ];
}
