import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { checkNewFile } from '../../proto/new-file.ts';
import { writeSupportBundle } from '../../proto/support/support-bundle.ts';

t.test('a file is made where none is, or takes the place of a file', async (t) => {
  const dir = t.testdir({ there: '' });
  for (const path of ['new', 'there']) await t.resolves(checkNewFile(join(dir, path)), path);
  await t.rejects(checkNewFile(dir), /is there and is no file/);
  await t.rejects(checkNewFile('/dev/null'), /"\/dev\/null" is there and is no file: name one/);
  await t.rejects(checkNewFile(join(dir, 'none/new')), /can not be made: ".*none" is no directory/);
  await t.rejects(checkNewFile(join(dir, 'there/new')), /can not be made: ".*there" is no directory/);
});

t.test('a support bundle is there as a whole, or not at all', async (t) => {
  const dir = t.testdir();
  await writeSupportBundle(join(dir, 'a.tar.gz'), { 'a.txt': async () => 'a' });
  t.same(readdirSync(dir), ['a.tar.gz']);
  await t.rejects(writeSupportBundle(dir, { 'a.txt': async () => 'a' }), /is no file/);
  writeFileSync(join(dir, 'tar'), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
  const { PATH } = process.env;
  process.env['PATH'] = dir;
  t.teardown(() => {
    process.env['PATH'] = PATH;
  });
  await t.rejects(writeSupportBundle(join(dir, 'b.tar.gz'), {}), /tar/);
  t.same(readdirSync(dir).sort(), ['a.tar.gz', 'tar'], 'nothing is left of one that failed');
});
