import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { isMounted, unmountBelow } from '../../../agent/pod/mount-points.ts';
import { placeMounts, releaseLeft } from '../../../agent/pod/sub-path.ts';

/* Needs root, as the agent does: it mounts. */

const mount = (source: string, subPath: string, isOurs = false) => ({
  ...{ source, target: '/m', readOnly: false },
  ...{ subPath, isOurs },
});

const MAIN = { container: 'main', attempt: 0 };

t.test('what is opened is what is mounted', async (t) => {
  const dir = t.testdir({ volume: { a: { b: 'found' } }, outside: { secret: 'x' } });
  const [volume, places] = [join(dir, 'volume'), join(dir, 'places')];
  const place = (index: number) => join(places, `main.0.${index}`);
  t.teardown(() => unmountBelow([dir]));
  symlinkSync('a', join(volume, 'inside'));
  symlinkSync(join(dir, 'outside'), join(volume, 'absolute'));
  symlinkSync('../outside', join(volume, 'relative'));
  symlinkSync('loop', join(volume, 'loop'));

  const { mounts, release } = await placeMounts(
    [mount(volume, 'a/b'), mount(volume, 'inside'), mount(volume, 'new/deep'), mount(volume, '.')],
    places,
    MAIN,
  );
  t.same(
    mounts.map(({ source }) => source),
    [0, 1, 2, 3].map(place),
  );
  t.equal(readFileSync(place(0), 'utf8'), 'found');
  t.equal(readFileSync(join(place(1), 'b'), 'utf8'), 'found');
  writeFileSync(join(place(2), 'x'), '1');
  t.equal(readFileSync(join(volume, 'new/deep/x'), 'utf8'), '1');
  t.equal(statSync(place(3)).ino, statSync(volume).ino);
  await release();
  for (const index of [0, 1, 2, 3])
    t.notOk(lstatSync(place(index), { throwIfNoEntry: false }), 'nothing is left');
  t.equal(readFileSync(join(volume, 'new/deep/x'), 'utf8'), '1');

  for (const path of ['absolute', 'absolute/secret', 'absolute/new', 'relative/secret'])
    await t.rejects(
      placeMounts([mount(volume, path)], places, MAIN),
      /leads out of its volume, to ".*outside/,
      path,
    );
  await t.rejects(placeMounts([mount(volume, 'loop/x')], places, MAIN), /ELOOP/);
  await t.rejects(placeMounts([mount(volume, 'a/b/c')], places, MAIN), /ENOTDIR/);
  t.notOk(lstatSync(join(dir, 'outside/new'), { throwIfNoEntry: false }), 'nothing was made outside');
});

t.test(
  'what an agent left that was cut off goes, but for what a container is yet to start with',
  async (t) => {
    const dir = t.testdir({ volume: { a: {} } });
    const [volume, places] = [join(dir, 'volume'), join(dir, 'places')];
    t.teardown(() => unmountBelow([dir]));
    await releaseLeft(places, []); // nothing ever was there
    const next = { ...MAIN, attempt: 1 };
    await placeMounts([mount(volume, 'a')], places, MAIN);
    await placeMounts([mount(volume, 'a')], places, next);
    await releaseLeft(places, [next]);
    t.same(readdirSync(places), ['main.1.0']);
    t.ok(await isMounted(join(places, 'main.1.0')));
    await releaseLeft(places, []);
    t.same(readdirSync(places), []);
  },
);

t.test('of what only this agent writes, the path is enough', async (t) => {
  const dir = t.testdir({ '..1': { key: 'value' } });
  symlinkSync('..1', join(dir, '..data'));
  symlinkSync('..data/key', join(dir, 'key'));
  const places = join(dir, 'none');
  const { mounts } = await placeMounts([mount(dir, 'key', true)], places, MAIN);
  t.same(mounts, [{ source: join(dir, '..1/key'), target: '/m', readOnly: false }]);
  await t.rejects(
    placeMounts([mount(dir, 'none', true)], places, MAIN),
    /subPath "none" is not in its volume/,
  );
});

t.test('a container that changes links all the time gets nothing of what is outside', async (t) => {
  const dir = t.testdir({ volume: { real: { sub: {} } }, outside: { sub: { secret: 'x' } } });
  const volume = join(dir, 'volume');
  t.teardown(() => unmountBelow([dir]));
  mkdirSync(join(dir, 'places'));
  const script = `cd ${volume}; ln -s ../outside bad; while :; do mv -T real x; mv -T bad real; mv -T real bad; mv -T x real; done`;
  const swapper = spawn('sh', ['-c', script], { stdio: 'ignore', detached: true });
  const ended = once(swapper, 'exit');
  const endSwapper = async () => {
    process.kill(-(swapper.pid ?? 0), 'SIGKILL'); // what it has just called as well
    await ended;
  };
  let placed = 0;
  for (let round = 0; round < 60; round++) {
    const places = join(dir, 'places', `${round}`);
    try {
      const { release } = await placeMounts([mount(volume, 'real/sub')], places, MAIN);
      placed++;
      t.notOk(
        lstatSync(join(places, 'main.0.0/secret'), { throwIfNoEntry: false }),
        'what is mounted is of the volume',
      );
      await release();
    } catch {
      // refused, or gone between two looks: a container that does this does not start
    }
  }
  await endSwapper(); // a directory that changes can not be removed, so not by a teardown
  t.comment(`${placed} of 60 were mounted`);
});
