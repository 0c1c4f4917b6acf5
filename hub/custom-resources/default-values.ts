import { entityTooLarge } from '../resources/api-error.ts';
import { ownValue } from '../resources/object.ts';
import { isJsonObject, type JsonObject } from '../schema/json-type.ts';
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

/** All that may be filled in in one object: a default of a kilobyte in each item of a long list is more than anybody means. */
const MOST_FILLED_BYTES = 3 * 1024 * 1024;

/**
 * Fills in what the schema says and the value does not, on every level that is there. A `null` stands for a missing value
 * where the schema has a default and does not allow `null`. Changes the value. Throws 413 for more than an object may hold.
 */
export function setSchemaDefaults(schema: JsonSchema, value: unknown): void {
  if (hasDefaults(schema)) new Filler().fill(schema, value);
}

const sizes = new WeakMap<JsonSchema, number>();

function sizeOfDefault(schema: JsonSchema): number {
  const size = sizes.get(schema) ?? JSON.stringify(schema.default).length;
  sizes.set(schema, size);
  return size;
}

class Filler {
  #filledBytes = 0;

  fill(schema: JsonSchema, value: unknown): void {
    if (!hasDefaults(schema)) return;
    if (Array.isArray(value)) this.#list(schema.items, value);
    else if (isJsonObject(value)) this.#object(schema, value);
  }

  #list(items: JsonSchema | undefined, list: unknown[]): void {
    if (!items) return;
    for (const [index, item] of list.entries()) {
      if (item === null && isFilled(items)) list[index] = this.#default(items);
      this.fill(items, list[index]);
    }
  }

  #object(schema: JsonSchema, object: JsonObject): void {
    const { properties = {} } = schema;
    for (const [name, property] of Object.entries(properties)) {
      const given = ownValue(object, name);
      if (given === undefined ? property.default !== undefined : given === null && isFilled(property))
        object[name] = this.#default(property);
      if (Object.hasOwn(object, name)) this.fill(property, object[name]);
    }
    const values = valuesOf(schema);
    if (!values) return;
    for (const key of Object.keys(object)) {
      if (Object.hasOwn(properties, key)) continue;
      if (object[key] === null && isFilled(values)) object[key] = this.#default(values);
      this.fill(values, object[key]);
    }
  }

  #default(schema: JsonSchema): unknown {
    this.#filledBytes += sizeOfDefault(schema);
    if (this.#filledBytes > MOST_FILLED_BYTES)
      throw entityTooLarge(`the defaults of its definition would add more than ${MOST_FILLED_BYTES} bytes`);
    return structuredClone(schema.default);
  }
}

function isFilled(schema: JsonSchema): boolean {
  return schema.default !== undefined && !schema.nullable;
}
