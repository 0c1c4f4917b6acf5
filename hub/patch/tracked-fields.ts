import { badRequest } from '../resources/api-error.ts';
import { isJsonObject, type JsonObject, sameJson } from '../schema/json-type.ts';
import { ANY, type ListSchema, type Schema } from '../schema/schema.ts';
import {
  type FieldSet,
  fieldElement,
  fieldSet,
  keyElement,
  NO_FIELDS,
  valueElement,
  WHOLE_FIELD,
} from './field-set.ts';

/** A part of a value that is owned by itself. */
export interface Part {
  readonly element: string;
  readonly schema: Schema;
  readonly value: unknown;
}

function itemElement(schema: ListSchema, item: unknown): string {
  if (schema.listType === 'set') return valueElement(item);
  const fields = schema.items.type === 'object' ? schema.items.fields : undefined;
  const object: JsonObject = isJsonObject(item) ? item : {};
  return keyElement(
    schema.mapKeys.flatMap((key) => {
      const value = object[key] ?? fields?.get(key)?.default;
      return value === undefined ? [] : [[key, value] as const];
    }),
  );
}

/** The parts of a value, or undefined when it is one whole for server-side apply. */
export function partsOf(schema: Schema, value: unknown): Part[] | undefined {
  if (schema.type === 'list') {
    if (schema.listType === 'atomic' || !Array.isArray(value)) return undefined;
    const items = schema.listType === 'set' ? ANY : schema.items;
    return value.map((item) => ({ element: itemElement(schema, item), schema: items, value: item }));
  }
  if ((schema.type !== 'object' && schema.type !== 'map') || schema.atomic || !isJsonObject(value)) {
    return undefined;
  }
  return Object.entries(value)
    .filter(([, child]) => child !== undefined && child !== null)
    .map(([key, child]) => ({
      element: fieldElement(key),
      schema: schema.type === 'map' ? schema.values : (schema.fields.get(key)?.schema ?? ANY),
      value: child,
    }));
}

/**
 * The set of all fields of a value. `marksContainers` also puts maps and lists themselves in it, as an update that
 * brings them does; an apply only means what it fills them with.
 */
export function fieldsOf(schema: Schema, value: unknown, marksContainers = false): FieldSet {
  const parts = partsOf(schema, value);
  if (!parts || parts.length === 0) return WHOLE_FIELD;
  return fieldSet(
    marksContainers && schema.type !== 'object',
    parts.map((part) => [part.element, partFields(part, marksContainers)]),
  );
}

function partFields(part: Part, marksContainers: boolean): FieldSet {
  const set = fieldsOf(part.schema, part.value, marksContainers);
  return part.element.startsWith('f:') ? set : { owned: true, children: set.children };
}

export interface Changes {
  /** Fields that are new or have another value. */
  readonly changed: FieldSet;
  /** Fields that are gone, with all that was below them. */
  readonly removed: FieldSet;
}

const NO_CHANGES: Changes = { changed: NO_FIELDS, removed: NO_FIELDS };

/** What differs between two values, field by field. The order of lists that merge does not count. */
export function changesOf(schema: Schema, before: unknown, after: unknown): Changes {
  if (before === after) return NO_CHANGES;
  const beforeParts = partsOf(schema, before);
  const afterParts = partsOf(schema, after);
  if (!beforeParts || !afterParts) {
    return sameJson(before, after)
      ? NO_CHANGES
      : { changed: fieldsOf(schema, after, true), removed: NO_FIELDS };
  }
  const old = new Map(beforeParts.map((part) => [part.element, part]));
  const changed: [string, FieldSet][] = [];
  const removed: [string, FieldSet][] = [];
  for (const part of afterParts) {
    const previous = old.get(part.element);
    old.delete(part.element);
    const changes = previous
      ? changesOf(part.schema, previous.value, part.value)
      : { changed: partFields(part, true), removed: NO_FIELDS };
    changed.push([part.element, changes.changed]);
    removed.push([part.element, changes.removed]);
  }
  for (const element of old.keys()) removed.push([element, WHOLE_FIELD]);
  return { changed: fieldSet(false, changed), removed: fieldSet(false, removed) };
}

/** Throws 400 for lists that cannot be told item from item: a key is missing, or two items have the same. */
export function checkListKeys(schema: Schema, value: unknown, path = ''): void {
  const parts = partsOf(schema, value) ?? [];
  const seen = new Set<string>();
  for (const [index, part] of parts.entries()) {
    const inside = schema.type === 'list' ? `${path}[${index}]` : `${path}.${part.element.slice(2)}`;
    if (seen.has(part.element))
      throw badRequest(`${path}: duplicate entries for key ${part.element.slice(2)}`);
    seen.add(part.element);
    if (schema.type === 'list' && schema.listType === 'map') checkKeys(schema, part.value, inside);
    checkListKeys(part.schema, part.value, inside);
  }
}

function checkKeys(schema: ListSchema, item: unknown, path: string): void {
  const fields = schema.items.type === 'object' ? schema.items.fields : undefined;
  for (const key of schema.mapKeys) {
    if (isJsonObject(item) && (item[key] ?? fields?.get(key)?.default) !== undefined) continue;
    throw badRequest(
      `${path}: associative list with keys has an element that omits key field "${key}" (and doesn't have default value)`,
    );
  }
}
