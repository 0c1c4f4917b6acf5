import { execFileSync } from 'node:child_process';
import { Readable } from 'node:stream';
import t from 'tap';
import { filesOfTar } from '../../proto/bundle/tar-reader.ts';

t.test('an archive ends with padding, and with nothing else', async (t) => {
  const dir = t.testdir({ a: 'one', b: 'two' });
  const archive = execFileSync('tar', ['--format=ustar', '-c', '-C', dir, 'a', 'b']);
  const read = async (...parts: Buffer[]) => {
    const paths: string[] = [];
    for await (const { path, content } of filesOfTar(Readable.from(parts))) {
      paths.push(path);
      for await (const _ of content);
    }
    return paths;
  };
  t.same(await read(archive), ['a', 'b']);
  t.same(await read(archive, Buffer.alloc(512)), ['a', 'b'], 'zeros in a part of their own');
  await t.rejects(read(archive, Buffer.from('x')), /something follows its end/);
  await t.rejects(read(archive, archive), /something follows its end/);
  await t.rejects(read(archive, Buffer.alloc(2 * 1024 * 1024)), /something follows its end/, 'as /dev/zero');
});
