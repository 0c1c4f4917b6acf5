import { join } from 'node:path';
import t from 'tap';
import { makeDirectory } from '../../proto/make-directory.ts';
import { readSmallFile } from '../../proto/small-file.ts';

t.test('a file is read as far as it may be long', async (t) => {
  const dir = t.testdir({ empty: '', full: 'abcd', 'too-long': 'abcde' });
  t.equal(readSmallFile(join(dir, 'empty'), 4), '');
  t.equal(readSmallFile(join(dir, 'full'), 4), 'abcd');
  for (const path of [join(dir, 'too-long'), '/dev/zero'])
    t.throws(() => readSmallFile(path, 4), { message: 'it is longer than 4 bytes' });
});

t.test('a directory that can not be made is told in one line', async (t) => {
  const dir = t.testdir({ file: 'x' });
  makeDirectory(join(dir, 'a/b'), 'data-dir');
  makeDirectory(join(dir, 'a/b'), 'data-dir'); // it is there
  const rows = [
    ['file', 'a file has this name'],
    ['file/below', 'a part of this path is a file'],
  ];
  for (const [path = '', why] of rows)
    t.throws(() => makeDirectory(join(dir, path), 'data-dir'), {
      message: `the directory "${join(dir, path)}" (--data-dir) can not be made: ${why}`,
    });
});
