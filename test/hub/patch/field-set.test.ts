import { test } from 'tap';
import {
  decodeFields,
  difference,
  encodeFields,
  intersection,
  isEmptySet,
  pathsOf,
  sameFields,
  union,
  withoutSubtrees,
} from '../../../hub/patch/field-set.ts';

const set = decodeFields;

test('fields are written as FieldsV1 and read again', (t) => {
  const cases: [encoded: object, paths: string[]][] = [
    [{}, []],
    [{ 'f:spec': { 'f:replicas': {} } }, ['.spec.replicas']],
    [
      { 'f:metadata': { 'f:labels': { '.': {}, 'f:app': {} } } },
      ['.metadata.labels', '.metadata.labels.app'],
    ],
    [{ 'f:metadata': { 'f:finalizers': { 'v:"a"': {} } } }, ['.metadata.finalizers[="a"]']],
    [
      { 'f:ports': { 'k:{"containerPort":80,"protocol":"TCP"}': { '.': {}, 'f:name': {} } } },
      ['.ports[containerPort=80,protocol="TCP"]', '.ports[containerPort=80,protocol="TCP"].name'],
    ],
    [{ 'f:args': { 'i:0': {} } }, ['.args[0]']],
  ];
  for (const [encoded, paths] of cases) {
    t.strictSame(pathsOf(set(encoded)), paths, JSON.stringify(encoded));
    t.strictSame(encodeFields(set(encoded)), encoded);
  }
  t.equal(
    JSON.stringify(encodeFields(set({ 'f:b': {}, 'f:a': { 'f:z': {}, '.': {} } }))),
    '{"f:a":{".":{},"f:z":{}},"f:b":{}}',
    'always in the same order',
  );
  t.ok(
    sameFields(set({ 'k:{"b":1,"a":2}': {} }), set({ 'k:{"a":2,"b":1}': {} })),
    'the order of keys in an element does not count',
  );
  for (const wrong of [1, null, { spec: {} }, { 'k:x': {} }, { 'k:1': {} }, { 'f:a': 1 }]) {
    t.throws(() => set(wrong), JSON.stringify(wrong));
  }
  t.end();
});

test('sets of fields are united, subtracted and intersected place by place', (t) => {
  const a = set({ 'f:x': {}, 'f:m': { '.': {}, 'f:a': {} } });
  const b = set({ 'f:y': {}, 'f:m': { 'f:a': {}, 'f:b': {} } });
  t.strictSame(encodeFields(union(a, b)), { 'f:m': { '.': {}, 'f:a': {}, 'f:b': {} }, 'f:x': {}, 'f:y': {} });
  t.strictSame(encodeFields(difference(a, b)), { 'f:m': {}, 'f:x': {} });
  t.strictSame(encodeFields(difference(b, a)), { 'f:m': { 'f:b': {} }, 'f:y': {} });
  t.strictSame(encodeFields(intersection(a, b)), { 'f:m': { 'f:a': {} } });
  t.strictSame(
    encodeFields(withoutSubtrees(b, set({ 'f:m': {} }))),
    { 'f:y': {} },
    'all below a removed field goes',
  );
  t.strictSame(
    encodeFields(difference(b, set({ 'f:m': {} }))),
    encodeFields(b),
    'but not in a plain difference',
  );
  t.ok(isEmptySet(difference(a, a)), 'what is empty leaves no branches');
  t.notOk(sameFields(a, b));
  t.ok(sameFields(union(a, b), union(b, a)));
  t.end();
});
