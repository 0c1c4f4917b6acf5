import { createHash } from 'node:crypto';
import { constants, createDeflate } from 'node:zlib';
import t from 'tap';
import { SPDY_DICTIONARY } from '../../../../hub/api/streaming/spdy-dictionary.ts';
import { dataFrame, type Frame, framesOf, pingFrame } from '../../../../hub/api/streaming/spdy-frames.ts';
import { HeaderBlocks } from '../../../../hub/api/streaming/spdy-headers.ts';

async function framesIn(...pieces: Buffer[]): Promise<Frame[]> {
  const frames: Frame[] = [];
  for await (const frame of framesOf(
    (async function* () {
      yield* pieces;
    })(),
  ))
    frames.push(frame);
  return frames;
}

/** As a client makes it: `names` one after the other in one zlib stream. */
function clientBlocks() {
  const deflate = createDeflate({ dictionary: SPDY_DICTIONARY });
  return (content: Buffer) =>
    new Promise<Buffer>((resolve) => {
      const parts: Buffer[] = [];
      const take = (part: Buffer) => parts.push(part);
      deflate.on('data', take);
      deflate.write(content, () =>
        deflate.flush(constants.Z_SYNC_FLUSH, () => {
          deflate.off('data', take);
          resolve(Buffer.concat(parts));
        }),
      );
    });
}

const number = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};
const text = (value: string) => Buffer.concat([number(value.length), Buffer.from(value)]);

t.test('the dictionary is that of the specification', async (t) => {
  t.equal(SPDY_DICTIONARY.length, 1423);
  t.equal(
    createHash('sha256').update(SPDY_DICTIONARY).digest('hex'),
    '51d27341373f923f3cd88e1eb7162aeaa3723d7585ff2399201dc06498407f02',
  );
});

t.test('frames, however they are cut', async (t) => {
  const bytes = Buffer.concat([dataFrame(3, Buffer.from('abc'), true), pingFrame(number(1))]);
  const expected = [
    { type: 'data', streamId: 3, last: true, data: Buffer.from('abc') },
    { type: 'ping', payload: number(1) },
  ];
  t.same(await framesIn(bytes), expected);
  t.same(await framesIn(...[...bytes].map((byte) => Buffer.of(byte))), expected, 'byte by byte');
});

t.test('a frame that is longer than any client sends is refused before it is held', async (t) => {
  await t.rejects(framesIn(Buffer.from([0, 0, 0, 1, 0, 0xff, 0xff, 0xff])), /longer than any client sends/);
});

t.test('header blocks share one zlib stream', async (t) => {
  const [client, blocks] = [clientBlocks(), new HeaderBlocks()];
  const block = (type: string) => Buffer.concat([number(1), text('Streamtype'), text(type)]);
  for (const type of ['error', 'stdin', 'stdout'])
    t.same(await blocks.decode(await client(block(type))), new Map([['streamtype', type]]));
  blocks.close();
});

t.test('header blocks that are none', async (t) => {
  const cut = Buffer.concat([number(2), text('a'), text('b')]);
  const long = Buffer.concat([number(1), text('a'), number(0xffffff), Buffer.alloc(100)]);
  const bomb = Buffer.alloc(1024 * 1024);
  for (const [content, problem] of [
    [cut, /cut off/],
    [long, /cut off/],
    [bomb, /longer than/],
  ] as const) {
    const blocks = new HeaderBlocks();
    await t.rejects(blocks.decode(await clientBlocks()(content)), problem);
    blocks.close();
  }
  const garbage = new HeaderBlocks();
  await t.rejects(garbage.decode(Buffer.from('no zlib')), /header/);
  garbage.close();
});
