import { Readable } from 'node:stream';
import t from 'tap';
import { NodeImages, nodeImages } from '../../../agent/node/node-images.ts';
import type { StoredImage } from '../../../agent/runtime/runtime.ts';
import { until } from '../../support/until.ts';

const image = (sizeBytes: number, ...names: string[]): StoredImage => ({
  id: `sha256:${sizeBytes}`,
  names,
  sizeBytes,
  isUsed: false,
});
const DIGEST = 'a'.repeat(64);

t.test('the largest are told, by the names that pods know them by', async (t) => {
  const found = await nodeImages(
    Readable.from([
      image(1, 'small:1'),
      image(9),
      image(5, 'app:1', `app:holdfast-sha256-${DIGEST}`, `app@sha256:${DIGEST}`),
      image(5, 'also:1'),
      image(2, ...Array.from({ length: 9 }, (_, index) => `many:${index}`)),
    ]),
  );
  t.same(found, [
    { names: ['also:1'], sizeBytes: 5 },
    { names: [`app@sha256:${DIGEST}`, 'app:1'], sizeBytes: 5 },
    { names: ['many:0', 'many:1', 'many:2', 'many:3', 'many:4'], sizeBytes: 2 },
    { names: ['small:1'], sizeBytes: 1 },
  ]);
  const many = await nodeImages(
    Readable.from(Array.from({ length: 280 }, (_, index) => image(index, `i:${index}`))),
  );
  t.equal(many.length, 50);
  t.equal(many[0]?.sizeBytes, 279);
});

t.test('they are looked up when they may have changed, and told when they have', async (t) => {
  const answers: (readonly StoredImage[])[] = [[], [image(1, 'a:1')], [image(1, 'a:1')], [image(2, 'b:1')]];
  let looked = 0;
  const told: unknown[] = [];
  const images: NodeImages = new NodeImages({
    list: async function* () {
      looked += 1;
      const answer = answers.shift();
      if (!answer) throw new Error('the engine is gone');
      yield* answer;
    },
    onChange: () => told.push(images.images?.map(({ names }) => names)),
  });
  t.teardown(() => images.close());
  t.equal(images.images, undefined);
  for (const times of [1, 2, 3, 4, 5]) {
    images.changed();
    images.changed();
    await until('it has looked', () => looked === times);
  }
  t.same(told, [[['a:1']], [['b:1']]]);
});
