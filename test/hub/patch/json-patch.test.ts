import { test } from 'tap';
import { applyJsonPatch } from '../../../hub/patch/json-patch.ts';

const OBJECT = { metadata: { labels: { 'a/b': 'x', 'c~d': 'y' } }, spec: { list: [1, 2, 3] } };

test('operations change a copy of the object', (t) => {
  const cases: [what: string, patch: unknown, expected: object][] = [
    ['add a member', [{ op: 'add', path: '/status', value: {} }], { ...OBJECT, status: {} }],
    [
      'add to the end of a list',
      [{ op: 'add', path: '/spec/list/-', value: 4 }],
      { ...OBJECT, spec: { list: [1, 2, 3, 4] } },
    ],
    [
      'insert in a list',
      [{ op: 'add', path: '/spec/list/0', value: 0 }],
      { ...OBJECT, spec: { list: [0, 1, 2, 3] } },
    ],
    ['remove', [{ op: 'remove', path: '/spec/list/1' }], { ...OBJECT, spec: { list: [1, 3] } }],
    ['replace', [{ op: 'replace', path: '/spec/list', value: [] }], { ...OBJECT, spec: { list: [] } }],
    [
      'move',
      [{ op: 'move', from: '/spec/list', path: '/all' }],
      { metadata: OBJECT.metadata, spec: {}, all: [1, 2, 3] },
    ],
    [
      'copy',
      [{ op: 'copy', from: '/spec/list/0', path: '/spec/first' }],
      { ...OBJECT, spec: { list: [1, 2, 3], first: 1 } },
    ],
    ['null is a value', [{ op: 'add', path: '/spec', value: null }], { ...OBJECT, spec: null }],
    [
      'escaped segments',
      [
        { op: 'remove', path: '/metadata/labels/a~1b' },
        { op: 'test', path: '/metadata/labels/c~0d', value: 'y' },
      ],
      { ...OBJECT, metadata: { labels: { 'c~d': 'y' } } },
    ],
    ['nothing', [], OBJECT],
  ];
  for (const [what, patch, expected] of cases) {
    const before = structuredClone(OBJECT);
    t.strictSame(applyJsonPatch(OBJECT, patch), expected, what);
    t.strictSame(OBJECT, before, 'the object stays as it was');
  }
  const value = { a: 1 };
  const patch = [
    { op: 'add', path: '/x', value },
    { op: 'add', path: '/x/b', value: 2 },
  ];
  t.strictSame(applyJsonPatch({}, patch), { x: { a: 1, b: 2 } });
  t.strictSame(value, { a: 1 }, 'the patch stays as it was');
  t.end();
});

test('patches that cannot be applied are refused as a whole', (t) => {
  const add = { op: 'add', path: '/x', value: 1 };
  const cases: [what: string, patch: unknown, code: number][] = [
    ['a test that fails', [add, { op: 'test', path: '/spec/list/0', value: 9 }], 422],
    ['a test of what is missing', [{ op: 'test', path: '/nothing', value: 1 }], 422],
    ['a path that is missing', [{ op: 'remove', path: '/nothing' }, add], 422],
    ['a parent that is missing', [{ op: 'add', path: '/no/thing', value: 1 }], 422],
    ['an index past the end', [{ op: 'add', path: '/spec/list/9', value: 1 }], 422],
    ['a source that is missing', [{ op: 'move', from: '/nothing', path: '/x' }], 422],
    ['an index that is no number', [{ op: 'replace', path: '/spec/list/01', value: 1 }], 422],
    ['a length', [{ op: 'replace', path: '/spec/list/length', value: 1 }], 422],
    ['an inherited property as the source', [{ op: 'copy', from: '/toString', path: '/x' }], 422],
    [
      'a source that is itself removed',
      [
        { op: 'remove', path: '/spec' },
        { op: 'copy', from: '/spec', path: '/x' },
      ],
      422,
    ],
    ['the whole object', [{ op: 'replace', path: '', value: {} }], 422],
    ['an object in the place of the list', { op: 'add' }, 400],
    ['an operation that is no object', [1], 400],
    ['an unknown operation', [{ op: 'increment', path: '/spec' }], 400],
    ['no path', [{ op: 'remove' }], 400],
    ['a path without its slash', [{ op: 'remove', path: 'spec' }], 400],
    ['no value', [{ op: 'add', path: '/x' }], 400],
    ['no source', [{ op: 'copy', path: '/x' }], 400],
    ['a prototype', [{ op: 'add', path: '/__proto__/polluted', value: 1 }], 400],
    ['a constructor', [{ op: 'add', path: '/constructor/prototype/polluted', value: 1 }], 400],
    ['a prototype as the source', [{ op: 'copy', from: '/__proto__', path: '/x' }], 400],
    ['too many operations', Array(10_001).fill(add), 413],
  ];
  for (const [what, patch, code] of cases) {
    t.throws(() => applyJsonPatch(structuredClone(OBJECT), patch), { code }, what);
  }
  t.notOk('polluted' in {});
  t.doesNotThrow(() => applyJsonPatch({}, Array(10_000).fill(add)));
  t.end();
});
