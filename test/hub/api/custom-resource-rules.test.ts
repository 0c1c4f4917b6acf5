import t from 'tap';
import { DEFINITIONS, define, definitionOf, objectOf, startCustomHub } from './custom-resource-hub.ts';

/* Rules in CEL, structural schemas and hostile definitions, through the API. */

const hub = await startCustomHub(t);
const merge = { 'content-type': 'application/merge-patch+json' };

const widget = definitionOf(
  'Widget',
  objectOf(
    {
      spec: objectOf(
        {
          min: { type: 'integer' },
          max: { type: 'integer' },
          name: {
            type: 'string',
            'x-kubernetes-validations': [{ rule: 'self == oldSelf', message: 'is immutable' }],
          },
          'dash-ed': { type: 'string' },
          when: { type: 'string', format: 'date-time' },
          ports: {
            type: 'array',
            maxItems: 10,
            'x-kubernetes-list-type': 'map',
            'x-kubernetes-list-map-keys': ['name'],
            items: objectOf(
              {
                name: { type: 'string' },
                port: {
                  'x-kubernetes-int-or-string': true,
                  'x-kubernetes-validations': [
                    {
                      rule: 'type(self) != int || self > 0',
                      reason: 'FieldValueForbidden',
                      message: 'too low',
                    },
                  ],
                },
              },
              { required: ['name'] },
            ),
          },
          limits: {
            type: 'object',
            additionalProperties: {
              type: 'string',
              'x-kubernetes-validations': [{ rule: 'isQuantity(self)' }],
            },
          },
        },
        {
          'x-kubernetes-validations': [
            {
              rule: '!has(self.min) || !has(self.max) || self.min <= self.max',
              messageExpression: "'%d is more than %d'.format([self.min, self.max])",
              fieldPath: '.min',
            },
            { rule: '!has(self.dash__dash__ed) || self.dash__dash__ed.startsWith("a")' },
          ],
        },
      ),
    },
    { 'x-kubernetes-validations': [{ rule: 'self.metadata.name.size() < 10', message: 'name is too long' }] },
  ),
);
const widgets = '/apis/example.com/v1/namespaces/default/widgets';
const create = (name: string, spec: object) =>
  hub.call('POST', widgets, {
    body: { apiVersion: 'example.com/v1', kind: 'Widget', metadata: { name }, spec },
  });
const patch = (spec: object) => hub.call('PATCH', `${widgets}/one`, { headers: merge, body: { spec } });

t.test('rules hold', async (t) => {
  await define(hub, widget);
  t.equal((await create('one', { min: 1, max: 2, name: 'a', limits: { cpu: '1' } })).code, 201);
  const rows: [name: string, spec: object, message: string][] = [
    ['two', { min: 3, max: 2 }, 'spec.min: Invalid value: "object": 3 is more than 2'],
    [
      'two',
      { 'dash-ed': 'b' },
      'spec: Invalid value: "object": failed rule: !has(self.dash__dash__ed) || self.dash__dash__ed.startsWith("a")',
    ],
    [
      'two',
      { limits: { cpu: 'much' } },
      'spec.limits[cpu]: Invalid value: "string": failed rule: isQuantity(self)',
    ],
    ['two', { ports: [{ name: 'a', port: 0 }] }, 'spec.ports[0].port: Forbidden: too low'],
    ['much-too-long', {}, '<nil>: Invalid value: "object": name is too long'],
  ];
  for (const [name, spec, message] of rows) {
    const { code, body } = await create(name, spec);
    t.equal(code, 422, message);
    t.equal(body.message, `Widget.example.com "${name}" is invalid: ${message}`);
  }
});

t.test('rules about a change are asked of changes', async (t) => {
  const { code, body } = await patch({ name: 'b' });
  t.equal(code, 422);
  t.match(body.message, 'spec.name: Invalid value: "string": is immutable');
  t.equal((await patch({ max: 5 })).code, 200);
});

t.test('where a schema is broken, rules are not asked, and that is told', async (t) => {
  const { body } = await create('two', { min: 'x' });
  t.match(body.message, 'some validation rules were not checked because the object was invalid');
});

t.test('definitions that are refused, and why', async (t) => {
  const string = { type: 'string' };
  const spec = (schema: object) => objectOf({ spec: schema });
  const at = 'spec.validation.openAPIV3Schema';
  const rows: [what: Record<string, unknown>, message: string | RegExp][] = [
    [{}, `${at}.type: Required value: must not be empty at the root`],
    [spec({}), `${at}.properties[spec].type: Required value: must not be empty for specified object fields`],
    [spec({ type: 'array' }), `${at}.properties[spec].items: Required value: must be specified`],
    [
      spec({ type: 'array', items: {} }),
      `${at}.properties[spec].items.type: Required value: must not be empty for specified array items`,
    ],
    [
      spec({ type: 'thing' }),
      `${at}.properties[spec].type: Unsupported value: "thing": supported values: "array", "boolean", "integer", "number", "object", "string"`,
    ],
    [
      spec({ ...string, pattern: '(?=a)' }),
      /pattern: Invalid value: "\(\?=a\)": must be a valid regular expression, but isn't: error parsing regexp/,
    ],
    [spec({ ...string, $ref: '#/x' }), `${at}.properties[spec].$ref: Forbidden: $ref is not supported`],
    [
      spec({ type: 'array', uniqueItems: true, items: string }),
      /uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic/,
    ],
    [
      spec({ type: 'object', properties: { a: string }, additionalProperties: string }),
      /additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive/,
    ],
    [
      spec({ ...string, 'x-kubernetes-int-or-string': true }),
      /must be empty if x-kubernetes-int-or-string is true/,
    ],
    [spec({ type: 'object', 'x-kubernetes-preserve-unknown-fields': false }), /must be true or undefined/],
    [
      spec({ type: 'object', 'x-kubernetes-embedded-resource': true }),
      /must not be empty if x-kubernetes-embedded-resource is true without/,
    ],
    [
      spec({
        type: 'array',
        items: objectOf({ name: string }),
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['name'],
      }),
      /properties\[name\]\.default: Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property/,
    ],
    [
      spec({ type: 'object', properties: { a: string }, anyOf: [{ properties: { a: { type: 'string' } } }] }),
      /anyOf\[0\]\.properties\[a\]\.type: Forbidden: must be empty to be structural/,
    ],
    [
      spec({ type: 'object', properties: { a: string }, anyOf: [{ properties: { b: { minLength: 1 } } }] }),
      /properties\[b\]: Required value: because it is defined in/,
    ],
    [
      objectOf({ metadata: { type: 'object', properties: { labels: { type: 'object' } } } }),
      /must not specify anything other than name and generateName, but metadata is implicitly specified/,
    ],
    [
      spec({ type: 'integer', default: 'x' }),
      /default: Invalid value: "string": .*must be of type integer: "string"/,
    ],
    [
      spec({ ...string, 'x-kubernetes-validations': [{ rule: 'self.size( > 1' }] }),
      /x-kubernetes-validations\[0\]\.rule: Invalid value: .*compilation failed/,
    ],
    [
      spec({ ...string, 'x-kubernetes-validations': [{ rule: 'self.size()' }] }),
      /cel expression must evaluate to a bool/,
    ],
    [
      spec(objectOf({ a: string }, { 'x-kubernetes-validations': [{ rule: 'self.b == ""' }] })),
      /No such key: b/,
    ],
    [
      spec({
        type: 'array',
        items: { ...string, 'x-kubernetes-validations': [{ rule: 'self == oldSelf' }] },
      }),
      /oldSelf cannot be used on the uncorrelatable portion of the schema within/,
    ],
    [
      spec({ ...string, 'x-kubernetes-validations': [{ rule: ' ' }] }),
      /rule: Required value: rule is not specified/,
    ],
  ];
  for (const [schema, message] of rows) {
    const { code, body } = await hub.call('POST', DEFINITIONS, { body: definitionOf('Bad', schema) });
    t.equal(code, 422, `${message}`);
    t.match(body.message, message);
  }
});

t.test('names, versions, paths', async (t) => {
  const schema = objectOf({ spec: objectOf({ a: { type: 'string' } }) });
  const rows: [definition: Record<string, unknown>, message: string | RegExp][] = [
    [
      definitionOf('Bad', schema, {}, { group: 'other.com' }),
      'metadata.name: Invalid value: "bads.example.com": must be spec.names.plural+"."+spec.group',
    ],
    [
      definitionOf('Bad', schema, {}, { scope: 'World' }),
      'spec.scope: Unsupported value: "World": supported values: "Cluster", "Namespaced"',
    ],
    [
      definitionOf('Bad', schema, { storage: false }),
      'must have exactly one version marked as storage version',
    ],
    [
      definitionOf('Bad', schema, {
        subresources: { scale: { specReplicasPath: '.x', statusReplicasPath: '.status.r' } },
      }),
      'subresources.scale.specReplicasPath: Invalid value: ".x": should be a json path under .spec',
    ],
    [
      definitionOf('Bad', schema, {
        additionalPrinterColumns: [{ name: 'A', type: 'text', jsonPath: '.spec.a' }],
      }),
      'must be one of boolean,date,integer,number,string',
    ],
    [
      definitionOf('Bad', schema, {
        additionalPrinterColumns: [{ name: 'A', type: 'string', jsonPath: '.spec[' }],
      }),
      'is an invalid JSON path',
    ],
    [
      definitionOf('Bad', schema, { selectableFields: [{ jsonPath: '.spec.b' }] }),
      'must point to a field of type string, boolean or integer',
    ],
    [
      definitionOf('Bad', schema, {}, { conversion: { strategy: 'Webhook', webhook: {} } }),
      'spec.conversion.strategy: Forbidden: conversion by webhooks is not available here',
    ],
    [
      definitionOf('Bad', schema, {}, { names: { plural: 'bads', kind: 'Bad', listKind: 'Bad' } }),
      'kind and listKind may not be the same',
    ],
  ];
  for (const [definition, message] of rows) {
    const { code, body } = await hub.call('POST', DEFINITIONS, { body: definition });
    t.equal(code, 422, `${message}`);
    t.match(body.message, message);
  }
  const { body } = await hub.call('GET', `${DEFINITIONS}/widgets.example.com`);
  const changed = await hub.call('PUT', `${DEFINITIONS}/widgets.example.com`, {
    body: { ...body, spec: { ...body.spec, scope: 'Cluster' } },
  });
  t.equal(changed.code, 422);
  t.match(changed.body.message, 'spec.scope: Invalid value: "Cluster": field is immutable');
});

t.test('hostile schemas are refused or bounded', async (t) => {
  let deep: Record<string, unknown> = { type: 'string' };
  for (let depth = 0; depth < 400; depth++) deep = objectOf({ a: deep });
  const refused = await hub.call('POST', DEFINITIONS, { body: definitionOf('Deep', deep) });
  t.equal(refused.code, 422);
  t.match(refused.body.message, 'levels deep');
  await define(
    hub,
    definitionOf(
      'Slow',
      objectOf({
        spec: objectOf({
          text: { type: 'string', pattern: '^(([a-z])+.)+[A-Z]([a-z])+$' },
          list: {
            type: 'array',
            items: { type: 'integer' },
            'x-kubernetes-validations': [{ rule: 'self.all(a, self.all(b, self.all(c, a + b + c >= 0)))' }],
          },
          pick: { type: 'string', enum: Array.from({ length: 50_000 }, (_, index) => `value-${index}`) },
        }),
      }),
    ),
  );
  const slow = (spec: object) => {
    const body = { apiVersion: 'example.com/v1', kind: 'Slow', metadata: { name: 'slow' }, spec };
    return hub.call('POST', '/apis/example.com/v1/namespaces/default/slows', { body });
  };
  const startedMs = performance.now();
  t.equal((await slow({ text: 'a'.repeat(50_000) })).code, 422);
  const bounded = await slow({ list: Array.from({ length: 3_000 }, (_, index) => index) });
  t.equal(bounded.code, 422);
  t.match(bounded.body.message, /took more than 1000 ms/);
  t.equal((await slow({ pick: 'value-49999' })).code, 201);
  t.ok(performance.now() - startedMs < 20_000, `${performance.now() - startedMs} ms`);
});

t.test('nothing went wrong inside', async (t) => t.same(hub.errors, []));
