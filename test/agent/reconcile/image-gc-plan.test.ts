import t from 'tap';
import { bytesToFree, garbage } from '../../../agent/reconcile/image-gc-plan.ts';
import { nextRevisions, rememberedImages, workloadOf } from '../../../agent/reconcile/revision-images.ts';
import type { StoredImage } from '../../../agent/runtime/runtime.ts';

const stored = (id: string, names = [`${id}:1`], isUsed = false): StoredImage => ({
  id,
  names,
  isUsed,
  sizeBytes: 1,
});
const pulled = (id: string, atMs: number, name = `r.example/${id}:1`) => ({ id, name, atMs });

t.test('how much must go', async (t) => {
  const rows: [number, number, number, number][] = [
    [16, 85, 80, 0],
    [15, 85, 80, 5],
    [0, 85, 80, 20],
    [50, 0, 0, 50],
    [0, 100, 100, 0],
  ];
  for (const [freeBytes, high, low, bytes] of rows) {
    const disk = { path: '', freeBytes, totalBytes: 100 };
    t.equal(bytesToFree(disk, { high, low, minAgeMs: 0 }), bytes, `${freeBytes} % free of ${high}, ${low}`);
  }
});

t.test('what goes, and in which order', async (t) => {
  const images = [
    stored('a'),
    stored('b'),
    stored('used', ['used:1'], true),
    stored('kept'),
    stored('foreign'),
    stored('young'),
    stored('renamed', ['renamed:1', 'mine:1']),
    stored('unnamed', []),
    stored('digest', ['r.example/digest:1', 'r.example/digest@sha256:1', 'digest:holdfast-sha256-1']),
  ];
  const found = garbage({
    images,
    pulled: [
      pulled('a', 300),
      pulled('b', 200),
      pulled('used', 1),
      pulled('kept', 1),
      pulled('young', 9_000),
      pulled('renamed', 1),
      pulled('unnamed', 100),
      pulled('digest', 400),
      pulled('gone', 1),
    ],
    kept: new Set(['kept']),
    usedAtMs: new Map([['unnamed', 350]]),
    nowMs: 10_000,
    minAgeMs: 2_000,
  });
  t.same(
    found.map(({ id }) => id),
    ['b', 'a', 'unnamed', 'digest'],
  );
  const input = { images: [stored('a')], kept: new Set<string>(), usedAtMs: new Map(), minAgeMs: 2_000 };
  const setBack = garbage({ ...input, pulled: [pulled('a', 50_000)], nowMs: 1_000 });
  t.equal(setBack.length, 1, 'a clock that was set back keeps nothing for ever');
});

t.test('pods of a workload, whatever their revision', async (t) => {
  const of = (labels: Record<string, string>) => workloadOf({ namespace: 'n', labels });
  t.equal(of({ b: '2', a: '1', 'pod-template-hash': 'x' }), 'n/a=1,b=2');
  t.equal(of({ a: '1', b: '2', 'controller-revision-hash': 'y' }), 'n/a=1,b=2');
  t.equal(workloadOf({ namespace: 'n' }), undefined);
  t.equal(of({ 'pod-template-hash': 'x' }), undefined);
  t.equal(of({ app: 'a' }), undefined, 'a pod that nobody made of a template has no revision');
  t.equal(of({ app: 'a', 'job-name': 'a-1' }), undefined, 'nor has one of a Job');
});

t.test('what a workload had before', async (t) => {
  const HOUR_MS = 3_600_000;
  const steps: [string[], number, string[], string[]][] = [
    [['a:1'], 0, ['a:1'], []],
    [['a:1', 'a:2'], 1, ['a:1', 'a:2'], []],
    [['a:2'], 2, ['a:2'], ['a:1']],
    [['a:2'], 3, ['a:2'], ['a:1']],
    [[], 4, [], ['a:2']],
    [['a:3'], 5, ['a:3'], ['a:2']],
    [[], 6, [], ['a:3']],
  ];
  const records = new Map();
  for (const [images, nowMs, current, previous] of steps) {
    const now = new Map(images.length > 0 ? [['w', new Set(images)]] : []);
    for (const [workload, next] of nextRevisions(records, now, nowMs)) records.set(workload, next);
    t.match(records.get('w'), { current, previous }, `${images} at ${nowMs}`);
  }
  t.same(rememberedImages(records.values(), HOUR_MS), ['a:3']);
  t.same(rememberedImages(records.values(), HOUR_MS + 7), [], 'the workload is gone');
  t.same([...nextRevisions(records, new Map(), HOUR_MS + 7)], [['w', undefined]]);
});
