import t from 'tap';
import type { NodeObject, PodObject } from '../../../hub/resources/typed.ts';
import { ClusterState } from '../../../hub/scheduler/cluster-state.ts';
import { decide, enoughNodes } from '../../../hub/scheduler/decision.ts';
import { demandOf } from '../../../hub/scheduler/pod-demand.ts';

interface NodeTraits {
  readonly labels?: Record<string, string>;
  readonly taints?: { key: string; effect: string; value?: string }[];
  readonly allocatable?: Record<string, string>;
  readonly ready?: string | undefined;
  readonly unschedulable?: boolean;
}

function node(name: string, traits: NodeTraits = {}): NodeObject {
  const { labels = {}, taints = [], allocatable = {}, ready = 'True', unschedulable } = traits;
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { 'kubernetes.io/hostname': name, ...labels } },
    spec: { taints, ...(unschedulable && { unschedulable }) },
    status: {
      allocatable: { cpu: '2', memory: '4Gi', pods: '10', ...allocatable },
      ...(ready && { conditions: [{ type: 'Ready', status: ready }] }),
    },
  };
}

let count = 0;
function pod(spec: object = {}, labels: Record<string, string> = {}, owner?: string): PodObject {
  count += 1;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `p${count}`,
      namespace: 'default',
      uid: `u${count}`,
      labels,
      ...(owner && {
        ownerReferences: [
          { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'rs', uid: owner, controller: true },
        ],
      }),
    },
    spec: { containers: [{ name: 'main', image: 'x' }], ...spec },
  };
}

const asking = (requests: Record<string, string>) => ({
  containers: [{ name: 'main', image: 'x', resources: { requests } }],
});
const withPort = (hostPort: number, hostIP = '') => ({
  containers: [
    { name: 'main', image: 'x', ports: [{ containerPort: 80, hostPort, hostIP, protocol: 'TCP' }] },
  ],
});

/** Pods that are there already, as [node, pod]. */
function clusterOf(nodes: readonly NodeObject[], placed: readonly [string, PodObject][] = []): ClusterState {
  const cluster = new ClusterState();
  for (const each of nodes) cluster.putNode(each);
  for (const [name, each] of placed) cluster.putPod({ ...each, spec: { ...each.spec, nodeName: name } });
  return cluster;
}

/** The node, or why there is none. */
function placeOf(cluster: ClusterState, wanted: PodObject): string {
  const { node: name, message } = decide(demandOf(wanted), cluster);
  return name ?? message;
}

const exists = (key: string) => ({ key, operator: 'Exists' });
const affinity = (
  kind: 'podAffinity' | 'podAntiAffinity',
  app: string,
  topologyKey = 'kubernetes.io/hostname',
) => ({
  affinity: {
    [kind]: {
      requiredDuringSchedulingIgnoredDuringExecution: [
        { topologyKey, labelSelector: { matchLabels: { app } } },
      ],
    },
  },
});
const UNREACHABLE = { key: 'node.kubernetes.io/unreachable', effect: 'NoSchedule' };

const lacking = (what: string) =>
  node('n1', { taints: [{ key: `node.kubernetes.io/${what}-pressure`, effect: 'NoSchedule' }] });
const limitedTo = (amounts: Record<string, string>) => ({
  containers: [{ name: 'main', image: 'x', resources: { limits: amounts, requests: amounts } }],
});
const cameras = node('n1', { allocatable: { 'holdfast.dev/camera': '2' } });

const zones = [
  node('a1', { labels: { zone: 'a' } }),
  node('a2', { labels: { zone: 'a' } }),
  node('b1', { labels: { zone: 'b' } }),
];

const cases: [string, ClusterState, PodObject, string][] = [
  ['no nodes at all', clusterOf([]), pod(), 'no nodes available to schedule pods'],
  ['the one node', clusterOf([node('n1')]), pod(), 'n1'],
  [
    'a node that never reported',
    clusterOf([node('n1', { ready: '' })]),
    pod(),
    '0/1 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }.',
  ],
  [
    'a lost node',
    clusterOf([node('n1', { ready: 'Unknown' })]),
    pod(),
    '0/1 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/unreachable: }.',
  ],
  [
    'a lost node that is tolerated',
    clusterOf([node('n1', { ready: 'Unknown', taints: [UNREACHABLE] })]),
    pod({ tolerations: [exists(UNREACHABLE.key)] }),
    'n1',
  ],
  [
    'a cordoned node',
    clusterOf([node('n1', { unschedulable: true })]),
    pod(),
    '0/1 nodes are available: 1 node(s) were unschedulable.',
  ],
  [
    'all reasons, with their counts',
    clusterOf([
      node('n1', { allocatable: { cpu: '500m' } }),
      node('n2', { taints: [{ key: 'gpu', value: 'yes', effect: 'NoSchedule' }] }),
      node('n3', { taints: [{ key: 'gpu', value: 'yes', effect: 'NoExecute' }] }),
      node('n4', { allocatable: { cpu: '100m', memory: '1Mi' } }),
    ]),
    pod(asking({ cpu: '1', memory: '1Gi' })),
    '0/4 nodes are available: 1 Insufficient memory, 2 Insufficient cpu, 2 node(s) had untolerated taint {gpu: yes}.',
  ],
  [
    'a node without memory, for who asks for none',
    clusterOf([lacking('memory')]),
    pod(),
    '0/1 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/memory-pressure: }.',
  ],
  [
    'a node without memory, for who asks for some',
    clusterOf([lacking('memory')]),
    pod(asking({ memory: '1Mi' })),
    'n1',
  ],
  [
    'a node without room on its disk',
    clusterOf([lacking('disk')]),
    pod(asking({ memory: '1Mi' })),
    '0/1 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/disk-pressure: }.',
  ],
  [
    'the last device',
    clusterOf([cameras], [['n1', pod(limitedTo({ 'holdfast.dev/camera': '1' }))]]),
    pod(limitedTo({ 'holdfast.dev/camera': '1' })),
    'n1',
  ],
  [
    'one device too few',
    clusterOf([cameras], [['n1', pod(limitedTo({ 'holdfast.dev/camera': '1' }))]]),
    pod(limitedTo({ 'holdfast.dev/camera': '2' })),
    '0/1 nodes are available: 1 Insufficient holdfast.dev/camera.',
  ],
  [
    'a device that no node has',
    clusterOf([cameras]),
    pod(limitedTo({ 'holdfast.dev/radio': '1' })),
    '0/1 nodes are available: 1 Insufficient holdfast.dev/radio.',
  ],
  ['node selector', clusterOf(zones), pod({ nodeSelector: { zone: 'b' } }), 'b1'],
  [
    'node selector that nothing has',
    clusterOf(zones),
    pod({ nodeSelector: { zone: 'c' } }),
    "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector.",
  ],
  [
    'required node affinity: any of the terms',
    clusterOf(zones),
    pod({
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [
              { matchExpressions: [{ key: 'zone', operator: 'In', values: ['c'] }] },
              { matchFields: [{ key: 'metadata.name', operator: 'In', values: ['a2'] }] },
            ],
          },
        },
      },
    }),
    'a2',
  ],
  [
    'what is used counts',
    clusterOf(
      [node('n1'), node('n2')],
      [
        ['n1', pod(asking({ cpu: '1500m' }))],
        ['n2', pod(asking({ cpu: '1' }))],
      ],
    ),
    pod(asking({ cpu: '1' })),
    'n2',
  ],
  [
    'number of pods',
    clusterOf([node('n1', { allocatable: { pods: '1' } })], [['n1', pod()]]),
    pod(),
    '0/1 nodes are available: 1 Too many pods.',
  ],
  [
    'a resource that the node has not',
    clusterOf([node('n1')]),
    pod(asking({ 'example.com/dongle': '1' })),
    '0/1 nodes are available: 1 Insufficient example.com/dongle.',
  ],
  [
    'init containers run before the others: the larger counts',
    clusterOf([node('n1')]),
    pod({
      ...asking({ cpu: '2' }),
      initContainers: [{ name: 'init', image: 'x', resources: { requests: { cpu: '2' } } }],
    }),
    'n1',
  ],
  [
    'sidecars run beside them',
    clusterOf([node('n1')]),
    pod({
      ...asking({ cpu: '2' }),
      initContainers: [
        { name: 'side', image: 'x', restartPolicy: 'Always', resources: { requests: { cpu: '1' } } },
      ],
    }),
    '0/1 nodes are available: 1 Insufficient cpu.',
  ],
  [
    'host port taken',
    clusterOf([node('n1')], [['n1', pod(withPort(80))]]),
    pod(withPort(80, '10.0.0.1')),
    "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.",
  ],
  [
    'host port of another address',
    clusterOf([node('n1')], [['n1', pod(withPort(80, '10.0.0.2'))]]),
    pod(withPort(80, '10.0.0.1')),
    'n1',
  ],
  [
    'pod affinity: the zone of the other',
    clusterOf(zones, [['b1', pod({}, { app: 'db' })]]),
    pod(affinity('podAffinity', 'db', 'zone')),
    'b1',
  ],
  [
    'pod affinity to nobody',
    clusterOf(zones),
    pod(affinity('podAffinity', 'db', 'zone')),
    "0/3 nodes are available: 3 node(s) didn't match pod affinity rules.",
  ],
  [
    'pod affinity to its own kind: the first may be anywhere',
    clusterOf(zones),
    pod(affinity('podAffinity', 'db', 'zone'), { app: 'db' }),
    'a1',
  ],
  [
    'pod anti-affinity: another zone',
    clusterOf(zones, [['a1', pod({}, { app: 'web' })]]),
    pod(affinity('podAntiAffinity', 'web', 'zone')),
    'b1',
  ],
  [
    'the anti-affinity of those that are there',
    clusterOf(zones, [
      ['a1', pod(affinity('podAntiAffinity', 'web', 'zone'))],
      ['b1', pod(affinity('podAntiAffinity', 'web', 'zone'))],
    ]),
    pod({}, { app: 'web' }),
    "0/3 nodes are available: 3 node(s) didn't satisfy existing pods anti-affinity rules.",
  ],
  ['the emptier node', clusterOf([node('n1'), node('n2')], [['n1', pod(asking({ cpu: '1' }))]]), pod(), 'n2'],
  [
    'spread over nodes, even if they are fuller',
    clusterOf(
      [node('n1'), node('n2')],
      [
        ['n1', pod({}, {}, 'rs')],
        ['n2', pod(asking({ cpu: '1' }))],
      ],
    ),
    pod({}, {}, 'rs'),
    'n2',
  ],
  [
    'prefers no PreferNoSchedule',
    clusterOf(
      [node('n1', { taints: [{ key: 'old', effect: 'PreferNoSchedule' }] }), node('n2')],
      [['n2', pod(asking({ cpu: '1' }))]],
    ),
    pod(),
    'n2',
  ],
  [
    'preferred node affinity',
    clusterOf(zones, [['b1', pod(asking({ cpu: '1' }))]]),
    pod({
      affinity: {
        nodeAffinity: {
          preferredDuringSchedulingIgnoredDuringExecution: [
            {
              weight: 10,
              preference: { matchExpressions: [{ key: 'zone', operator: 'In', values: ['b'] }] },
            },
          ],
        },
      },
    }),
    'b1',
  ],
];
for (const [name, cluster, wanted, expected] of cases)
  t.test(name, async (t) => t.equal(placeOf(cluster, wanted), expected));

t.test('usage follows pods: bound, moved by a new pod of the name, ended, gone', async (t) => {
  const cluster = clusterOf([node('n1'), node('n2')]);
  const used = (name: string) => cluster.node(name)?.used.get('cpu') ?? 0;
  const bound = { ...pod(asking({ cpu: '500m' })) };
  bound.spec = { ...bound.spec, nodeName: 'n1' };
  cluster.putPod(bound);
  cluster.putPod({ ...bound, status: { phase: 'Running' } });
  t.equal(used('n1'), 500, 'counted once');
  cluster.putPod({
    ...bound,
    metadata: { ...bound.metadata, uid: 'other' },
    spec: { ...bound.spec, nodeName: 'n2' },
  });
  t.same([used('n1'), used('n2')], [0, 500]);
  t.equal(cluster.removePod(`default/${bound.metadata.name}`), 'n2');
  t.equal(cluster.removePod(`default/${bound.metadata.name}`), undefined);
  t.same([used('n1'), used('n2')], [0, 0]);
});

t.test('a node that comes after its pods, or comes back, knows them', async (t) => {
  const cluster = clusterOf([], [['n1', pod(asking({ cpu: '2' }))]]);
  cluster.putNode(node('n1'));
  t.equal(cluster.node('n1')?.used.get('cpu'), 2000);
  cluster.removeNode('n1');
  cluster.putNode(node('n1'));
  t.equal(cluster.node('n1')?.used.get('cpu'), 2000);
  t.notOk(
    cluster.putNode({ ...node('n1'), metadata: { ...node('n1').metadata, resourceVersion: '9' } }),
    'a heartbeat is no change',
  );
});

t.test('in a large fleet only some of the fitting nodes are compared', async (t) => {
  t.same([10, 100, 1000, 10_000].map(enoughNodes), [10, 100, 420, 500]);
});
