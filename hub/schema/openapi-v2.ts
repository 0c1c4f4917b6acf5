import type { ResourceDefinition } from '../resources/definition.ts';
import { isJsonObject, type JsonObject } from './json-type.ts';
import { INFO, openApiOf } from './openapi.ts';

/*
 * OpenAPI v2, for `kubectl explain --output=plaintext-openapiv2` and older clients: the types of v3 in the words of v2, and
 * in the protobuf form that clients insist on. No paths: who asks for this looks for types only.
 */

export interface OpenApiV2 {
  readonly json: string;
  readonly protobuf: Buffer;
}

const built = new WeakMap<readonly ResourceDefinition[], OpenApiV2>();

/** Made when it is first asked for, which few do, and kept as long as the list of definitions. */
export function openApiV2Of(definitions: readonly ResourceDefinition[]): OpenApiV2 {
  const known = built.get(definitions);
  if (known) return known;
  const types = typesOf(definitions);
  const made = {
    json: JSON.stringify({ swagger: '2.0', info: INFO, paths: {}, definitions: Object.fromEntries(types) }),
    protobuf: documentBytes(types),
  };
  built.set(definitions, made);
  return made;
}

function typesOf(definitions: readonly ResourceDefinition[]): Map<string, JsonObject> {
  const types = new Map<string, JsonObject>();
  for (const { body } of openApiOf(definitions).documents.values()) {
    const { components } = JSON.parse(body) as { components: { schemas: Record<string, JsonObject> } };
    for (const [name, schema] of Object.entries(components.schemas)) types.set(name, typeOf(schema));
  }
  return types;
}

/** A schema of v3 as v2 can say it. What v2 has no words for is left open. */
function typeOf(schema: JsonObject): JsonObject {
  const { description } = schema;
  const about = { ...(typeof description === 'string' && { description }) };
  const [only] = (schema['allOf'] ?? []) as JsonObject[];
  const reference = schema['$ref'] ?? only?.['$ref'];
  if (typeof reference === 'string')
    return { ...about, $ref: reference.replace('#/components/schemas/', '#/definitions/') };
  if (schema['format'] === 'int-or-string' || schema['x-kubernetes-int-or-string'] === true)
    return { ...about, type: 'string', format: 'int-or-string' };
  const { type, format, required, properties, items, additionalProperties: more } = schema;
  const extensions = Object.entries(schema).filter(([key]) => key.startsWith('x-kubernetes-'));
  return {
    ...about,
    ...(typeof type === 'string' && { type }),
    ...(typeof format === 'string' && { format }),
    ...(Array.isArray(required) && { required }),
    ...(isJsonObject(properties) && { properties: mapped(properties) }),
    ...(isJsonObject(items) && { items: typeOf(items) }),
    ...(isJsonObject(more) && { additionalProperties: typeOf(more) }),
    ...Object.fromEntries(extensions),
  };
}

function mapped(properties: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(properties).map(([name, each]) => [name, typeOf(each as JsonObject)]),
  );
}

const LENGTH_DELIMITED = 2;

/** A field of protobuf whose content has a length. */
function field(number: number, content: string | Buffer): Buffer {
  const bytes = Buffer.from(content as string);
  return Buffer.concat([varint((number << 3) | LENGTH_DELIMITED), varint(bytes.length), bytes]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return Buffer.from([...bytes, rest]);
}

/** `{1 name, 2 value}`: how maps are written. */
function named(name: string, value: Buffer): Buffer {
  return Buffer.concat([field(1, name), field(2, value)]);
}

/** 1 swagger, 2 info {1 title, 2 version}, 9 definitions {1 …}. */
function documentBytes(types: ReadonlyMap<string, JsonObject>): Buffer {
  const definitions = [...types].map(([name, type]) => field(1, named(name, schemaBytes(type))));
  return Buffer.concat([
    field(1, '2.0'),
    field(2, Buffer.concat([field(1, INFO.title), field(2, INFO.version)])),
    field(9, Buffer.concat(definitions)),
  ]);
}

function schemaBytes(schema: JsonObject): Buffer {
  const { $ref, format, description, type, required, properties, items, additionalProperties } = schema;
  const parts: Buffer[] = [];
  for (const [number, text] of [
    [1, $ref],
    [2, format],
    [4, description],
  ] as const)
    if (typeof text === 'string') parts.push(field(number, text));
  for (const name of (required ?? []) as string[]) parts.push(field(19, name));
  if (isJsonObject(additionalProperties)) parts.push(field(21, field(1, schemaBytes(additionalProperties))));
  if (typeof type === 'string') parts.push(field(22, field(1, type)));
  if (isJsonObject(items)) parts.push(field(23, field(1, schemaBytes(items))));
  if (isJsonObject(properties)) {
    const each = Object.entries(properties).map(([name, of]) =>
      field(1, named(name, schemaBytes(of as JsonObject))),
    );
    parts.push(field(25, Buffer.concat(each)));
  }
  // 31 vendor_extension: {1 name, 2 value {2 yaml}}.
  for (const [key, value] of Object.entries(schema))
    if (key.startsWith('x-')) parts.push(field(31, named(key, field(2, JSON.stringify(value)))));
  return Buffer.concat(parts);
}
