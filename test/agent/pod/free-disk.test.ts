import t from 'tap';
import { roomProblem } from '../../../agent/pod/free-disk.ts';

const GIB = 1024 ** 3;
const disk = (freeBytes: number) => ({ path: '/data', freeBytes, totalBytes: 20 * GIB });

t.test('what must be free before a download', async (t) => {
  for (const [wanted, freeBytes, problem] of [
    ['5%', GIB, undefined],
    [
      '5%',
      GIB - 1,
      /^the engine's disk "\/data" has 1024\.0 MiB free of 20\.0 GiB, and must have 1\.0 GiB \(5%\) before a download/,
    ],
    ['500Mi', 500 * 1024 ** 2, undefined],
    ['500Mi', 0, /has 0 B free of 20\.0 GiB, and must have 500\.0 MiB before a download: free space on it$/],
    ['1e9', GIB, undefined],
    ['0', 0, undefined],
    ['0%', 0, undefined],
  ] as const) {
    const found = roomProblem(wanted, disk(freeBytes));
    if (problem) t.match(found, problem, wanted);
    else t.equal(found, undefined, wanted);
  }
});
