import type { FieldError } from '../resources/api-error.ts';
import { duplicate } from '../resources/field-errors.ts';
import { ownValue } from '../resources/object.ts';
import { isJsonObject, sameJson } from '../schema/json-type.ts';
import { fieldPath, type JsonSchema, valuesOf } from './json-schema.ts';
import { itemKey, oldItems } from './validate-value.ts';

const withKeys = new WeakMap<JsonSchema, boolean>();

function hasKeyedLists(schema: JsonSchema): boolean {
  const known = withKeys.get(schema);
  if (known !== undefined) return known;
  const type = schema['x-kubernetes-list-type'];
  const inner = [...Object.values(schema.properties ?? {}), valuesOf(schema), schema.items];
  const has =
    type === 'set' || type === 'map' || inner.some((each) => each !== undefined && hasKeyedLists(each));
  withKeys.set(schema, has);
  return has;
}

/** Items that are twice in a list that is a set or a map. Lists that are as they were in `old` are not looked at. */
export function listKeyErrors(schema: JsonSchema, value: unknown, old?: unknown, path = ''): FieldError[] {
  if (!hasKeyedLists(schema) || (old !== undefined && sameJson(value, old))) return [];
  if (Array.isArray(value))
    return [...repeated(schema, value, path), ...withinItems(schema, value, old, path)];
  if (!isJsonObject(value)) return [];
  const before = isJsonObject(old) ? old : undefined;
  const values = valuesOf(schema);
  return Object.entries(value).flatMap(([key, child]) => {
    const inner = ownValue(schema.properties, key) ?? values;
    return inner ? listKeyErrors(inner, child, ownValue(before, key), fieldPath(path, key)) : [];
  });
}

function withinItems(schema: JsonSchema, list: readonly unknown[], old: unknown, path: string): FieldError[] {
  const { items } = schema;
  if (!items) return [];
  const before = oldItems(schema, old);
  return list.flatMap((item, index) => listKeyErrors(items, item, before(item), `${path}[${index}]`));
}

function repeated(schema: JsonSchema, list: readonly unknown[], path: string): FieldError[] {
  const type = schema['x-kubernetes-list-type'];
  if (type !== 'set' && type !== 'map') return [];
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  const seen = new Set<string>();
  return list.flatMap((item, index) => {
    const key = type === 'set' ? JSON.stringify(item) : itemKey(keys, item);
    const isTwice = seen.has(key);
    seen.add(key);
    return isTwice ? [duplicate(`${path}[${index}]`, type === 'set' ? item : keyFields(keys, item))] : [];
  });
}

function keyFields(keys: readonly string[], item: unknown): object {
  const object = isJsonObject(item) ? item : {};
  return Object.fromEntries(
    keys.filter((key) => Object.hasOwn(object, key)).map((key) => [key, object[key]]),
  );
}
