import fc, { type Arbitrary } from 'fast-check';
import { applyMergePatch } from '../../../../hub/patch/merge-patch.ts';
import type { ResourceDefinition } from '../../../../hub/resources/definition.ts';
import type { JsonObject } from '../../../../hub/schema/json-type.ts';
import { type ScalarType, type Schema, schemaOf } from '../../../../hub/schema/schema.ts';
import { minimalObject } from '../../resources/minimal-objects.ts';

/* Objects that are nearly right: deep enough in a kind that its defaults, rules and columns see them. */

const NAMES = [
  'toString',
  'sample',
  'other',
  'c',
  'a.b',
  'A',
  '',
  '-',
  'x'.repeat(64),
  'x'.repeat(300),
  'ü',
  '\u0000',
  '../x',
  'constructor',
];

/** Text as clients and attackers write it. */
export const text: Arbitrary<string> = fc.oneof(
  fc.constantFrom(...NAMES),
  fc.constantFrom(
    '1',
    '-1',
    '0',
    '50%',
    '1Gi',
    'http',
    'TCP',
    'Always',
    'All',
    '* * * * *',
    '10.0.0.1',
    '::1',
    '/',
    'a=b',
  ),
  fc.string({ maxLength: 12 }),
  fc.string({ unit: 'binary', maxLength: 6 }),
);

const integer = fc.oneof(
  fc.constantFrom(0, 1, -1, 80, 65_536, 2 ** 31, -(2 ** 31), 2 ** 53, 2 ** 63),
  fc.integer(),
);
const time = fc.oneof(fc.constantFrom('2026-01-01T00:00:00Z', '2026-01-01T00:00:00.123456+02:00'), text);
const quantity = fc.oneof(fc.constantFrom('1', '100m', '1Gi', '1e3', '-1', '0.0000000001', '1e31', 5), text);

const SCALARS: Readonly<Record<ScalarType, Arbitrary<unknown>>> = {
  string: text,
  int32: integer,
  int64: integer,
  number: fc.oneof(integer, fc.double()),
  boolean: fc.boolean(),
  'int-or-string': fc.oneof(integer, text),
  quantity,
  time,
  microtime: time,
  bytes: fc.oneof(fc.base64String({ maxLength: 16 }), text),
  any: fc.jsonValue({ maxDepth: 3 }),
};

/** One in so many values has nothing to do with its type. */
const WRONG = 80;

/** A value of a type, mostly; structs have a few of their fields. */
function nearlyOf(schema: Schema, depth: number): Arbitrary<unknown> {
  return fc.oneof(
    { weight: WRONG - 1, arbitrary: rightValueOf(schema, depth) },
    { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 2 }) },
  );
}

function rightValueOf(schema: Schema, depth: number): Arbitrary<unknown> {
  switch (schema.type) {
    case 'object':
      return depth > 0 ? fieldsOf([...schema.fields], depth) : fc.constant({});
    case 'map':
      return fc.dictionary(text, nearlyOf(schema.values, depth - 1), { maxKeys: 3 });
    case 'list':
      return fc.array(nearlyOf(schema.items, depth - 1), { maxLength: 3 });
    default:
      return SCALARS[schema.type];
  }
}

function fieldsOf(fields: [string, { schema: Schema }][], depth: number): Arbitrary<JsonObject> {
  return fc
    .subarray(fields, { maxLength: Math.min(5, fields.length) })
    .chain((some) =>
      fc.record(Object.fromEntries(some.map(([name, { schema }]) => [name, nearlyOf(schema, depth - 1)]))),
    );
}

/** How deep what is made up goes: `spec.template.spec.containers[].env[].valueFrom`. */
const DEPTH = 9;

/** Some fields of a kind. */
export function fragmentOf(definition: ResourceDefinition): Arbitrary<JsonObject> {
  return fieldsOf([...schemaOf(definition.schema).fields], DEPTH);
}

/** A right object of a kind with something else here and there. */
export function objectOf(definition: ResourceDefinition): Arbitrary<JsonObject> {
  const minimal = minimalObject(definition) as JsonObject;
  return fragmentOf(definition).map((fragment) => applyMergePatch(minimal, fragment));
}

const KEYS = [
  '$patch',
  '$retainKeys',
  '$setElementOrder/containers',
  '$deleteFromPrimitiveList/finalizers',
  '__proto__',
];
const DIRECTIVES = fc.oneof(
  fc.constantFrom('replace', 'delete', 'merge', 'x'),
  fc.array(fc.oneof(text, fc.record({ name: text })), { maxLength: 3 }),
  fc.jsonValue({ maxDepth: 2 }),
);

/** A strategic merge patch: some fields, and directives in any place. */
export function strategicPatchOf(definition: ResourceDefinition): Arbitrary<JsonObject> {
  const strewn = fc.array(fc.tuple(fc.constantFrom(...KEYS), DIRECTIVES, fc.nat(20)), { maxLength: 3 });
  return fc.tuple(fragmentOf(definition), strewn).map(([fragment, directives]) => {
    for (const [key, value, at] of directives) {
      const places = objectsIn(fragment);
      const place = places[at % places.length];
      if (place)
        Object.defineProperty(place, key, { value, enumerable: true, configurable: true, writable: true });
    }
    return fragment;
  });
}

function objectsIn(value: unknown): JsonObject[] {
  if (typeof value !== 'object' || value === null) return [];
  const inside = Object.values(value).flatMap(objectsIn);
  return Array.isArray(value) ? inside : [value as JsonObject, ...inside];
}

/** Paths into the objects above, and out of them. */
const pointer = fc.oneof(
  fc.constantFrom(
    '',
    '/',
    '/metadata/labels',
    '/metadata/labels/x',
    '/spec/containers/0/image',
    '/spec/containers/-',
  ),
  fc.constantFrom(
    '/metadata/name',
    '/metadata/finalizers/0',
    '/data/a~1b',
    '/data/~2',
    '/status',
    '/spec',
    '/kind',
  ),
  fc
    .array(
      fc.oneof(
        fc.constantFrom('metadata', 'spec', 'data', '0', '-1', '01', '-', 'constructor', '__proto__'),
        text,
      ),
    )
    .map((segments) => segments.map((segment) => `/${segment}`).join('')),
);

export const jsonPatch: Arbitrary<unknown> = fc.oneof(
  {
    weight: 9,
    arbitrary: fc.array(
      fc.record(
        {
          op: fc.constantFrom('add', 'remove', 'replace', 'move', 'copy', 'test', 'x'),
          path: pointer,
          from: pointer,
          value: fc.jsonValue({ maxDepth: 2 }),
        },
        { requiredKeys: ['op', 'path'] },
      ),
      { maxLength: 6 },
    ),
  },
  { weight: 1, arbitrary: fc.jsonValue() },
);
