import { test } from 'tap';
import { applyMergePatch } from '../../../hub/patch/merge-patch.ts';

test('objects merge, null removes, everything else replaces', (t) => {
  const cases: [target: unknown, patch: { [key: string]: unknown }, expected: object][] = [
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [{ a: 'foo' }, {}, { a: 'foo' }],
    [['c', 'd'], { a: 'b' }, { a: 'b' }],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
    [{ a: 1 }, { a: { b: null, c: [null] } }, { a: { c: [null] } }],
  ];
  for (const [target, patch, expected] of cases) {
    const before = structuredClone([target, patch]);
    t.strictSame(
      applyMergePatch(target, patch),
      expected,
      `${JSON.stringify(target)} + ${JSON.stringify(patch)}`,
    );
    t.strictSame([target, patch], before, 'the arguments stay as they were');
  }
  t.end();
});
