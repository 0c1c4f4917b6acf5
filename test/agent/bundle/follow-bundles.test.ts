import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import t from 'tap';
import { followBundles } from '../../../agent/bundle/follow-bundles.ts';
import { until } from '../../support/until.ts';

t.test('what is no file keeps no bundle waiting, and a directory may come late', async (t) => {
  const dir = t.testdir({ early: {} });
  const [early, late] = [join(dir, 'early'), join(dir, 'not/there/late')];
  execFileSync('mkfifo', [join(early, 'a.bundle')]);
  mkdirSync(join(early, 'b.bundle'));
  writeFileSync(join(early, 'c.bundle'), 'c');
  const said: { file: string }[] = [];
  const say = (what: { file: string }) => said.push(what);
  const log = { info: say, warn: say } as unknown as Logger;
  t.teardown(followBundles({ paths: [early, late], importer: ['cat'], log }));
  await until('the file is imported', () => said.length === 1);
  mkdirSync(late, { recursive: true });
  writeFileSync(join(late, 'd.bundle'), 'd');
  await until('the late one is imported', () => said.length === 2);
  rmSync(late, { recursive: true });
  mkdirSync(late);
  writeFileSync(join(late, 'e.bundle'), 'e');
  await until('one in a directory that was made anew is', () => said.length === 3);
  t.match(said, [
    { file: join(early, 'c.bundle'), imported: ['c'] },
    { file: join(late, 'd.bundle'), imported: ['d'] },
    { file: join(late, 'e.bundle'), imported: ['e'] },
  ]);
});
