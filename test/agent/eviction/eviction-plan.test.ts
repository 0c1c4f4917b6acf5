import t from 'tap';
import {
  type ContainerUse,
  evictionMessage,
  evictionOrder,
  overStorageLimit,
  type PodUse,
} from '../../../agent/eviction/eviction-plan.ts';
import { hasStorageLimit } from '../../../agent/eviction/storage-limit.ts';
import type { Signal } from '../../../agent/eviction/thresholds.ts';
import { container, makePod } from '../builders.ts';

const MI = 2 ** 20;

interface Traits {
  readonly use?: Partial<ContainerUse>;
  readonly request?: Record<string, string>;
  readonly limit?: Record<string, string>;
  readonly priority?: number;
  readonly inVolume?: { bytes: number; inodes: number };
  readonly annotations?: Record<string, string>;
}

function use(name: string, { use = {}, request, limit, priority, inVolume, annotations }: Traits): PodUse {
  const resources = { ...(request && { requests: request }), ...(limit && { limits: limit }) };
  const pod = makePod(
    { containers: [container('main', { resources })], ...(priority !== undefined && { priority }) },
    { name, uid: name, ...(annotations && { annotations }) },
  );
  const containers = [{ name: 'main', memoryBytes: 0, diskBytes: 0, processes: 0, ...use }];
  return { pod, containers, volumes: new Map(inVolume ? [['v', inVolume]] : []) };
}
const memory = (mi: number, requestMi = 0, priority = 0) => ({
  use: { memoryBytes: mi * MI },
  request: { memory: `${requestMi}Mi` },
  priority,
});

t.test('who goes first', async (t) => {
  const rows: [string, Signal, Record<string, Traits>, string[]][] = [
    [
      'who takes more than it asked for',
      'memory.available',
      { a: memory(90, 100), b: memory(20, 10) },
      ['b', 'a'],
    ],
    [
      'of them the less important',
      'memory.available',
      { a: memory(90, 10, 5), b: memory(20, 10, -1), c: memory(30, 10) },
      ['b', 'c', 'a'],
    ],
    [
      'of the same importance who takes most beyond that',
      'memory.available',
      { a: memory(30, 10), b: memory(50, 40), c: memory(25) },
      ['c', 'a', 'b'],
    ],
    [
      'who keeps to it goes by importance too',
      'memory.available',
      { a: memory(10, 20, 2), b: memory(10, 20, 1) },
      ['b', 'a'],
    ],
    ['nobody who has none', 'memory.available', { a: memory(0), b: memory(1) }, ['b']],
    [
      'never what the system needs, or the device itself runs',
      'memory.available',
      {
        a: memory(100, 0, 2_000_000_000),
        b: { ...memory(100), annotations: { 'kubernetes.io/config.source': 'file' } },
        c: { ...memory(100), annotations: { 'kubernetes.io/config.mirror': 'x' } },
        d: memory(1, 50),
      },
      ['d'],
    ],
    [
      'of the disk, what is in volumes counts',
      'nodefs.available',
      {
        a: { use: { diskBytes: 5 * MI } },
        b: { inVolume: { bytes: 9 * MI, inodes: 1 } },
        c: { use: { diskBytes: 99 * MI }, request: { 'ephemeral-storage': '100Mi' } },
      },
      ['b', 'a', 'c'],
    ],
    [
      'nobody who holds next to nothing of the disk',
      'imagefs.available',
      { a: { use: { diskBytes: MI - 1 } }, b: { use: { diskBytes: MI } } },
      ['b'],
    ],
    [
      'of inodes',
      'nodefs.inodesFree',
      { a: { inVolume: { bytes: 9 * MI, inodes: 99 } }, b: { inVolume: { bytes: 0, inodes: 100 } } },
      ['b'],
    ],
    [
      'of processes, importance first',
      'pid.available',
      { a: { use: { processes: 500 }, priority: 1 }, b: { use: { processes: 5 } } },
      ['b', 'a'],
    ],
  ];
  for (const [what, signal, given, expected] of rows) {
    const uses = Object.entries(given).map(([name, traits]) => use(name, traits));
    const order = evictionOrder(signal, uses).map(({ pod }) => pod.metadata.name);
    t.same(order, expected, what);
  }
});

t.test('what is said of it', async (t) => {
  const crossing = { signal: 'memory.available', threshold: 100 * MI, available: 50 * MI } as const;
  t.equal(
    evictionMessage(crossing, use('a', memory(30, 10))),
    'The node was low on resource: memory. Threshold quantity: 102400Ki, available: 51200Ki. Container main was using 30720Ki, request is 10Mi, has larger consumption of memory.',
  );
  t.equal(
    evictionMessage({ signal: 'pid.available', threshold: 10, available: 1 }, use('a', memory(1))),
    'The node was low on resource: pids. Threshold quantity: 10, available: 1.',
  );
});

t.test('who holds more of the disk than it may', async (t) => {
  const limit = { 'ephemeral-storage': '1Mi' };
  t.equal(overStorageLimit(use('a', { limit, use: { diskBytes: MI } })), undefined);
  t.match(
    overStorageLimit(use('a', { limit, use: { diskBytes: MI }, inVolume: { bytes: 1, inodes: 1 } })),
    'Pod ephemeral local storage usage exceeds the total limit of containers 1024Ki.',
  );
  t.equal(overStorageLimit(use('a', { use: { diskBytes: 99 * MI } })), undefined, 'no limit');
  const two = makePod({
    containers: [
      container('main', { resources: { limits: limit } }),
      container('big', { resources: { limits: { 'ephemeral-storage': '1Gi' } } }),
    ],
  });
  const containers = [{ name: 'main', memoryBytes: 0, diskBytes: 2 * MI, processes: 0 }];
  t.equal(
    overStorageLimit({ pod: two, containers, volumes: new Map() }),
    'Container main exceeded its local ephemeral storage limit "1Mi".',
  );
  const volume = makePod({ volumes: [{ name: 'v', emptyDir: { sizeLimit: '1Mi' } }] });
  t.match(
    overStorageLimit({
      pod: volume,
      containers: [],
      volumes: new Map([['v', { bytes: MI + 1, inodes: 1 }]]),
    }),
    'Usage of EmptyDir volume "v" exceeds the limit "1Mi".',
  );
  t.same([two, volume, makePod()].map(hasStorageLimit), [true, true, false]);
});
