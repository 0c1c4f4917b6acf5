import { ownValue } from '../resources/object.ts';
import { isJsonObject } from '../schema/json-type.ts';
import { type JsonSchema, valuesOf } from './json-schema.ts';

const withDefaults = new WeakMap<JsonSchema, boolean>();

/** Whether there is anything to fill in below: most of a large schema is never walked. */
function hasDefaults(schema: JsonSchema): boolean {
  const known = withDefaults.get(schema);
  if (known !== undefined) return known;
  const { properties = {}, items } = schema;
  const inner = [...Object.values(properties), valuesOf(schema), items];
  const has =
    Object.values(properties).some((each) => each.default !== undefined) ||
    valuesOf(schema)?.default !== undefined ||
    items?.default !== undefined ||
    inner.some((each) => each !== undefined && hasDefaults(each));
  withDefaults.set(schema, has);
  return has;
}

/**
 * Fills in what the schema says and the value does not, on every level that is there. A `null` stands for a missing value
 * where the schema has a default and does not allow `null`. Changes the value.
 */
export function setSchemaDefaults(schema: JsonSchema, value: unknown): void {
  if (!hasDefaults(schema)) return;
  if (Array.isArray(value)) {
    const { items } = schema;
    if (!items) return;
    for (const [index, item] of value.entries()) {
      if (item === null && isFilled(items)) value[index] = structuredClone(items.default);
      setSchemaDefaults(items, value[index]);
    }
    return;
  }
  if (!isJsonObject(value)) return;
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const given = ownValue(value, name);
    if (given === undefined ? property.default !== undefined : given === null && isFilled(property))
      value[name] = structuredClone(property.default);
    if (Object.hasOwn(value, name)) setSchemaDefaults(property, value[name]);
  }
  const values = valuesOf(schema);
  if (!values) return;
  for (const key of Object.keys(value)) {
    if (Object.hasOwn(schema.properties ?? {}, key)) continue;
    if (value[key] === null && isFilled(values)) value[key] = structuredClone(values.default);
    setSchemaDefaults(values, value[key]);
  }
}

function isFilled(schema: JsonSchema): boolean {
  return schema.default !== undefined && !schema.nullable;
}
