import t from 'tap';
import type { ManifestFile, StaticPodRecord } from '../../../agent/static-pods/static-pods-plan.ts';
import { planStaticPods } from '../../../agent/static-pods/static-pods-plan.ts';
import { makePod } from '../builders.ts';

const NOW = '2026-11-01T00:00:00Z';
const pod = (name: string, uid = `${name}-1`) => makePod({}, { name, uid });
const record = (file: string, name: string, uid?: string): StaticPodRecord => ({
  file,
  contentHash: `${file}-1`,
  pod: pod(name, uid),
});
const leaving = (file: string, name: string, uid?: string): StaticPodRecord => ({
  ...record(file, name, uid),
  pod: makePod({}, { name, uid: uid ?? `${name}-1`, deletionTimestamp: NOW }),
});
const same = (file: string): ManifestFile => ({ contentHash: `${file}-1` });
const other = (name: string, uid?: string): ManifestFile => ({ contentHash: 'new', pod: pod(name, uid) });
const bad: ManifestFile = { contentHash: 'bad', problem: 'wrong' };

const rows: [string, StaticPodRecord[], Record<string, ManifestFile>, string[], Record<string, RegExp>?][] = [
  ['nothing', [], {}, []],
  ['a new file', [], { a: other('x') }, ['a x-1']],
  ['as it was', [record('a', 'x')], { a: same('a') }, ['a x-1']],
  ['another comment', [record('a', 'x')], { a: other('x') }, ['a x-1']],
  ['a file that is gone', [record('a', 'x')], {}, ['a x-1 ended']],
  ['other content: the one before ends first', [record('a', 'x')], { a: other('x', 'x-2') }, ['a x-1 ended']],
  ['while it ends', [leaving('a', 'x')], { a: other('x', 'x-2') }, ['a x-1 ended']],
  ['once it has', [], { a: other('x', 'x-2') }, ['a x-2']],
  ['the same again while it ends', [leaving('a', 'x')], { a: other('x') }, ['a x-1 ended']],
  ['another name begins at once', [record('a', 'x')], { a: other('y') }, ['a y-1', 'a x-1 ended']],
  ['a file that is wrong', [record('a', 'x')], { a: bad }, ['a x-1'], { a: /wrong/ }],
  ['a new one that is wrong', [], { a: bad }, [], { a: /wrong/ }],
  ['a file of another name', [record('a', 'x')], { b: other('x') }, ['b x-1']],
  [
    'two of one name',
    [record('b', 'x')],
    { a: other('x', 'x-2'), b: same('b') },
    ['b x-1'],
    { a: /that of b/ },
  ],
  ['two new ones', [], { a: other('x'), b: other('x', 'x-2') }, ['a x-1'], { b: /that of a/ }],
  [
    'one that becomes the other',
    [record('a', 'x'), record('b', 'y')],
    { a: same('a'), b: other('x', 'x-2') },
    ['a x-1', 'b y-1'],
    { b: /that of a/ },
  ],
  [
    'a swap waits for both',
    [record('a', 'x'), record('b', 'y')],
    { a: other('y', 'y-2'), b: other('x', 'x-2') },
    ['a x-1 ended', 'b y-1 ended'],
  ],
];

for (const [what, before, files, expected, problems = {}] of rows) {
  t.test(what, async (t) => {
    const plan = planStaticPods(before, new Map(Object.entries(files)), NOW);
    const found = plan.records.map(
      ({ file, pod: { metadata } }) => `${file} ${metadata.uid}${metadata.deletionTimestamp ? ' ended' : ''}`,
    );
    t.same(found.sort(), [...expected].sort());
    t.same([...plan.problems.keys()].sort(), Object.keys(problems).sort());
    for (const [file, problem] of Object.entries(problems)) t.match(plan.problems.get(file), problem);
  });
}

t.test('what stays as it is is the same object', async (t) => {
  const before = [record('a', 'x')];
  t.equal(planStaticPods(before, new Map([['a', same('a')]]), NOW).records[0], before[0]);
  const ended = planStaticPods(before, new Map(), NOW).records[0]?.pod.metadata;
  t.match(ended, { deletionTimestamp: NOW, deletionGracePeriodSeconds: 30 });
});
