import { Readable } from 'node:stream';
import t from 'tap';
import { itemsOf } from '../../../agent/runtime/json-items.ts';

t.test('the objects of a list, wherever it is cut', async (t) => {
  const items = [{ a: '}{"\\' }, {}, { b: [{ c: 'ä\\"' }, '{'] }, { d: { e: null } }];
  for (const list of [items, [], [{}]]) {
    const bytes = Buffer.from(`${JSON.stringify(list, undefined, 1)}\n`);
    for (const size of [1, 2, 3, 7, bytes.length]) {
      const parts = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
        bytes.subarray(at * size, (at + 1) * size),
      );
      t.same(
        await Array.fromAsync(itemsOf(Readable.from(parts))),
        list,
        `${list.length} in pieces of ${size}`,
      );
    }
  }
  t.same(
    await Array.fromAsync(itemsOf(Readable.from([Buffer.from('[{"a":1},{"b":')]))),
    [{ a: 1 }],
    'cut off',
  );
});
