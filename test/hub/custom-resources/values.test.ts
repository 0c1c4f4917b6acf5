import t from 'tap';
import { setSchemaDefaults } from '../../../hub/custom-resources/default-values.ts';
import type { JsonSchema } from '../../../hub/custom-resources/json-schema.ts';
import { listKeyErrors } from '../../../hub/custom-resources/list-keys.ts';
import { prune } from '../../../hub/custom-resources/prune.ts';
import { valueErrors } from '../../../hub/custom-resources/validate-value.ts';

const string: JsonSchema = { type: 'string' };
const integer: JsonSchema = { type: 'integer' };

t.test('each rule about a value, in the words of Kubernetes', async (t) => {
  const body = 'Invalid value';
  const rows: [schema: JsonSchema, value: unknown, message?: string][] = [
    [string, 'a'],
    [string, 1, `${body}: "integer": x in body must be of type string: "integer"`],
    [string, null, `${body}: "null": x in body must be of type string: "null"`],
    [{ ...string, nullable: true }, null],
    [integer, 1.5, `${body}: "number": x in body must be of type integer: "number"`],
    [{ type: 'number' }, 1],
    [{ type: 'boolean' }, 'true', `${body}: "string": x in body must be of type boolean: "string"`],
    [{ type: 'array', items: string }, {}, `${body}: "object": x in body must be of type array: "object"`],
    [{ ...integer, minimum: 1 }, 0, `${body}: 0: x in body should be greater than or equal to 1`],
    [{ ...integer, minimum: 1, exclusiveMinimum: true }, 1, `${body}: 1: x in body should be greater than 1`],
    [{ ...integer, maximum: 1 }, 2, `${body}: 2: x in body should be less than or equal to 1`],
    [{ ...integer, maximum: 1, exclusiveMaximum: true }, 1, `${body}: 1: x in body should be less than 1`],
    [{ type: 'number', multipleOf: 0.1 }, 0.3],
    [{ ...integer, multipleOf: 2 }, 3, `${body}: 3: x in body should be a multiple of 2`],
    [{ ...string, minLength: 2 }, 'a', `${body}: "a": x in body should be at least 2 chars long`],
    [{ ...string, maxLength: 1 }, 'ab', 'Too long: may not be more than 1 bytes'],
    [{ ...string, maxLength: 1 }, '😀'],
    [{ ...string, pattern: '^a+$' }, 'b', `${body}: "b": x in body should match '^a+$'`],
    [{ ...string, format: 'ipv4' }, 'b', `${body}: "b": x in body must be of type ipv4: "b"`],
    [{ ...string, enum: ['a', 'b'] }, 'c', 'Unsupported value: "c": supported values: "a", "b"'],
    [{ type: 'array', items: string, minItems: 1 }, [], `${body}: 0: x in body should have at least 1 items`],
    [{ type: 'array', items: string, maxItems: 1 }, ['a', 'b'], 'Too many: 2: must have at most 1 item'],
    [{ type: 'object', minProperties: 1 }, {}, `${body}: 0: x in body should have at least 1 properties`],
    [{ type: 'object', maxProperties: 0 }, { a: 1 }, 'Too many: 1: must have at most 0 items'],
    [{ not: { enum: ['a'] } }, 'a', `${body}: "": "x" must not validate the schema (not)`],
    [
      { anyOf: [{ minimum: 5 }, { maximum: 1 }] },
      3,
      `${body}: "": "x" must validate at least one schema (anyOf)`,
    ],
    [
      { oneOf: [{ minimum: 1 }, { minimum: 2 }] },
      3,
      `${body}: "": "x" must validate one and only one schema (oneOf). Found 2 valid alternatives`,
    ],
    [{ 'x-kubernetes-int-or-string': true }, 'a'],
    [{ 'x-kubernetes-preserve-unknown-fields': true }, null],
  ];
  for (const [schema, value, message] of rows)
    t.equal(
      valueErrors(schema, value, undefined, 'x')[0]?.message,
      message,
      `${JSON.stringify(schema)} ${JSON.stringify(value)}`,
    );
});

t.test('what is as it was is not looked at', async (t) => {
  const schema: JsonSchema = {
    type: 'object',
    properties: {
      a: { ...integer, maximum: 1 },
      list: {
        type: 'array',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['name'],
        items: { type: 'object', properties: { name: string, n: { ...integer, maximum: 1 } } },
      },
    },
  };
  const old = { a: 5, list: [{ name: 'x', n: 5 }] };
  t.same(valueErrors(schema, { ...old, b: 1 }, old), []);
  t.equal(valueErrors(schema, { ...old, a: 6 }, old).length, 1);
  t.same(
    valueErrors(
      schema,
      {
        a: 5,
        list: [
          { name: 'y', n: 1 },
          { name: 'x', n: 5 },
        ],
      },
      old,
    ),
    [],
  );
  t.equal(valueErrors(schema, { a: 5, list: [{ name: 'z', n: 5 }] }, old)[0]?.field, 'list[0].n');
});

t.test('pruning', async (t) => {
  const schema: JsonSchema = {
    type: 'object',
    properties: {
      a: { type: 'object', properties: { b: string } },
      free: {
        type: 'object',
        'x-kubernetes-preserve-unknown-fields': true,
        properties: { b: { type: 'object', properties: {} } },
      },
      raw: { type: 'object', 'x-kubernetes-embedded-resource': true },
      map: { type: 'object', additionalProperties: { type: 'object', properties: { b: string } } },
      list: { type: 'array', items: { type: 'object', properties: { b: string } } },
    },
  };
  const value = {
    apiVersion: 'v1',
    metadata: { any: 1 },
    constructor: 1,
    a: { b: '1', c: 2 },
    free: { x: 1, b: { y: 1 } },
    raw: { apiVersion: 'v1', kind: 'X', spec: {} },
    map: { k: { b: '1', c: 1 } },
    list: [{ b: '1', c: 1 }],
  };
  const { value: pruned, unknown } = prune(schema, value, true);
  t.same(pruned, {
    apiVersion: 'v1',
    metadata: { any: 1 },
    a: { b: '1' },
    free: { x: 1, b: {} },
    raw: { apiVersion: 'v1', kind: 'X' },
    map: { k: { b: '1' } },
    list: [{ b: '1' }],
  });
  t.same(unknown, ['constructor', 'a.c', 'free.b.y', 'raw.spec', 'map.k.c', 'list[0].c']);
  t.throws(() => prune(schema, { list: Array.from({ length: 60_000 }, () => ({})) }), { code: 413 });
});

t.test('defaults, on each level that is there', async (t) => {
  const schema: JsonSchema = {
    type: 'object',
    properties: {
      a: { type: 'object', default: {}, properties: { b: { ...string, default: 'x' } } },
      absent: { type: 'object', properties: { b: { ...string, default: 'x' } } },
      list: { type: 'array', items: { type: 'object', properties: { b: { ...string, default: 'y' } } } },
      map: { type: 'object', additionalProperties: { ...string, default: 'z' } },
      n: { ...string, default: 'n', nullable: true },
      m: { ...string, default: 'm' },
    },
  };
  const value = { list: [{}], map: { k: null }, n: null, m: null };
  setSchemaDefaults(schema, value);
  t.same(value, { a: { b: 'x' }, list: [{ b: 'y' }], map: { k: 'z' }, n: null, m: 'm' });
});

t.test('defaults do not fill the memory', async (t) => {
  const items = { type: 'object', properties: { a: { ...string, default: 'x'.repeat(1_000) } } };
  const schema: JsonSchema = { type: 'object', properties: { list: { type: 'array', items } } };
  const value = { list: Array.from({ length: 40_000 }, () => ({})) };
  t.throws(() => setSchemaDefaults(schema, value), { code: 413 });
});

t.test('sets and maps', async (t) => {
  const set: JsonSchema = { type: 'array', items: string, 'x-kubernetes-list-type': 'set' };
  t.same(listKeyErrors(set, ['a', 'b', 'a'], undefined, 'x'), [
    { reason: 'FieldValueDuplicate', field: 'x[2]', message: 'Duplicate value: "a"' },
  ]);
  t.same(listKeyErrors(set, ['a', 'a'], ['a', 'a'], 'x'), [], 'it was so before');
});
