import { entityTooLarge } from '../resources/api-error.ts';
import { goTypeOfJson, isJsonObject, type JsonObject } from './json-type.ts';
import { readScalar } from './scalars.ts';
import type { ListSchema, MapSchema, ObjectSchema, ScalarType, Schema } from './schema.ts';

export interface Decoded {
  /** The value without unknown fields and nulls, times as the API writes them. Parts may be shared with the input. */
  readonly object: JsonObject;
  /** `unknown field "spec.foo"`: for a warning or, when the client asked for strictness, an error. */
  readonly unknown: string[];
  /** Values of the wrong type, in Go's words. Any of them makes the request bad. */
  readonly errors: string[];
}

/** Where the walk is: both ways in which messages name a place. */
interface Place {
  /** With indices and keys: `spec.containers[0].name`. */
  readonly path: string;
  /** As Go names it: the innermost struct and a path without indices: `Container.spec.containers.name`. */
  readonly struct: string;
  readonly goPath: string;
}

const ROOT: Place = { path: '', struct: '', goPath: '' };

function inField({ path, goPath }: Place, struct: string, name: string): Place {
  return {
    path: path ? `${path}.${name}` : name,
    struct,
    goPath: goPath ? `${goPath}.${name}` : name,
  };
}

function inItem(place: Place, index: number): Place {
  return { ...place, path: `${place.path}[${index}]` };
}

function shortName(schema: ObjectSchema): string {
  return schema.name?.slice(schema.name.lastIndexOf('.') + 1) ?? 'object';
}

const GO_SCALARS: Readonly<Record<ScalarType, string>> = {
  string: 'string',
  int32: 'int32',
  int64: 'int64',
  number: 'float64',
  boolean: 'bool',
  'int-or-string': 'intstr.IntOrString',
  quantity: 'resource.Quantity',
  time: 'v1.Time',
  microtime: 'v1.MicroTime',
  bytes: '[]uint8',
  any: 'interface {}',
};

function goTypeOf(schema: Schema): string {
  switch (schema.type) {
    case 'object':
      return schema.name ? schema.name.split('.').slice(-2).join('.') : 'map[string]interface {}';
    case 'map':
      return `map[string]${goTypeOf(schema.values)}`;
    case 'list':
      return `[]${goTypeOf(schema.items)}`;
    default:
      return GO_SCALARS[schema.type];
  }
}

/** What Go leaves in the place of a `null` list item, which cannot be dropped without moving the others. */
function zeroOf(schema: Schema): unknown {
  switch (schema.type) {
    case 'object':
    case 'map':
      return {};
    case 'list':
      return [];
    case 'int32':
    case 'int64':
    case 'number':
    case 'int-or-string':
      return 0;
    case 'quantity':
      return '0';
    case 'boolean':
      return false;
    case 'any':
    case 'time':
    case 'microtime':
      return null;
    default:
      return '';
  }
}

/** What is told of one body; there can be a million of each. */
export const MAX_PROBLEMS = 100;
/** All list items of a body that are objects; checking a million empty ones would keep everybody waiting. */
const MAX_ITEMS = 50_000;

function note(problems: string[], problem: string): void {
  if (problems.length < MAX_PROBLEMS) problems.push(problem);
}

class Decoder {
  readonly unknown: string[] = [];
  readonly errors: string[] = [];
  #items = 0;

  value(schema: Schema, value: unknown, place: Place): unknown {
    switch (schema.type) {
      case 'object':
        return isJsonObject(value) ? this.#object(schema, value, place) : this.#wrong(schema, value, place);
      case 'map':
        return isJsonObject(value) ? this.#map(schema, value, place) : this.#wrong(schema, value, place);
      case 'list':
        return Array.isArray(value) ? this.#list(schema, value, place) : this.#wrong(schema, value, place);
      default:
        return this.#scalar(schema.type, value, place);
    }
  }

  #object(schema: ObjectSchema, value: JsonObject, place: Place): JsonObject {
    const object: JsonObject = {};
    for (const [key, child] of Object.entries(value)) {
      const field = schema.fields.get(key);
      const inside = inField(place, shortName(schema), key);
      if (field) {
        if (child !== null && child !== undefined) object[key] = this.value(field.schema, child, inside);
      } else if (schema.preservesUnknown) {
        object[key] = child;
      } else {
        note(this.unknown, `unknown field "${inside.path}"`);
      }
    }
    return object;
  }

  #map(schema: MapSchema, value: JsonObject, place: Place): JsonObject {
    const map: JsonObject = {};
    for (const [key, child] of Object.entries(value)) {
      if (child === null || child === undefined) continue;
      map[key] = this.value(schema.values, child, inField(place, place.struct, key));
    }
    return map;
  }

  #list(schema: ListSchema, value: unknown[], place: Place): unknown[] {
    if (schema.items.type === 'object') this.#count(value.length);
    return value.map((item, index) =>
      item === null ? zeroOf(schema.items) : this.value(schema.items, item, inItem(place, index)),
    );
  }

  #count(items: number): void {
    this.#items += items;
    if (this.#items > MAX_ITEMS) throw entityTooLarge(`its lists may have ${MAX_ITEMS} objects`);
  }

  #scalar(type: ScalarType, value: unknown, place: Place): unknown {
    const scalar = readScalar(type, value);
    if (scalar.error === undefined) return scalar.value;
    if (scalar.error === 'type') return this.#wrong({ type }, value, place);
    note(this.errors, scalar.error);
    return value;
  }

  #wrong(schema: Schema, value: unknown, place: Place): unknown {
    const found =
      typeof value === 'number' && !Number.isInteger(value) ? `number ${value}` : goTypeOfJson(value);
    const where = place.struct ? `Go struct field ${place.struct}.${place.goPath}` : 'Go value';
    note(this.errors, `json: cannot unmarshal ${found} into ${where} of type ${goTypeOf(schema)}`);
    return value;
  }
}

/**
 * Makes of a request's JSON what the hub stores: only known fields, each of the type that the schema says. Throws 413 for
 * more objects in lists than anybody means.
 */
export function decode(schema: ObjectSchema, value: unknown): Decoded {
  const decoder = new Decoder();
  const object = decoder.value(schema, value, ROOT);
  return {
    object: isJsonObject(object) ? object : {},
    unknown: decoder.unknown,
    errors: decoder.errors,
  };
}
