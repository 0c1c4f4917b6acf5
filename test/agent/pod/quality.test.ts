import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { lowestOomScore, spareThisProcess } from '../../../agent/node/oom-score.ts';
import type { Container, PodSpec } from '../../../agent/pod/pod.ts';
import { isCritical, oomScoreOf, qosClassOf } from '../../../agent/pod/quality.ts';
import { container, makePod } from '../builders.ts';

const of = (requests?: Record<string, string>, limits?: Record<string, string>) => ({
  resources: { ...(requests && { requests }), ...(limits && { limits }) },
});
const GI = 2 ** 30;

t.test('quality of service', async (t) => {
  const rows: [string, Partial<Container>[], string][] = [
    ['nothing', [{}], 'BestEffort'],
    ['zero is nothing', [of({ cpu: '0', memory: '0Mi' })], 'BestEffort'],
    ['a request', [of({ cpu: '1m' })], 'Burstable'],
    ['limits of both', [of(undefined, { cpu: '1', memory: '1Mi' })], 'Guaranteed'],
    [
      'the same in other words',
      [of({ cpu: '1000m', memory: '1024Ki' }, { cpu: '1', memory: '1Mi' })],
      'Guaranteed',
    ],
    ['less asked for', [of({ cpu: '1m', memory: '1Mi' }, { cpu: '1', memory: '1Mi' })], 'Burstable'],
    ['one without', [of(undefined, { cpu: '1', memory: '1Mi' }), {}], 'Burstable'],
  ];
  for (const [what, containers, expected] of rows) {
    const named = containers.map((rest, index) => container(`c${index}`, rest));
    t.equal(qosClassOf(makePod({ containers: named })), expected, what);
  }
});

t.test('whom the kernel kills first', async (t) => {
  const score = (spec: Partial<PodSpec>, index = 0) => {
    const pod = makePod(spec);
    const all = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])];
    return oomScoreOf(pod, all[index] ?? container(), GI);
  };
  const one = (rest: Partial<Container>) => ({ containers: [container('main', rest)] });
  t.equal(score({}), 1000);
  t.equal(score(one(of(undefined, { cpu: '1', memory: '1Mi' }))), -997);
  t.equal(score(one(of({ memory: '256Mi' }))), 750);
  t.equal(score(one(of({ cpu: '1' }))), 999, 'never as soon as who asked for nothing');
  t.equal(score(one(of({ memory: '1Gi' }))), 3, 'never as late as who has all that it asked for');
  t.equal(score({ priority: 2_000_001_000 }), -997);
  const sidecar = { initContainers: [{ ...container('side'), restartPolicy: 'Always' } as Container] };
  t.equal(
    score({ ...one(of({ memory: '512Mi' })), ...sidecar }, 1),
    500,
    'what serves others goes with them',
  );
});

t.test('what goes last', async (t) => {
  const critical = (spec: Partial<PodSpec>, annotations = {}) => isCritical(makePod(spec, { annotations }));
  t.notOk(critical({ priority: 1_999_999_999 }));
  t.ok(critical({ priority: 2_000_000_000 }));
  t.notOk(critical({}, { 'kubernetes.io/config.source': 'api' }));
  t.ok(critical({}, { 'kubernetes.io/config.source': 'file' }));
});

t.test('the agent itself is spared, unless somebody says otherwise', async (t) => {
  const file = join(t.testdir(), 'score');
  for (const [before, after] of [
    ['0\n', '-900'],
    ['100\n', '100\n'],
    ['-900\n', '-900\n'],
  ] as const) {
    writeFileSync(file, before);
    spareThisProcess(file);
    t.equal(readFileSync(file, 'utf8'), after);
  }
  t.doesNotThrow(() => spareThisProcess('/none/such'));
});

t.test('where nobody may be spared', async (t) => {
  const file = join(t.testdir(), 'status');
  for (const [bound, lowest] of [
    ['000001ffffffffff', -1000],
    ['000001fffeffffff', 0],
    ['00000000a80425fb', 0],
  ] as const) {
    writeFileSync(file, `Name:\tnode\nCapEff:\t0\nCapBnd:\t${bound}\n`);
    t.equal(lowestOomScore(file), lowest, bound);
  }
  t.equal(lowestOomScore('/none/such'), 0);
});
