import t from 'tap';
import { type DockerStats, statsOf } from '../../../agent/runtime/docker-stats.ts';

const cpu = { cpu_usage: { total_usage: 5_000 } };

t.test('what the engine says of a container', async (t) => {
  const rows: [string, DockerStats, ReturnType<typeof statsOf>][] = [
    [
      'control groups, version 2',
      { cpu_stats: cpu, memory_stats: { usage: 1000, stats: { inactive_file: 300 } } },
      { cpuNanoseconds: 5_000, workingSetBytes: 700, processes: 0 },
    ],
    [
      'version 1 counts what is below besides',
      {
        cpu_stats: cpu,
        memory_stats: { usage: 1000, stats: { inactive_file: 0, total_inactive_file: 400 } },
      },
      { cpuNanoseconds: 5_000, workingSetBytes: 600, processes: 0 },
    ],
    [
      'nothing is known of the cache',
      { cpu_stats: cpu, memory_stats: { usage: 1000 }, pids_stats: { current: 7 } },
      { cpuNanoseconds: 5_000, workingSetBytes: 1000, processes: 7 },
    ],
    [
      'counters that were not read at once',
      { cpu_stats: cpu, memory_stats: { usage: 1000, stats: { inactive_file: 1001 } } },
      { cpuNanoseconds: 5_000, workingSetBytes: 0, processes: 0 },
    ],
    ['it does not run', { cpu_stats: { cpu_usage: { total_usage: 0 } }, memory_stats: {} }, undefined],
    ['an engine that tells nothing', {}, undefined],
  ];
  for (const [what, answer, expected] of rows) t.same(statsOf(answer), expected, what);
});
