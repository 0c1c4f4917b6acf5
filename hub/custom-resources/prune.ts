import { entityTooLarge } from '../resources/api-error.ts';
import { ownValue } from '../resources/object.ts';
import { MAX_PROBLEMS } from '../schema/decode.ts';
import { isJsonObject, type JsonObject } from '../schema/json-type.ts';
import { fieldPath, isEmbedded, type JsonSchema, preservesUnknown, valuesOf } from './json-schema.ts';

/** All list items of a value that are objects: as for built-in kinds, checking a million keeps everybody waiting. */
const MAX_ITEMS = 50_000;
const TYPE_FIELDS = ['apiVersion', 'kind', 'metadata'];

/** A value without the fields that its schema does not have. */
export interface Pruned {
  readonly value: unknown;
  /** Where they were: `spec.list[0].extra`. At most 100. */
  readonly unknown: readonly string[];
}

/** Removes what the schema does not know. Does not change its argument. Throws 413 for too many list items. */
export function prune(schema: JsonSchema, value: unknown, isRoot = false): Pruned {
  const pruner = new Pruner();
  const pruned = pruner.value(schema, value, '', isRoot);
  return { value: pruned, unknown: pruner.unknown };
}

class Pruner {
  readonly unknown: string[] = [];
  #items = 0;

  value(schema: JsonSchema, value: unknown, path: string, isRoot = false): unknown {
    if (Array.isArray(value)) return this.#list(schema, value, path);
    return isJsonObject(value) ? this.#object(schema, value, path, isRoot || isEmbedded(schema)) : value;
  }

  #list(schema: JsonSchema, list: readonly unknown[], path: string): unknown[] {
    this.#items += list.filter(isJsonObject).length;
    if (this.#items > MAX_ITEMS) throw entityTooLarge(`its lists may have ${MAX_ITEMS} objects`);
    const { items } = schema;
    if (!items) return [...list];
    return list.map((item, index) => this.value(items, item, `${path}[${index}]`));
  }

  #object(schema: JsonSchema, object: JsonObject, path: string, isTyped: boolean): JsonObject {
    const pruned: JsonObject = {};
    const values = valuesOf(schema);
    const keepsUnknown = preservesUnknown(schema) || schema.additionalProperties === true;
    for (const [key, child] of Object.entries(object)) {
      if (isTyped && TYPE_FIELDS.includes(key)) {
        pruned[key] = child;
        continue;
      }
      const inner = ownValue(schema.properties, key) ?? values;
      if (inner) pruned[key] = this.value(inner, child, fieldPath(path, key));
      else if (keepsUnknown) pruned[key] = child;
      else if (this.unknown.length < MAX_PROBLEMS) this.unknown.push(fieldPath(path, key));
    }
    return pruned;
  }
}
