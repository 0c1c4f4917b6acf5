import { readFileSync } from 'node:fs';
import { type DescField, ScalarType } from '@bufbuild/protobuf';
import t from 'tap';
import { decodeMessage } from '../../../hub/protobuf/decode-message.ts';
import { messageOf } from '../../../hub/protobuf/messages.ts';
import type { StoredMessage } from '../../../hub/protobuf/stored-message.ts';
import { decode } from '../../../hub/schema/decode.ts';
import { isJsonObject } from '../../../hub/schema/json-type.ts';
import { type ObjectSchema, type Schema, schemaNames, schemaOf } from '../../../hub/schema/schema.ts';
import {
  ensureSchema,
  generateComponents,
  generateMessages,
  linesOf,
  PROTOBUF_FILE,
} from '../../../scripts/generate-schema.ts';
import { descriptorOf, fullMessage } from './sample-messages.ts';

/*
 * Field numbers come from the Go types of kubectl. They are held against the descriptors in the same program, and the
 * JSON against the schema, which comes from the client library: three sources that must say the same.
 */

ensureSchema();
const stored: Record<string, StoredMessage> = JSON.parse(readFileSync(PROTOBUF_FILE, 'utf8'));

t.test('the generator writes the same bytes each time', async (t) => {
  const lines = linesOf(generateMessages(generateComponents()));
  t.equal(readFileSync(PROTOBUF_FILE, 'utf8'), lines, 'run npm run generate if this fails');
});

/** A field's type in the words of the generated file, without the names of messages. */
function shapeOf(field: DescField): string {
  if (field.fieldKind === 'list') return `[]${scalarShape(field)}`;
  return field.fieldKind === 'map' ? `{}${scalarShape(field)}` : scalarShape(field);
}

const SHAPES: Readonly<Partial<Record<ScalarType, string>>> = {
  [ScalarType.STRING]: 'string',
  [ScalarType.BOOL]: 'bool',
  [ScalarType.BYTES]: 'bytes',
  [ScalarType.INT32]: 'int',
  [ScalarType.INT64]: 'int',
};

function scalarShape(field: DescField): string {
  return (field.scalar === undefined ? undefined : SHAPES[field.scalar]) ?? 'message';
}

t.test('every message has the fields and types of its published descriptor', async (t) => {
  const scalar = /^(string|bool|bytes|int|double)$/;
  const published = Object.entries(stored).filter(([name]) => descriptorOf(name));
  t.ok(published.length > 400, `${published.length} messages`);
  for (const [name, fields] of published) {
    const ours = Object.entries(fields).map(([number, { type }]) => {
      const [, prefix = '', rest = ''] = /^(\[\]|\{\})?(.*)$/.exec(type) ?? [];
      return `${number} ${prefix}${scalar.test(rest) ? rest : 'message'}`;
    });
    const theirs = descriptorOf(name)?.fields.map((field) => `${field.number} ${shapeOf(field)}`);
    t.same(ours.sort(), theirs?.sort(), name);
  }
});

t.test('only the types of apiextensions have no descriptor to be held against', async (t) => {
  const others = Object.keys(stored).filter((name) => !descriptorOf(name));
  t.same(
    others.filter((name) => !name.startsWith('io.k8s.apiextensions-apiserver.')),
    [],
  );
});

/** Paths of fields of the schema that the value does not have; only the first of a type that is within itself. */
function missing(schema: Schema, value: unknown, path: string, within: readonly Schema[] = []): string[] {
  if (schema.type === 'list') return missing(schema.items, (value as unknown[])?.[0], path, within);
  if (schema.type === 'map')
    return missing(schema.values, Object.values(value ?? {})[0], `${path}.*`, within);
  if (value === undefined) return [path];
  if (schema.type !== 'object' || !isJsonObject(value) || within.includes(schema)) return [];
  // Protobuf says the type of a whole body beside it, and the types of objects within it not at all.
  const own = schema.kinds ? ['apiVersion', 'kind'] : [];
  return [...schema.fields]
    .filter(([name]) => !own.includes(name))
    .flatMap(([name, field]) => missing(field.schema, value[name], `${path}.${name}`, [...within, schema]));
}

t.test('a message with all of its fields becomes an object with all of its fields', async (t) => {
  const isSent = (name: string) => messageOf(name) && schemaOf(name).kinds && descriptorOf(name);
  const kinds = schemaNames().filter(isSent);
  t.ok(kinds.length > 60, `${kinds.length} kinds`);
  for (const name of kinds) {
    const schema: ObjectSchema = schemaOf(name);
    const [message, descriptor] = [messageOf(name), descriptorOf(name)];
    if (!message || !descriptor) throw new Error('filtered above');
    const json = decodeMessage(message, fullMessage(descriptor));
    const { unknown, errors, object } = decode(schema, json);
    t.same({ unknown, errors }, { unknown: [], errors: [] }, name);
    t.same(missing(schema, object, name), [], name);
  }
});
