import t from 'tap';
import { choosePodsToDelete } from '../../../hub/controllers/replica-set/deletion-order.ts';
import { planPods, planStatus } from '../../../hub/controllers/replica-set/replica-set-plan.ts';
import { events, nodes, pods, replicaSets } from '../../../hub/resources/table-of-resources.ts';
import type { PodObject, ReplicaSetObject } from '../../../hub/resources/typed.ts';
import { barePod, Cluster, template } from './cluster.ts';

const NOW = Date.parse('2026-01-01T01:00:00Z');

interface Traits {
  readonly node?: string;
  readonly phase?: string;
  readonly ready?: string;
  readonly restarts?: number;
  readonly created?: string;
  readonly cost?: string;
  readonly ending?: boolean;
}

/** A pod that runs, is ready since :01 and was created at :00, but for the traits. */
function pod(
  name: string,
  {
    node = 'n1',
    phase = 'Running',
    ready = '00:01',
    restarts = 0,
    created = '00:00',
    cost,
    ending,
  }: Traits = {},
): PodObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      labels: { app: 'web' },
      creationTimestamp: `2026-01-01T${created}:00Z`,
      ...(cost && { annotations: { 'controller.kubernetes.io/pod-deletion-cost': cost } }),
      ...(ending && { deletionTimestamp: '2026-01-01T00:00:00Z' }),
    },
    spec: { ...(node && { nodeName: node }), containers: [] },
    status: {
      phase,
      conditions: [
        {
          type: 'Ready',
          status: ready ? 'True' : 'False',
          ...(ready && { lastTransitionTime: `2026-01-01T${ready}:00Z` }),
        },
      ],
      containerStatuses: [{ name: 'main', restartCount: restarts, image: '', imageID: '', ready: true }],
    },
  };
}

t.test('who is missed least goes first', async (t) => {
  const pairs: [string, Traits, Traits][] = [
    ['without a node', { node: '' }, { phase: 'Pending' }],
    ['pending', { phase: 'Pending' }, { ready: '' }],
    ['not ready', { ready: '' }, { cost: '-5' }],
    ['of lower cost', { cost: '-5' }, { ready: '00:30' }],
    ['ready for the shorter time', { ready: '00:30' }, { restarts: 5 }],
    ['restarted more often', { restarts: 5 }, { created: '00:30' }],
    ['younger', { created: '00:30' }, {}],
  ];
  for (const [name, first, second] of pairs) {
    const both = [pod('second', second), pod('first', first)];
    t.same(
      choosePodsToDelete(both, both, 1).map(({ metadata }) => metadata.name),
      ['first'],
      name,
    );
  }
});

t.test('a node with more of its kind gives one up', async (t) => {
  const all = [pod('a', { node: 'n1' }), pod('b', { node: 'n2', ready: '00:30' }), pod('c', { node: 'n1' })];
  t.same(
    choosePodsToDelete(all, all, 1).map(({ spec }) => spec.nodeName),
    ['n1'],
  );
});

function setOf(spec: object): ReplicaSetObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: { name: 'web', namespace: 'default', generation: 4 },
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: 'web' } },
      template: template('web') as never,
      ...spec,
    },
  };
}

t.test('pods that have ended or are ending do not count', async (t) => {
  const there = [
    pod('a'),
    pod('b', { phase: 'Failed' }),
    pod('c', { phase: 'Succeeded' }),
    pod('d', { ending: true }),
  ];
  t.same(
    planPods(setOf({}), there, () => there, NOW),
    { create: 2, remove: [] },
  );
  t.same(
    planPods(setOf({ replicas: 1 }), there, () => there, NOW),
    { create: 0, remove: [] },
  );
  const ending = setOf({});
  ending.metadata.deletionTimestamp = '2026-01-01T00:00:00Z';
  t.same(
    planPods(ending, [], () => [], NOW),
    { create: 0, remove: [] },
    'and an ending set makes none',
  );
});

t.test('pods that fail again and again are replaced more and more slowly', async (t) => {
  const failed = (count: number, created: string) =>
    Array.from({ length: count }, (_, index) => pod(`f${index}`, { phase: 'Failed', created }));
  const plan = (there: PodObject[]) => planPods(setOf({}), there, () => there, NOW);
  t.equal(plan(failed(2, '01:00')).create, 3);
  t.match(plan(failed(3, '01:00')), { create: 0, wakeInMs: 1000 });
  t.match(plan(failed(6, '01:00')), { create: 0, wakeInMs: 8000 });
  t.match(plan(failed(40, '01:00')), { create: 0, wakeInMs: 300_000, remove: { length: 30 } });
  t.equal(plan(failed(6, '00:30')).create, 3, 'long ago');
});

t.test('the status counts, and says when it changes by itself', async (t) => {
  const there = [pod('a'), pod('b', { ready: '00:59' }), pod('c', { ready: '' })];
  const { status, wakeInMs } = planStatus(setOf({ minReadySeconds: 90 }), there, undefined, NOW);
  t.same(status, {
    replicas: 3,
    fullyLabeledReplicas: 3,
    readyReplicas: 2,
    availableReplicas: 1,
    observedGeneration: 4,
  });
  t.equal(wakeInMs, 30_000);
  const { status: failed } = planStatus(setOf({}), [], 'no', NOW);
  t.match(failed.conditions, [
    { type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message: 'no' },
  ]);
  const again = { ...setOf({}), status: failed };
  t.same(planStatus(again, [], 'no, under another name', NOW + 1000).status, failed, 'it is told of once');
  t.notOk(planStatus(again, [], undefined, NOW).status.conditions, 'and is over when pods can be made');
});

const newSet = (spec: object = {}) => ({
  apiVersion: 'apps/v1',
  kind: 'ReplicaSet',
  metadata: { name: 'web', namespace: 'default' },
  spec: { replicas: 2, selector: { matchLabels: { app: 'web' } }, template: template('web'), ...spec },
});

t.test('a set adopts what it selects and releases what it no longer does', async (t) => {
  const cluster = await Cluster.start(t);
  await cluster.create(pods, barePod('stray', {}, { app: 'web' }));
  const { metadata } = await cluster.create(replicaSets, newSet());
  await cluster.until('there are two', () => cluster.list(pods).length === 2);
  t.match(cluster.get(pods, 'stray').metadata.ownerReferences, [{ uid: metadata.uid, controller: true }]);

  await cluster.change(pods, 'stray', (object) => {
    object.metadata.labels = { app: 'debug' };
  });
  await cluster.until('it is replaced', () => cluster.list(pods).length === 3);
  t.same(cluster.get(pods, 'stray').metadata.ownerReferences ?? [], []);

  await cluster.change(pods, 'stray', (object) => {
    object.metadata.labels = { app: 'web' };
  });
  await cluster.until('there are two again', () => cluster.list(pods).length === 2);
});

t.test('a pod that cannot be created is told of', async (t) => {
  const cluster = await Cluster.start(t);
  const broken = template('web', 'busybox:1', { hostNetwork: true, serviceAccountName: 'UPPER CASE' });
  await cluster.create(replicaSets, newSet({ template: broken })).catch(() => undefined);
  const found = cluster.find<ReplicaSetObject>(replicaSets, 'web');
  if (!found) return t.pass('validation refuses the template already');
  await cluster.until('there is an event', () =>
    cluster.list(events).some((each) => each['reason'] === 'FailedCreate'),
  );
  return undefined;
});

t.test('1,000 pods are created, scheduled and counted without quadratic cost', async (t) => {
  const cluster = await Cluster.start(t);
  for (let index = 0; index < 20; index += 1)
    await cluster.addNode(`n${index}`, { allocatable: { pods: '60' } });
  const timeFor = async (name: string, replicas: number) => {
    const started = performance.now();
    const labels = { app: name };
    await cluster.create(replicaSets, {
      ...newSet({ replicas, selector: { matchLabels: labels }, template: template(name) }),
      metadata: { name, namespace: 'default' },
    });
    await cluster.until('all are bound', () => {
      const bound = cluster
        .list<PodObject>(pods)
        .filter(({ spec, metadata }) => spec.nodeName && metadata.labels?.['app'] === name);
      return bound.length === replicas;
    });
    await cluster.until(
      'all are counted',
      () => cluster.get<ReplicaSetObject>(replicaSets, name).status?.replicas === replicas,
    );
    return performance.now() - started;
  };
  await timeFor('warm', 50);
  const few = await timeFor('few', 100);
  const many = await timeFor('many', 1000);
  t.comment(`100 pods: ${Math.round(few)} ms, 1,000 pods: ${Math.round(many)} ms`);
  t.ok(many < 10 * few * 3 + 1000, `1,000 took ${many} ms, 100 took ${few} ms`);
  const perNode = cluster
    .list(nodes)
    .map(({ metadata }) => cluster.registry.byIndex(pods, 'spec.nodeName', metadata.name ?? '').length);
  t.ok(Math.max(...perNode) - Math.min(...perNode) <= 2, `spread evenly: ${perNode}`);
});
