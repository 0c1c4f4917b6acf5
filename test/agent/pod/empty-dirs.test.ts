import { linkSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { emptyDirOverLimit, measureEmptyDirs } from '../../../agent/pod/empty-dirs.ts';
import { makePod, UID } from '../builders.ts';

const pod = makePod({
  volumes: [
    { name: 'free', emptyDir: {} },
    { name: 'fast', emptyDir: { medium: 'Memory', sizeLimit: '1Ki' } },
    { name: 'work', emptyDir: { sizeLimit: '1Mi' } },
  ],
});

t.test('which holds more than it may', async (t) => {
  const over = (used: object) => emptyDirOverLimit(pod, new Map(Object.entries(used)));
  t.equal(over({}), undefined);
  t.equal(over({ work: 2 ** 20 }), undefined);
  t.equal(over({ work: 2 ** 20 + 1 }), 'Usage of EmptyDir volume "work" exceeds the limit "1Mi".');
  t.equal(over({ free: 2 ** 40, fast: 2 ** 40 }), undefined, 'no limit, or one that the kernel keeps');
});

t.test('how much they hold', async (t) => {
  const data = t.testdir();
  const volume = join(data, 'pods', UID, 'volumes', 'work');
  mkdirSync(join(volume, 'below'), { recursive: true });
  writeFileSync(join(volume, 'below', 'big'), Buffer.alloc(2 ** 20, 'x'));
  linkSync(join(volume, 'below', 'big'), join(volume, 'same'));
  symlinkSync('/', join(volume, 'everything'));
  const used = await measureEmptyDirs(pod, { data, memory: '/none' });
  t.same([...used.keys()], ['free', 'work'], 'only where it matters');
  t.same(used.get('free'), { bytes: 0, inodes: 0 }, 'not made yet');
  const { bytes = 0, inodes } = used.get('work') ?? {};
  t.equal(inodes, 3, 'what has two names is one');
  t.ok(bytes >= 2 ** 20 && bytes < 1.1 * 2 ** 20, `${bytes}`);
});
