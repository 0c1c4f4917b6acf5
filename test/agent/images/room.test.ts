import t from 'tap';
import { sameUntil } from '../../../agent/images/engine-store.ts';
import { stepToTell } from '../../../agent/images/progress.ts';
import { challengeOf } from '../../../agent/images/remote-registry.ts';
import { roomProblem } from '../../../agent/images/room.ts';

const MIB = 1024 * 1024;
const layer = (mib: number, mediaType?: string) => ({
  digest: '',
  size: mib * MIB,
  ...(mediaType && { mediaType }),
});
const place = (device: number, mib: number) => ({ path: `/disk-${device}`, device, freeBytes: mib * MIB });

t.test('whether an image fits', async (t) => {
  const rows: [string, ReturnType<typeof layer>[], number, number, number | undefined, RegExp | undefined][] =
    [
      ['two disks with room', [layer(10)], 0, 10, 35, undefined],
      [
        'no room for the download',
        [layer(10)],
        0,
        9,
        35,
        /needs about 10 MiB on "\/disk-1", and 9 MiB are free/,
      ],
      ['half of it is there', [layer(10)], 5, 5, 35, undefined],
      ['no room to unpack it', [layer(10)], 0, 10, 34, /needs about 35 MiB on "\/disk-2", and 34 MiB/],
      ['what is not packed grows no more', [layer(10, 'application/x.tar')], 0, 10, 20, undefined],
      ['the engine has all', [], 0, 0, 0, undefined],
      ['a disk that nobody sees', [layer(10)], 0, 10, undefined, undefined],
    ];
  for (const [what, missing, thereMib, dataMib, engineMib, problem] of rows) {
    const engine = engineMib === undefined ? undefined : place(2, engineMib);
    const found = roomProblem('app', { missing, thereBytes: thereMib * MIB }, place(1, dataMib), engine);
    if (problem) t.match(found, problem, what);
    else t.equal(found, undefined, what);
  }
  const need = { missing: [layer(10)], thereBytes: 0 };
  t.equal(roomProblem('app', need, place(1, 45), place(1, 45)), undefined, 'one disk takes both');
  t.match(roomProblem('app', need, place(1, 44), place(1, 44)), /needs about 45 MiB/);
});

t.test('how many layers are the same from the beginning', async (t) => {
  t.equal(sameUntil(['a', 'b'], ['a', 'b', 'c']), 2);
  t.equal(sameUntil(['a', 'b', 'c'], ['a', 'b']), 2);
  t.equal(sameUntil(['x', 'b'], ['a', 'b']), 0);
  t.equal(sameUntil([], ['a']), 0);
});

t.test('quarters of downloads that take long are told', async (t) => {
  const rows: [number, number, number, number | undefined][] = [
    [50, 0, 9_999, undefined],
    [24, 0, 10_000, undefined],
    [25, 0, 10_000, 1],
    [49, 1, 20_000, undefined],
    [80, 1, 20_000, 3],
    [100, 3, 20_000, undefined],
  ];
  for (const [done, told, sinceMs, step] of rows)
    t.equal(stepToTell({ done, total: 100 }, told, sinceMs), step, `${done} % after ${sinceMs} ms`);
});

t.test('what a registry wants to be shown', async (t) => {
  t.same(challengeOf('Bearer realm="https://a.example/token",service="r",scope="repository:a/b:pull,push"'), {
    scheme: 'bearer',
    parameters: { realm: 'https://a.example/token', service: 'r', scope: 'repository:a/b:pull,push' },
  });
  t.same(challengeOf('Basic realm=x'), { scheme: 'basic', parameters: { realm: 'x' } });
  t.equal(challengeOf(undefined), undefined);
});
