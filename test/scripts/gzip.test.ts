import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import t from 'tap';
import { gzipOf } from '../../scripts/package/gzip.ts';

t.test('what is compressed in parts is one stream, whoever reads it', async (t) => {
  const [text, other] = [Buffer.from('text '.repeat(10_000)), Buffer.from('an end')];
  const large = Buffer.concat([randomBytes(1024), Buffer.alloc(9 * 1024 * 1024, 'large')]);
  for (const parts of [
    [],
    [Buffer.alloc(0)],
    [text],
    [large],
    [text, large, other],
    [other, text, large, large, text],
  ]) {
    const all = Buffer.concat(parts);
    const packed = await gzipOf(parts);
    t.ok(gunzipSync(packed).equals(all), `${parts.length} parts`);
    for (const [program = '', ...args] of [
      ['gzip', '-dc'],
      ['busybox', 'gunzip', '-c'],
    ])
      t.ok(
        execFileSync(program, args, { input: packed, maxBuffer: 2 ** 25 }).equals(all),
        `${program}, ${parts.length} parts`,
      );
    t.ok((await gzipOf(parts)).equals(packed), 'again');
    t.ok(packed.length < 30 + all.length / 20 + 1024, `${packed.length} bytes of ${all.length}`);
  }
});
