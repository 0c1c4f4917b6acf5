import t from 'tap';
import { pressureConditions } from '../../../agent/eviction/conditions.ts';
import { memoryOf, processesOf, signalReader } from '../../../agent/eviction/readings.ts';
import { refusalUnder } from '../../../agent/eviction/refusal.ts';
import {
  crossings,
  nextPressures,
  type Pressure,
  parseThresholds,
  thresholdsProblem,
} from '../../../agent/eviction/thresholds.ts';
import type { PodSpec } from '../../../agent/pod/pod.ts';
import { container, makePod } from '../builders.ts';

t.test('thresholds that are none', async (t) => {
  for (const right of ['', 'memory.available<100Mi', 'nodefs.available=10%,pid.available<1000'])
    t.equal(thresholdsProblem(right), undefined, right);
  const rows: [string, RegExp][] = [
    ['memory.free<1Mi', /must be of memory.available, nodefs.available/],
    ['memory.available<much', /must be quantities or percentages, as memory.available<5%/],
    ['memory.available<-1Mi', /must be quantities/],
    ['nodefs.available<101%', /must be quantities/],
  ];
  for (const [text, message] of rows) t.match(thresholdsProblem(text), message, text);
});

t.test('what is crossed', async (t) => {
  const thresholds = parseThresholds('pid.available<10,nodefs.available<10%,memory.available<1Mi');
  const of = (readings: object) => crossings(thresholds, readings).map(({ signal }) => signal);
  t.same(of({}), [], 'what could not be read');
  t.same(of({ 'memory.available': { available: 2 ** 20, capacity: 2 ** 30 } }), [], 'at the threshold');
  t.same(
    of({
      'nodefs.available': { available: 9, capacity: 100 },
      'nodefs.inodesFree': { available: 0, capacity: 100 },
      'memory.available': { available: 2 ** 20 - 1, capacity: 2 ** 30 },
    }),
    ['memory.available', 'nodefs.available'],
    'memory first; nothing that was not asked for',
  );
  t.same(crossings(thresholds, { 'nodefs.available': { available: 9, capacity: 100 } }), [
    { signal: 'nodefs.available', threshold: 10, available: 9 },
  ]);
});

t.test('a pressure goes when it was not there for long enough', async (t) => {
  const crossing = { signal: 'nodefs.inodesFree', threshold: 1, available: 0 } as const;
  const at = (nowMs: number, before: Map<Pressure, number>, crossed = [crossing].slice(1)) =>
    nextPressures(before, crossed, { transitionMs: 1_000, nowMs });
  const first = at(5_000, new Map(), [crossing]);
  t.same([...first], [['DiskPressure', 5_000]]);
  t.same([...at(5_999, first)], [['DiskPressure', 5_000]]);
  t.same([...at(6_000, first)], []);
  t.same([...at(5_999, first, [crossing])], [['DiskPressure', 5_999]], 'seen again');
});

t.test('what the Node says', async (t) => {
  const now = '2026-01-01T00:00:00Z';
  t.match(pressureConditions(new Set(['DiskPressure']), now), [
    { type: 'MemoryPressure', status: 'False', reason: 'KubeletHasSufficientMemory' },
    { type: 'DiskPressure', status: 'True', reason: 'KubeletHasDiskPressure', lastTransitionTime: now },
    { type: 'PIDPressure', status: 'False', reason: 'KubeletHasSufficientPID' },
  ]);
});

t.test('which pods are not taken on', async (t) => {
  const memory: Pressure[] = ['MemoryPressure'];
  const asking = { containers: [container('main', { resources: { requests: { memory: '1Mi' } } })] };
  const tolerating = (toleration: object) => ({ tolerations: [toleration] });
  const key = 'node.kubernetes.io/memory-pressure';
  const rows: [string, Pressure[], Partial<PodSpec>, string | undefined][] = [
    ['nothing lacks', [], {}, undefined],
    ['who asks for no memory', memory, {}, 'The node had condition: [MemoryPressure].'],
    ['who does', memory, asking, undefined],
    ['who tolerates it', memory, tolerating({ key, operator: 'Exists' }), undefined],
    ['who tolerates all', memory, tolerating({ operator: 'Exists' }), undefined],
    [
      'who tolerates it for another effect',
      memory,
      tolerating({ key, effect: 'NoExecute' }),
      '[MemoryPressure]',
    ],
    [
      'who tolerates something else',
      memory,
      tolerating({ key: 'x', operator: 'Exists' }),
      '[MemoryPressure]',
    ],
    ['the disk is full', ['DiskPressure'], asking, 'The node had condition: [DiskPressure].'],
    ['both', [...memory, 'PIDPressure'], asking, '[MemoryPressure PIDPressure]'],
    ['what the system needs', ['DiskPressure'], { priority: 2_000_000_000 }, undefined],
  ];
  for (const [what, pressures, spec, expected] of rows) {
    const found = refusalUnder(new Set(pressures), makePod(spec));
    if (expected === undefined) t.equal(found, undefined, what);
    else t.match(found, expected, what);
  }
  const fromFile = makePod({}, { annotations: { 'kubernetes.io/config.source': 'file' } });
  t.equal(refusalUnder(new Set(['DiskPressure']), fromFile), undefined, 'what the device itself runs');
});

t.test('what the kernel tells', async (t) => {
  t.same(memoryOf('MemTotal:  100 kB\nMemFree: 1 kB\nMemAvailable:   40 kB\n'), {
    available: 40 * 1024,
    capacity: 100 * 1024,
  });
  t.equal(memoryOf('MemTotal: 100 kB\n'), undefined, 'a kernel that does not');
  t.same(processesOf('0.5 0.4 0.3 2/300 12345\n', ['32768', '1000']), { available: 700, capacity: 1000 });
  t.equal(processesOf('', ['', '']), undefined);
  const readings = await signalReader(t.testdir(), async () => '/proc')();
  for (const signal of ['memory.available', 'nodefs.available', 'pid.available'] as const) {
    const { available = 0, capacity = 0 } = readings[signal] ?? {};
    t.ok(available > 0 && available < capacity, signal);
  }
  t.equal(readings['imagefs.available'], undefined, 'a file system without blocks');
  const same = await signalReader(t.testdirName, async () => t.testdirName)();
  t.equal(same['imagefs.available'], undefined, 'one disk is counted once');
});
