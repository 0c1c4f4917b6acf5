import { mkdirSync, realpathSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { realPathOf } from '../../../agent/pod/real-path.ts';

t.test('where a path leads that is yet to be made', async (t) => {
  const dir = realpathSync(t.testdir());
  const at = (...names: string[]) => join(dir, ...names);
  for (const name of ['allowed', 'other']) mkdirSync(at(name));
  symlinkSync(at('other'), at('allowed/out'));
  symlinkSync('../other/none', at('allowed/dangling'));
  symlinkSync('loop', at('allowed/loop'));
  for (const [path, real] of [
    ['allowed', 'allowed'],
    ['allowed/new/one', 'allowed/new/one'],
    ['allowed/out', 'other'],
    ['allowed/out/new/one', 'other/new/one'],
    ['allowed/dangling', 'other/none'],
    ['allowed/dangling/one', 'other/none/one'],
  ] as const)
    t.equal(await realPathOf(at(path)), at(real), path);
  await t.rejects(realPathOf(at('allowed/loop')), /too many links/);
});
