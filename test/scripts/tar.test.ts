import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { lstatSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { busyboxRoot, isStatic } from '../../scripts/busybox-image.ts';
import { type TarEntry, tarOf } from '../../scripts/tar.ts';

const ENTRIES: readonly TarEntry[] = [
  { type: 'directory', path: 'bin/', mode: 0o755 },
  { type: 'file', path: 'bin/program', mode: 0o755, content: Buffer.alloc(513, 'x') },
  { type: 'link', path: 'bin/alias', target: 'program' },
  { type: 'file', path: 'empty', mode: 0o600, content: Buffer.alloc(0) },
  { type: 'directory', path: 'tmp/', mode: 0o1777 },
];

t.test('the system tar reads what was written', async (t) => {
  const dir = t.testdir();
  execFileSync('tar', ['-xpf', '-', '-C', dir], { input: tarOf(ENTRIES) });
  t.equal(readFileSync(join(dir, 'bin/program'), 'utf8'), 'x'.repeat(513));
  t.equal(lstatSync(join(dir, 'bin/program')).mode & 0o7777, 0o755);
  t.equal(readlinkSync(join(dir, 'bin/alias')), 'program');
  t.equal(lstatSync(join(dir, 'empty')).size, 0);
  t.equal(lstatSync(join(dir, 'tmp')).mode & 0o7777, 0o1777);
});

t.test('an archive is whole blocks, and the same each time', async (t) => {
  const hash = () => createHash('sha256').update(tarOf(ENTRIES)).digest('hex');
  t.equal(tarOf(ENTRIES).length % 512, 0);
  t.equal(hash(), hash());
});

t.test('a name that does not fit is refused', async (t) => {
  const path = 'x'.repeat(101);
  t.throws(() => tarOf([{ type: 'directory', path, mode: 0 }]), /at most 100 bytes/);
});

t.test('the image of busybox', async (t) => {
  const entries = busyboxRoot(Buffer.from('program'), ['busybox', 'ls', 'sh'], { 'www/index.html': 'hi' });
  const paths = entries.map(({ path }) => path);
  t.same(
    paths.filter((path) => path.startsWith('bin/')),
    ['bin/', 'bin/busybox', 'bin/ls', 'bin/sh'],
  );
  t.ok(['tmp/', 'etc/passwd', 'www/index.html'].every((path) => paths.includes(path)));
});

t.test('a program is static or needs a linker', async (t) => {
  t.notOk(isStatic(readFileSync(process.execPath)), 'Node.js needs one');
  t.notOk(isStatic(Buffer.from('#!/bin/sh\n')), 'a script is no program');
  t.ok(isStatic(readFileSync('/bin/busybox')), 'busybox-static, which the tests set up');
});
