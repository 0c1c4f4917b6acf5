import t, { type Test } from 'tap';
import { planDaemonSet } from '../../../hub/controllers/daemon-set/daemon-set-plan.ts';
import { controllerRevisions, daemonSets, nodes, pods } from '../../../hub/resources/table-of-resources.ts';
import type {
  ControllerRevisionObject,
  DaemonSetObject,
  NodeObject,
  PodObject,
} from '../../../hub/resources/typed.ts';
import { Cluster, template } from './cluster.ts';

const NOW = Date.parse('2026-01-01T00:10:00Z');

/** `n1`, or `n1!` for one that is offline; `n1?` for one with a taint. */
function node(text: string): NodeObject {
  const status = text.endsWith('!') ? 'Unknown' : 'True';
  const taints = text.endsWith('?') ? [{ key: 'special', effect: 'NoExecute' }] : [];
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: text.slice(0, 2) },
    spec: { taints },
    status: { conditions: [{ type: 'Ready', status }] },
  };
}

/** `n1 new`, `n1 old`; then `down` for not ready, `ending`, `failed`. */
function pod(text: string): PodObject {
  const [nodeName = '', hash = '', ...traits] = text.split(' ');
  const ready = traits.includes('down') ? 'False' : 'True';
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: text,
      labels: { app: 'd', 'controller-revision-hash': hash },
      creationTimestamp: '2026-01-01T00:00:00Z',
      ...(traits.includes('ending') && { deletionTimestamp: '2026-01-01T00:09:00Z' }),
    },
    spec: { nodeName, containers: [] },
    status: {
      phase: traits.includes('failed') ? 'Failed' : 'Running',
      conditions: [{ type: 'Ready', status: ready, lastTransitionTime: '2026-01-01T00:01:00Z' }],
    },
  };
}

interface Case {
  readonly nodes: string;
  readonly pods: string;
  readonly strategy?: object;
  readonly create?: string;
  readonly remove?: string;
  readonly status?: object;
  readonly failedWaitMs?: number;
}

const rolling = (maxUnavailable: number | string, maxSurge: number | string = 0) => ({
  type: 'RollingUpdate',
  rollingUpdate: { maxUnavailable, maxSurge },
});
const list = (text: string) => (text === '' ? [] : text.split(', '));

function planned({ nodes: nodeText, pods: podText, strategy = rolling(1), failedWaitMs = 0 }: Case) {
  const set = {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'd', generation: 3 },
    spec: { selector: { matchLabels: { app: 'd' } }, template: template('d'), updateStrategy: strategy },
  } as DaemonSetObject;
  const input = { set, hash: 'new', nowMs: NOW, failedWaitMs: () => failedWaitMs };
  return planDaemonSet(input, list(nodeText).map(node), list(podText).map(pod));
}

const cases: Record<string, Case> = {
  'every node without a pod gets one': { nodes: 'n1, n2, n3', pods: 'n2 new', create: 'n1, n3' },
  'a node whose pod is ending gets none yet': { nodes: 'n1', pods: 'n1 new ending' },
  'an offline node gets one too': { nodes: 'n1!', pods: '', create: 'n1' },
  'a node that repels the pod gets none, and loses it': {
    nodes: 'n1, n2?',
    pods: 'n1 new, n2 new',
    remove: 'n2 new',
  },
  'a pod on a node that is gone goes': { nodes: 'n1', pods: 'n1 new, n9 new', remove: 'n9 new' },
  'a failed pod is replaced': { nodes: 'n1', pods: 'n1 new failed', remove: 'n1 new failed' },
  'but not at once each time': { nodes: 'n1', pods: 'n1 new failed', failedWaitMs: 1000 },
  'one old pod at a time is replaced': { nodes: 'n1, n2', pods: 'n1 old, n2 old', remove: 'n1 old' },
  'none while a new one is not ready': { nodes: 'n1, n2', pods: 'n1 new down, n2 old' },
  'none while a new one is not there': { nodes: 'n1, n2', pods: 'n1 old ending, n2 old' },
  'two when two may be missing': {
    nodes: 'n1, n2, n3',
    pods: 'n1 old, n2 old, n3 old',
    strategy: rolling(2),
    remove: 'n1 old, n2 old',
  },
  'percentages are rounded up': {
    nodes: 'n1, n2, n3',
    pods: 'n1 old, n2 old, n3 old',
    strategy: rolling('34%'),
    remove: 'n1 old, n2 old',
  },
  'an old pod that is not ready is replaced, and counts': {
    nodes: 'n1, n2',
    pods: 'n1 old down, n2 old',
    remove: 'n1 old down',
  },
  'one on an offline node is replaced and holds up nobody': {
    nodes: 'n1!, n2',
    pods: 'n1 old down, n2 old',
    remove: 'n1 old down, n2 old',
  },
  'a new one on an offline node holds up nobody': {
    nodes: 'n1!, n2',
    pods: 'n1 new down, n2 old',
    remove: 'n2 old',
  },
  'OnDelete replaces nothing': { nodes: 'n1', pods: 'n1 old', strategy: { type: 'OnDelete' } },
  'surge makes the new one first': {
    nodes: 'n1, n2',
    pods: 'n1 old, n2 old',
    strategy: rolling(0, 1),
    create: 'n1',
  },
  'and removes the old one when it is available': {
    nodes: 'n1, n2',
    pods: 'n1 old, n1 new, n2 old',
    strategy: rolling(0, 1),
    create: 'n2',
    remove: 'n1 old',
  },
  'not before': { nodes: 'n1, n2', pods: 'n1 old, n1 new down, n2 old', strategy: rolling(0, 1) },
};

for (const [name, given] of Object.entries(cases)) {
  t.test(name, async (t) => {
    const { create, remove } = planned(given);
    t.same(create, list(given.create ?? ''), 'creates');
    t.same(
      remove.map(({ pod: { metadata } }) => metadata.name),
      list(given.remove ?? ''),
      'removes',
    );
  });
}

t.test('the status counts nodes', async (t) => {
  const { status } = planned({ nodes: 'n1, n2, n3!, n4?, n5', pods: 'n1 new, n2 old, n3 new down, n4 new' });
  t.same(status, {
    desiredNumberScheduled: 4,
    currentNumberScheduled: 3,
    numberMisscheduled: 1,
    numberReady: 2,
    updatedNumberScheduled: 2,
    numberAvailable: 2,
    numberUnavailable: 2,
    observedGeneration: 3,
  });
});

function daemonSet(spec: object = {}): object {
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'd', namespace: 'default' },
    spec: { selector: { matchLabels: { app: 'd' } }, template: template('d'), ...spec },
  };
}

const set = (cluster: Cluster) => cluster.get<DaemonSetObject>(daemonSets, 'd');

/** As `kubectl rollout status` decides it. */
const rolledOut = (cluster: Cluster, count: number) =>
  cluster.until('the rollout is complete', () => {
    const { metadata, status } = set(cluster);
    return (
      status?.observedGeneration === metadata.generation &&
      status?.desiredNumberScheduled === count &&
      status?.updatedNumberScheduled === count &&
      status?.numberAvailable === count
    );
  });
const setImage = (cluster: Cluster, image: string) =>
  cluster.change(daemonSets, 'd', (object) => {
    (object as DaemonSetObject).spec.template = template('d', image) as never;
  });

async function startSet(t: Test, names: readonly string[], spec: object = {}): Promise<Cluster> {
  const cluster = await Cluster.start(t);
  for (const name of names) await cluster.addNode(name);
  t.teardown(cluster.runAgents());
  await cluster.create(daemonSets, daemonSet(spec));
  await rolledOut(cluster, names.length);
  return cluster;
}

t.test('one bound pod on each node, also on those that come later', async (t) => {
  const cluster = await startSet(t, ['n1', 'n2']);
  await cluster.addNode('n3');
  await rolledOut(cluster, 3);
  const all = cluster.list<PodObject>(pods);
  t.same(all.map(({ spec }) => spec.nodeName).sort(), ['n1', 'n2', 'n3']);
  t.match(
    all[0]?.spec.tolerations?.map(({ key, effect }) => `${key}:${effect}`),
    {
      length: 8,
    },
  );
  await cluster.change(nodes, 'n3', (object) => {
    (object as NodeObject).spec.taints = [{ key: 'out', effect: 'NoExecute' }];
  });
  await rolledOut(cluster, 2);
  await cluster.until('its pod is gone', () => cluster.list(pods).length === 2);
});

t.test('a template change rolls over the nodes; undoing it renumbers the old revision', async (t) => {
  const cluster = await startSet(t, ['n1', 'n2', 'n3']);
  const [first] = cluster.list<ControllerRevisionObject>(controllerRevisions);
  t.match(first, { revision: 1, data: { spec: { template: { $patch: 'replace' } } } });
  await setImage(cluster, 'busybox:2');
  await rolledOut(cluster, 3);
  t.same(
    [...new Set(cluster.list<PodObject>(pods).map(({ spec }) => spec.containers[0]?.image))],
    ['busybox:2'],
  );
  await setImage(cluster, 'busybox:1');
  await rolledOut(cluster, 3);
  const revisions = cluster.list<ControllerRevisionObject>(controllerRevisions);
  t.equal(revisions.length, 2);
  t.equal(revisions.find(({ metadata }) => metadata.name === first?.metadata.name)?.revision, 3);
  const hash = first?.metadata.labels?.['controller-revision-hash'];
  for (const { metadata } of cluster.list(pods)) t.equal(metadata.labels?.['controller-revision-hash'], hash);
});

t.test('no more old revisions are kept than the history allows', async (t) => {
  const cluster = await startSet(t, ['n1'], { revisionHistoryLimit: 1 });
  for (const version of [2, 3, 4]) {
    await setImage(cluster, `busybox:${version}`);
    await rolledOut(cluster, 1);
  }
  await cluster.until('two are left', () => cluster.list(controllerRevisions).length === 2);
});
