import t from 'tap';
import { podCondition } from '../../../hub/resources/pod-state.ts';
import { events, nodes, pods } from '../../../hub/resources/table-of-resources.ts';
import type { NodeObject, PodObject } from '../../../hub/resources/typed.ts';
import { barePod, Cluster } from '../controllers/cluster.ts';

const asking = (cpu: string) => ({
  containers: [{ name: 'main', image: 'busybox:1', resources: { requests: { cpu } } }],
});
const nodeOf = (cluster: Cluster, name: string) => cluster.get<PodObject>(pods, name).spec.nodeName;
const scheduled = (cluster: Cluster, name: string) =>
  podCondition(cluster.get<PodObject>(pods, name), 'PodScheduled');
const bound = (cluster: Cluster, name: string) =>
  cluster.until(`${name} is bound`, () => nodeOf(cluster, name) !== undefined);
const refused = (cluster: Cluster, name: string, message: string) =>
  cluster.until(`${name} is refused`, () => scheduled(cluster, name)?.message === message);

t.test('a pod gets a node, a condition and an event', async (t) => {
  const cluster = await Cluster.start(t);
  await cluster.addNode('n1');
  await cluster.create(pods, barePod('p'));
  await cluster.until('it is told', () => scheduled(cluster, 'p')?.status === 'True');
  t.equal(nodeOf(cluster, 'p'), 'n1');
  await cluster.until('there is an event', () =>
    cluster.list(events).some((each) => each['message'] === 'Successfully assigned default/p to n1'),
  );
});

t.test('ten pods at once are bound in one commit, and see each other', async (t) => {
  const cluster = await Cluster.start(t);
  for (const name of ['n1', 'n2']) await cluster.addNode(name, { allocatable: { cpu: '5' } });
  const turns = new Set<number>();
  let turn = 0;
  t.teardown(
    cluster.registry.watch(pods, {}, (event) => {
      if (event.type !== 'MODIFIED') return;
      const { spec, status } = event.object as PodObject;
      if (spec.nodeName && !status?.conditions) turns.add(turn);
      queueMicrotask(() => {
        turn += 1;
      });
    }),
  );
  await Promise.all(
    Array.from({ length: 10 }, (_, index) => cluster.create(pods, barePod(`p${index}`, asking('1')))),
  );
  for (let index = 0; index < 10; index += 1) await bound(cluster, `p${index}`);
  t.ok(turns.size <= 2, `one commit, or two on a slow machine: ${turns.size}`);
  const perNode = ['n1', 'n2'].map((name) => cluster.registry.byIndex(pods, 'spec.nodeName', name).length);
  t.same(perNode, [5, 5], 'no node has more than it can take');
});

t.test('a pod that fits nowhere says so, and is bound as soon as it fits', async (t) => {
  const cluster = await Cluster.start(t);
  await cluster.create(pods, barePod('p', asking('3')));
  await refused(cluster, 'p', 'no nodes available to schedule pods');
  t.match(scheduled(cluster, 'p'), { status: 'False', reason: 'Unschedulable' });
  await cluster.until('there is an event', () =>
    cluster.list(events).some((each) => each['reason'] === 'FailedScheduling'),
  );
  await cluster.addNode('n1', { allocatable: { cpu: '2' } });
  await refused(cluster, 'p', '0/1 nodes are available: 1 Insufficient cpu.');
  await cluster.change(
    nodes,
    'n1',
    (node) => {
      const { status } = node as NodeObject;
      node.status = { ...status, allocatable: { cpu: '4', memory: '8Gi', pods: '10' } };
    },
    'status',
  );
  await bound(cluster, 'p');
  await cluster.until('the refusal is taken back', () => scheduled(cluster, 'p')?.status === 'True');
});

t.test('room that a pod leaves is given to one that waits', async (t) => {
  const cluster = await Cluster.start(t);
  await cluster.addNode('n1', { allocatable: { cpu: '2' } });
  await cluster.create(pods, barePod('first', asking('2')));
  await bound(cluster, 'first');
  await cluster.create(pods, barePod('second', asking('2')));
  await refused(cluster, 'second', '0/1 nodes are available: 1 Insufficient cpu.');
  await cluster.registry.delete(pods, 'default', 'first', { gracePeriodSeconds: 0 });
  await bound(cluster, 'second');

  await cluster.create(pods, barePod('third', asking('2')));
  await refused(cluster, 'third', '0/1 nodes are available: 1 Insufficient cpu.');
  await cluster.change(
    pods,
    'second',
    (pod) => {
      pod.status = { ...(pod.status as object), phase: 'Succeeded' };
    },
    'status',
  );
  await bound(cluster, 'third');
});

t.test('a pod that waits for a neighbour follows it', async (t) => {
  const cluster = await Cluster.start(t);
  await cluster.addNode('n1');
  await cluster.addNode('n2');
  const term = { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { app: 'db' } } };
  await cluster.create(
    pods,
    barePod('web', { affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } } }),
  );
  await refused(cluster, 'web', "0/2 nodes are available: 2 node(s) didn't match pod affinity rules.");
  await cluster.create(
    pods,
    barePod('db', { nodeSelector: { 'kubernetes.io/hostname': 'n2' } }, { app: 'db' }),
  );
  await bound(cluster, 'web');
  t.equal(nodeOf(cluster, 'web'), 'n2');
});

t.test('other schedulers keep their pods, and what is bound is left alone', async (t) => {
  const cluster = await Cluster.start(t);
  await cluster.addNode('n1');
  await cluster.create(pods, barePod('theirs', { schedulerName: 'other' }));
  await cluster.create(pods, barePod('fixed', { nodeName: 'elsewhere' }));
  await cluster.create(pods, barePod('ours'));
  await bound(cluster, 'ours');
  t.equal(nodeOf(cluster, 'theirs'), undefined);
  t.equal(nodeOf(cluster, 'fixed'), 'elsewhere');
});

t.test('the more important pod is first', async (t) => {
  const cluster = await Cluster.start(t);
  const names = ['low', 'high'];
  for (const name of names)
    await cluster.create(pods, barePod(name, { ...asking('2'), priority: name === 'high' ? 10 : 0 }));
  for (const name of names) await refused(cluster, name, 'no nodes available to schedule pods');
  const controllersSeeOne = cluster.addNode('n1', { allocatable: { cpu: '2' } });
  await controllersSeeOne;
  await cluster.until('one is bound', () => names.some((name) => nodeOf(cluster, name)));
  t.equal(nodeOf(cluster, 'high'), 'n1');
});
