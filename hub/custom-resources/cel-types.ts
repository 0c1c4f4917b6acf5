import { durationOf } from '../cel/durations.ts';
import type { DeclaredType } from '../cel/expression.ts';
import { ownValue } from '../resources/object.ts';
import { isJsonObject, type JsonObject } from '../schema/json-type.ts';
import { isEmbedded, isIntOrString, type JsonSchema, preservesUnknown, valuesOf } from './json-schema.ts';

/** Words of the language, which no field can be called. */
const RESERVED = new Set([
  ...['true', 'false', 'null', 'in', 'as', 'break', 'const', 'continue', 'else', 'for', 'function', 'if'],
  ...['import', 'let', 'loop', 'package', 'namespace', 'return', 'var', 'void', 'while'],
]);

/** How rules call a field; undefined for a name that they can not call. */
export function escapedName(name: string): string | undefined {
  if (!/^[A-Za-z_][A-Za-z0-9_.\-/]*$/.test(name)) return undefined;
  if (RESERVED.has(name)) return `__${name}__`;
  return name
    .replaceAll('__', '__underscores__')
    .replaceAll('.', '__dot__')
    .replaceAll('-', '__dash__')
    .replaceAll('/', '__slash__');
}

const META_SCHEMA: JsonSchema = {
  type: 'object',
  properties: { name: { type: 'string' }, generateName: { type: 'string' } },
};

/** The fields of an object that rules can see; those of every object besides what its schema says. */
function propertiesOf(schema: JsonSchema, isRoot: boolean): Readonly<Record<string, JsonSchema>> {
  if (!isRoot && !isEmbedded(schema)) return schema.properties ?? {};
  return {
    apiVersion: { type: 'string' },
    kind: { type: 'string' },
    ...schema.properties,
    metadata: META_SCHEMA,
  };
}

interface ObjectType {
  readonly declared: DeclaredType;
  /** By the names of the fields as they are stored. */
  readonly fields: readonly {
    readonly name: string;
    readonly escaped: string;
    readonly schema: JsonSchema;
  }[];
}

/** The types of the values below a schema, as rules see them, and the way from JSON to them. */
export class CelTypes {
  readonly #objects = new Map<JsonSchema, ObjectType>();
  readonly #root: JsonSchema | undefined;

  /** `isRoot`: whether the schema is that of a whole object. */
  constructor(schema: JsonSchema, isRoot: boolean) {
    this.#root = isRoot ? schema : undefined;
    this.typeOf(schema);
  }

  /** To declare: inner types first. */
  get declared(): DeclaredType[] {
    return [...this.#objects.values()].map(({ declared }) => declared);
  }

  typeOf(schema: JsonSchema): string {
    if (isIntOrString(schema)) return 'dyn';
    switch (schema.type) {
      case 'integer':
        return 'int';
      case 'number':
        return 'double';
      case 'boolean':
        return 'bool';
      case 'string':
        return stringType(schema);
      case 'array':
        return `list<${schema.items ? this.typeOf(schema.items) : 'dyn'}>`;
      case 'object':
        return this.#typeOfObject(schema);
      default:
        return 'dyn';
    }
  }

  #typeOfObject(schema: JsonSchema): string {
    const values = valuesOf(schema);
    if (values) return `map<string, ${this.typeOf(values)}>`;
    if (schema !== this.#root && !isEmbedded(schema) && (!schema.properties || preservesUnknown(schema)))
      return 'dyn';
    const known = this.#objects.get(schema);
    if (known) return known.declared.name;
    const fields = Object.entries(propertiesOf(schema, schema === this.#root)).flatMap(([name, inner]) => {
      const escaped = escapedName(name);
      return escaped === undefined ? [] : [{ name, escaped, schema: inner }];
    });
    const types = Object.fromEntries(fields.map((field) => [field.escaped, this.typeOf(field.schema)]));
    const name = `Object${this.#objects.size}`;
    this.#objects.set(schema, { declared: { name, ctor: class {}, fields: types }, fields });
    return name;
  }

  /** A value as rules see it; the value has passed the schema. */
  valueOf(schema: JsonSchema, value: unknown): unknown {
    if (value === null || value === undefined) return null;
    if (Array.isArray(value)) return value.map((item) => this.valueOf(schema.items ?? {}, item));
    if (isJsonObject(value)) return this.#objectOf(schema, value);
    if (typeof value === 'number')
      return schema.type !== 'number' && Number.isSafeInteger(value) ? BigInt(value) : value;
    return typeof value === 'string' ? stringValue(schema, value) : value;
  }

  #objectOf(schema: JsonSchema, value: JsonObject): object {
    const type = this.#objects.get(schema);
    if (!type) {
      const values = valuesOf(schema);
      const map: JsonObject = {};
      for (const [key, child] of Object.entries(value))
        map[key] = this.valueOf(ownValue(schema.properties, key) ?? values ?? {}, child);
      return map;
    }
    const object = new type.declared.ctor();
    for (const field of type.fields) {
      const child = ownValue(value, field.name);
      if (child !== undefined && child !== null)
        Object.defineProperty(object, field.escaped, {
          value: this.valueOf(field.schema, child),
          enumerable: true,
        });
    }
    return object;
  }
}

function stringType({ format }: JsonSchema): string {
  switch (format) {
    case 'date':
    case 'date-time':
    case 'datetime':
      return 'google.protobuf.Timestamp';
    case 'duration':
      return 'google.protobuf.Duration';
    case 'byte':
      return 'bytes';
    default:
      return 'string';
  }
}

function stringValue(schema: JsonSchema, text: string): unknown {
  switch (schema.type === 'string' ? stringType(schema) : 'string') {
    case 'google.protobuf.Timestamp':
      return new Date(text);
    case 'google.protobuf.Duration':
      return durationOf(text) ?? null;
    case 'bytes':
      return new Uint8Array(Buffer.from(text, 'base64'));
    default:
      return text;
  }
}
