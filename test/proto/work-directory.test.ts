import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import t from 'tap';
import { makeWorkDirectory } from '../../proto/work-directory.ts';

t.test('what processes that were killed have left is removed, and nothing else', async (t) => {
  const dir = t.testdir({ '.work-notes': 'a file' });
  const { pid: ended } = spawnSync('true');
  const left = [`.work-${ended}-a`, `.other-${ended}-a`, `.work-${process.ppid}-a`, '.work-x-a'];
  for (const name of left) mkdirSync(join(dir, name, 'deep'), { recursive: true });
  const first = basename(makeWorkDirectory(dir, '.work-'));
  const second = basename(makeWorkDirectory(dir, '.work-'));
  t.match(first, new RegExp(`^\\.work-${process.pid}-`));
  t.same(readdirSync(dir).sort(), [...left.slice(1), '.work-notes', first, second].sort());
});
