import t from 'tap';
import type { JsonSchema, ValidationRule } from '../../../hub/custom-resources/json-schema.ts';
import { ruleCompileErrors } from '../../../hub/custom-resources/rule-compile-errors.ts';
import { ruleErrors } from '../../../hub/custom-resources/rules.ts';
import { valueErrors } from '../../../hub/custom-resources/validate-value.ts';

/* Rules in the manner of those that routes, certificates and delivery tools bring. */

const s: JsonSchema = { type: 'string' };
const i: JsonSchema = { type: 'integer' };
const obj = (p: Record<string, JsonSchema>, more: JsonSchema = {}): JsonSchema => ({
  type: 'object',
  properties: p,
  ...more,
});
const R = (...rules: (string | ValidationRule)[]): JsonSchema => ({
  'x-kubernetes-validations': rules.map((each) => (typeof each === 'string' ? { rule: each } : each)),
});

const schema: JsonSchema = obj(
  {
    spec: obj(
      {
        kind: s,
        name: s,
        weight: i,
        minReady: i,
        iors: { 'x-kubernetes-int-or-string': true },
        labels: {
          type: 'object',
          additionalProperties: s,
          ...R(
            'self.all(k, k.size() < 64)',
            "!('bad' in self)",
            'self.all(key, self[key].size() < 100)',
            'size(self) < 5',
          ),
        },
        rules: {
          type: 'array',
          items: obj({
            name: s,
            matches: { type: 'array', items: obj({ path: obj({ type: s, value: s }) }) },
            filters: { type: 'array', items: obj({ type: s, urlRewrite: obj({ hostname: s }) }) },
          }),
          ...R(
            'self.all(l1, self.exists_one(l2, has(l1.name) && has(l2.name) && l1.name == l2.name))',
            'self.size() > 0 ? self[0].matches.size() + (size(self) > 1 ? self[1].matches.size() : 0) <= 128 : true',
          ),
        },
        timeouts: obj(
          { request: { type: 'string', pattern: '^([0-9]{1,5}(h|m|s|ms)){1,4}$' }, backend: s },
          R(
            "!(has(self.request) && has(self.backend) && duration(self.request) != duration('0s') && duration(self.backend) > duration(self.request))",
          ),
        ),
        dur: { type: 'string', format: 'duration', ...R("self > duration('1s')") },
        status: {
          ...s,
          ...R({ rule: 'oldSelf.hasValue() ? self == oldSelf.value() : true', optionalOldSelf: true }),
        },
        en: { ...s, enum: ['A', 'B'] },
        any: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
      },
      R(
        "self.kind == 'Service' ? has(self.weight) : true",
        '[has(self.kind), has(self.name)].filter(x, x).size() >= 1',
        'self.weight in [1,2,3] || self.weight > 3',
        "!has(self.iors) || (type(self.iors) == int ? self.iors > 0 : string(self.iors).endsWith('%'))",
        "has(self.rules) && self.rules.exists(r, has(r.filters) && r.filters.exists(f, f.type == 'URLRewrite' && has(f.urlRewrite) && f.urlRewrite.hostname != ''))",
        "self.?name.orValue('').size() < 10",
        'has(self.any) && has(self.any.x)',
        "self.kind.matches('^S') && self.en == 'A'",
        "self.rules.map(r, r.name).all(n, n != '')",
        { rule: 'self.weight == oldSelf.weight', message: 'weight is immutable' },
        '!has(oldSelf.name) || has(self.name)',
        "self.labels.exists(k, k.startsWith('a'))",
        'int(self.weight) + 1 > 0',
        "self.labels['a'] == 'b'",
        'self.weight * 2 <= 20',
        'self.weight / 2 >= 1',
        'double(self.weight) * 1.5 > 1.0',
        '(has(self.kind) ? 1 : 0) + (has(self.name) ? 1 : 0) == 2',
      ),
    ),
  },
  R("self.metadata.name == 'x'", '!has(self.metadata.generateName)', "self.kind == 'K'"),
);

const object = {
  apiVersion: 'a/v1',
  kind: 'K',
  metadata: { name: 'x' },
  spec: {
    kind: 'Service',
    name: 'n',
    weight: 3,
    iors: '5%',
    labels: { a: 'b' },
    rules: [{ name: 'r', matches: [{}], filters: [{ type: 'URLRewrite', urlRewrite: { hostname: 'h' } }] }],
    timeouts: { request: '5s', backend: '1s' },
    dur: '5s',
    status: 'x',
    en: 'A',
    any: { x: 1 },
  },
};

t.test('they compile, and hold for what they are meant for', async (t) => {
  t.same(ruleCompileErrors(schema, 'f'), []);
  t.same(valueErrors(schema, object), []);
  t.same(ruleErrors(schema, object, undefined, []), []);
  t.same(ruleErrors(schema, object, structuredClone(object), []), []);
});

t.test('they fail one by one', async (t) => {
  const { spec } = object;
  const rows: [change: object, field: string, message: RegExp][] = [
    [{ kind: 'Tservice' }, 'spec', /failed rule: self.kind.matches/],
    [{ iors: '5' }, 'spec', /endsWith/],
    [{ iors: 0 }, 'spec', /self.iors > 0/],
    [{ labels: { a: 'b', bad: 'x' } }, 'spec.labels', /'bad' in self/],
    [{ rules: [...spec.rules, ...spec.rules] }, 'spec.rules', /exists_one/],
    [{ timeouts: { request: '1s', backend: '5s' } }, 'spec.timeouts', /duration/],
    [{ dur: '500ms' }, 'spec.dur', /duration\('1s'\)/],
    [{ name: 'much-too-long' }, 'spec', /orValue/],
    [{ any: {} }, 'spec', /has\(self.any\)/],
    [{ labels: {} }, 'spec', /failed rule: self.labels.exists|no such key|No such key/i],
  ];
  for (const [change, field, message] of rows) {
    const [error] = ruleErrors(schema, { ...object, spec: { ...spec, ...change } }, undefined, []);
    t.equal(error?.field, field, JSON.stringify(change));
    t.match(error?.message, message);
  }
});

t.test('a rule about a change, beside rules about values that stay as they were', async (t) => {
  const next = { ...object, spec: { ...object.spec, weight: 4 } };
  t.same(ruleErrors(schema, next, object, []), [
    { reason: 'FieldValueInvalid', field: 'spec', message: 'Invalid value: "object": weight is immutable' },
  ]);
  const broken = { ...object, spec: { ...object.spec, dur: '500ms' } };
  t.same(ruleErrors(schema, { ...broken, spec: { ...broken.spec, minReady: 1 } }, broken, []), []);
});

t.test('rules are not asked where types are wrong', async (t) => {
  const errors = ruleErrors(schema, object, undefined, [
    { reason: 'FieldValueTypeInvalid', field: 'x', message: '' },
  ]);
  t.match(errors, [
    { field: '<nil>', message: /^Invalid value: null: some validation rules were not checked/ },
  ]);
});
