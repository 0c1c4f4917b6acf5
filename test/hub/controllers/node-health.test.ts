import t from 'tap';
import { EventRecorder } from '../../../hub/controllers/event-recorder.ts';
import { planNodeHealth } from '../../../hub/controllers/node-health/node-health-plan.ts';
import { NodeConnections } from '../../../hub/controllers/node-health/node-liveness.ts';
import { startRemovedNodesController } from '../../../hub/controllers/node-health/removed-nodes.ts';
import { podCondition } from '../../../hub/resources/pod-state.ts';
import { events, nodes, pods } from '../../../hub/resources/table-of-resources.ts';
import type { NodeObject, PodObject } from '../../../hub/resources/typed.ts';
import { barePod, Cluster, openRegistry, silent } from './cluster.ts';

const NOW = Date.parse('2026-01-01T01:00:00Z');
const GRACE = { gracePeriodMs: 40_000, nowMs: NOW };
const taint = (name: string, effect: string) => ({ key: `node.kubernetes.io/${name}`, effect });

function node(ready: string | undefined, taints: object[] = []): NodeObject {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'n1' },
    spec: { taints: taints as never },
    status:
      ready === undefined
        ? {}
        : {
            conditions: [
              { type: 'Ready', status: ready, reason: 'x' },
              { type: 'Custom', status: 'True' },
            ],
          },
  };
}

const silentFor = (seconds: number) => ({ isConnected: false, sinceMs: NOW - seconds * 1000 });
const CONNECTED = { isConnected: true, sinceMs: 0 };
const OWN = { key: 'own', effect: 'NoExecute' };
const unreachable = [taint('unreachable', 'NoSchedule'), taint('unreachable', 'NoExecute')];

const cases: [string, NodeObject, ReturnType<typeof silentFor> | undefined, object][] = [
  [
    'connected and ready',
    node('True'),
    CONNECTED,
    { conditions: undefined, taints: undefined, losesPods: false, wakeInMs: undefined },
  ],
  [
    'silent, but not for long',
    node('True'),
    silentFor(30),
    { conditions: undefined, taints: undefined, losesPods: false, wakeInMs: 10_000 },
  ],
  ['nobody knows about connections', node('True'), undefined, { conditions: undefined, taints: undefined }],
  [
    'not ready by its own word',
    node('False', [OWN]),
    CONNECTED,
    { taints: [OWN, taint('not-ready', 'NoSchedule'), taint('not-ready', 'NoExecute')], losesPods: true },
  ],
  ['ready again: only our taints go', node('True', [OWN, ...unreachable]), CONNECTED, { taints: [OWN] }],
  [
    'connected, but not reported yet',
    node('Unknown', unreachable),
    CONNECTED,
    { conditions: undefined, taints: undefined, losesPods: true },
  ],
  [
    'lost before and still',
    node('Unknown', unreachable),
    silentFor(999),
    { conditions: undefined, taints: undefined, losesPods: true, wakeInMs: undefined },
  ],
  [
    'never reported, and there',
    node(undefined),
    CONNECTED,
    { conditions: undefined, taints: undefined, losesPods: false },
  ],
];
for (const [name, given, connection, expected] of cases)
  t.test(name, async (t) => {
    const plan = planNodeHealth(given, connection, GRACE);
    for (const [key, value] of Object.entries(expected))
      t.match({ [key]: plan[key as keyof typeof plan] }, { [key]: value }, key);
  });

t.test('what a device lacks keeps pods away for as long as it says so', async (t) => {
  const lacking = (types: string[], taints: object[] = [], ready = 'True') => {
    const conditions = types.map((type) => ({ type, status: 'True' }));
    const given = node(ready, taints);
    return { ...given, status: { conditions: [...(given.status?.conditions ?? []), ...conditions] } };
  };
  const taintsOf = (given: NodeObject, connection = CONNECTED) =>
    planNodeHealth(given, connection, GRACE).taints;
  const memory = taint('memory-pressure', 'NoSchedule');
  const disk = taint('disk-pressure', 'NoSchedule');
  t.same(taintsOf(lacking(['MemoryPressure'])), [memory]);
  t.same(taintsOf(lacking(['DiskPressure', 'PIDPressure'], [OWN, memory])), [
    OWN,
    disk,
    taint('pid-pressure', 'NoSchedule'),
  ]);
  t.equal(taintsOf(lacking(['DiskPressure'], [disk])), undefined, 'known already');
  t.same(taintsOf(lacking([], [disk, OWN])), [OWN], 'over');
  t.match(taintsOf(lacking(['DiskPressure'], [disk]), silentFor(40)), unreachable, 'not known any more');
});

t.test('a silent node becomes unknown when the grace period ends, not before', async (t) => {
  const { conditions, taints } = planNodeHealth(node('True'), silentFor(40), GRACE);
  t.same(conditions, [
    {
      type: 'Ready',
      status: 'Unknown',
      reason: 'NodeStatusUnknown',
      message: 'The agent has lost its connection to the hub.',
      lastTransitionTime: '2026-01-01T01:00:00Z',
    },
    { type: 'Custom', status: 'True' },
  ]);
  t.match(taints, unreachable);
  t.equal(planNodeHealth(node('True'), silentFor(39.999), GRACE).conditions, undefined);
  t.match(planNodeHealth(node(undefined), silentFor(40), GRACE).conditions, [
    { type: 'Ready', status: 'Unknown' },
  ]);
});

const readiness = (cluster: Cluster, name: string) =>
  cluster.get<NodeObject>(nodes, name).status?.conditions?.find(({ type }) => type === 'Ready')?.status;

t.test('a lost device keeps its pods; they are not ready until it is back', async (t) => {
  const liveness = new NodeConnections();
  liveness.connected('n1');
  const cluster = await Cluster.start(t, { liveness, nodeMonitorGracePeriodMs: 20 });
  await cluster.addNode('n1', { taints: [OWN] });
  const tolerations = [{ key: 'own', operator: 'Exists' }];
  await cluster.create(pods, barePod('p', { nodeName: 'n1', tolerations }));
  await cluster.markReady(cluster.get<PodObject>(pods, 'p'));

  liveness.disconnected('n1');
  const ready = () => podCondition(cluster.get<PodObject>(pods, 'p'), 'Ready');
  await cluster.until('the pod is not ready', () => ready()?.status === 'False');
  t.equal(readiness(cluster, 'n1'), 'Unknown');
  await cluster.until(
    'the node is tainted',
    () => cluster.get<NodeObject>(nodes, 'n1').spec.taints?.length === 3,
  );
  t.match(ready(), { reason: 'NodeNotReady' });
  t.equal(cluster.get(pods, 'p').metadata.deletionTimestamp, undefined);
  await cluster.until('there is an event', () =>
    cluster.list(events).some((each) => each['reason'] === 'NodeNotReady'),
  );

  liveness.connected('n1');
  await cluster.change(
    nodes,
    'n1',
    (object) => {
      object.status = { ...(object.status as object), conditions: [{ type: 'Ready', status: 'True' }] };
    },
    'status',
  );
  await cluster.markReady(cluster.get<PodObject>(pods, 'p'));
  await cluster.until(
    'the taints are gone',
    () => cluster.get<NodeObject>(nodes, 'n1').spec.taints?.length === 1,
  );
  t.equal(ready()?.status, 'True');
  t.same(cluster.get<NodeObject>(nodes, 'n1').spec.taints, [OWN]);
});

t.test('an engine that was away for a moment: what the agent said of its pods counts again', async (t) => {
  const cluster = await Cluster.start(t, {});
  await cluster.addNode('n1');
  const states = { well: 'True', ill: 'False' };
  for (const [name, status] of Object.entries(states)) {
    await cluster.create(pods, barePod(name, { nodeName: 'n1' }));
    await cluster.change(
      pods,
      name,
      (object) => {
        const conditions = ['ContainersReady', 'Ready'].map((type) => ({ type, status }));
        object.status = { ...(object.status as object), conditions };
      },
      'status',
    );
  }
  const nodeReady = (status: string) =>
    cluster.change(
      nodes,
      'n1',
      (object) => {
        object.status = { ...(object.status as object), conditions: [{ type: 'Ready', status }] };
      },
      'status',
    );
  const ready = (name: string) => podCondition(cluster.get<PodObject>(pods, name), 'Ready');
  await nodeReady('False');
  await cluster.until('the pod is not ready', () => ready('well')?.reason === 'NodeNotReady');
  await nodeReady('True');
  await cluster.until('the pod is ready again', () => ready('well')?.status === 'True');
  t.equal(ready('well')?.reason, undefined);
  t.equal(ready('ill')?.status, 'False', 'one that was not ready stays so');
});

t.test('a node that stays silent after the hub has started is lost too', async (t) => {
  const cluster = await Cluster.start(t, { liveness: new NodeConnections(), nodeMonitorGracePeriodMs: 20 });
  await cluster.addNode('n1');
  await cluster.until('it is lost', () => readiness(cluster, 'n1') === 'Unknown');
});

t.test('pods of a node that was removed go, after a quarantine; others stay', async (t) => {
  const cluster = new Cluster(await openRegistry(t));
  const { registry } = cluster;
  let nowMs = 0;
  const now = () => nowMs;
  const context = { registry, log: silent, now, events: new EventRecorder({ registry, log: silent, now }) };
  const controller = startRemovedNodesController(context, 20);
  t.teardown(() => controller.stop());
  await cluster.addNode('n1');
  await cluster.addNode('n2');
  for (const name of ['n1', 'n2']) await cluster.create(pods, barePod(`p-${name}`, { nodeName: name }));
  await registry.delete(nodes, undefined, 'n1', {});
  for (const name of ['n3', 'n4', 'n5']) await cluster.addNode(name);
  t.ok(cluster.find(pods, 'p-n1'), 'in quarantine');
  nowMs = 20;
  await cluster.until('its pod is gone', () => !cluster.find(pods, 'p-n1'));
  t.ok(cluster.find(pods, 'p-n2'));
});
