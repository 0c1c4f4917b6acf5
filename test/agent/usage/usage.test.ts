import t from 'tap';
import { cpuNanosecondsOf, workingSetBytesOf } from '../../../agent/usage/device-sample.ts';
import { type Sample, usageBetween } from '../../../agent/usage/usage.ts';

const at = (atMs: number, cpuNanoseconds: number, workingSetBytes = 1): Sample => ({
  atMs,
  cpuNanoseconds,
  workingSetBytes,
});

t.test('usage between two samples', async (t) => {
  const rows: [string, Sample, Sample, ReturnType<typeof usageBetween>][] = [
    [
      'a whole CPU for a second',
      at(1_000, 7e9),
      at(2_000, 8e9, 5),
      { cpuNanocores: 1e9, windowMs: 1_000, workingSetBytes: 5 },
    ],
    [
      'a tenth for 15.0004 s',
      at(0, 0),
      at(15_000.4, 1.50004e9),
      { cpuNanocores: 1e8, windowMs: 15_000, workingSetBytes: 1 },
    ],
    ['nothing', at(0, 3), at(1_000, 3), { cpuNanocores: 0, windowMs: 1_000, workingSetBytes: 1 }],
    ['a counter that began anew', at(0, 9), at(1_000, 3), undefined],
    ['no time between', at(5, 0), at(5, 9), undefined],
  ];
  for (const [what, before, after, expected] of rows) t.same(usageBetween(before, after), expected, what);
});

t.test('what the kernel tells of the device', async (t) => {
  const stat = 'cpu  100 20 30 9999 500 4 6 77 50 5\ncpu0 1 2 3 4 5 6 7 8 9 10\nintr 5\n';
  t.equal(cpuNanosecondsOf(stat), 160e7, 'idle, waiting and stolen time is not used, guests are in user');
  t.equal(cpuNanosecondsOf(''), 0);
  const memory = 'MemTotal:        1000 kB\nMemFree:  100 kB\nMemAvailable:     600 kB\n';
  t.equal(workingSetBytesOf(memory), 400 * 1024);
  t.equal(workingSetBytesOf(''), 0);
});
