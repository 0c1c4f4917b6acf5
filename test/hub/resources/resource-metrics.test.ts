import t from 'tap';
import {
  durationText,
  type NodeUsage,
  nodeMetrics,
  nodeMetricsOf,
  podMetrics,
  podMetricsOf,
} from '../../../hub/resources/resource-metrics.ts';

const used = (cpuNanocores: bigint, workingSetBytes: bigint, windowMs = 1_000) => ({
  cpuNanocores,
  workingSetBytes,
  windowMs,
});
const AT = Date.parse('2026-11-22T10:00:00.900Z');
const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n', uid: 'u', labels: { a: 'b' } } };
const pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', namespace: 'ns', uid: 'one', annotations: { not: 'shown' } },
  spec: { containers: [{ name: 'a' }, { name: 'b' }] },
};
const usage = (more: Partial<NodeUsage>): NodeUsage => ({
  atMs: AT,
  device: undefined,
  pods: new Map(),
  ...more,
});

t.test('durations as Go writes them', async (t) => {
  for (const [ms, text] of [
    [0, '0s'],
    [950, '950ms'],
    [1_000, '1s'],
    [10_017, '10.017s'],
    [60_000, '1m0s'],
    [61_500, '1m1.5s'],
    [3_600_000, '1h0m0s'],
    [90_061_001, '25h1m1.001s'],
  ] as const)
    t.equal(durationText(ms), text);
});

t.test('what a node uses', async (t) => {
  const metrics = nodeMetricsOf(node, usage({ device: used(123_456_789n, 1_536n * 1024n, 10_017) }));
  t.same(metrics, {
    kind: 'NodeMetrics',
    apiVersion: 'metrics.k8s.io/v1beta1',
    metadata: { name: 'n', labels: { a: 'b' }, creationTimestamp: '2026-11-22T10:00:00Z' },
    timestamp: '2026-11-22T10:00:00Z',
    window: '10.017s',
    usage: { cpu: '123456789n', memory: '1536Ki' },
  });
  t.same(metrics && nodeMetrics.columns.map(({ cell }) => cell(metrics, AT)), [
    'n',
    '123456789n',
    '1536Ki',
    '10.017s',
  ]);
  t.equal(nodeMetricsOf(node, usage({})), undefined, 'a device that did not tell');
});

t.test('what the containers of a pod use', async (t) => {
  const pods = new Map([
    [
      'one',
      [
        { name: 'b', usage: used(1_500n, 1_000n, 2_000) },
        { name: 'foreign', usage: used(9n, 9n) },
        { name: 'a', usage: used(98_500n, 24n) },
        { name: 'a', usage: used(7n, 7n) },
      ],
    ],
  ]);
  const metrics = podMetricsOf(pod, usage({ pods }));
  t.same(metrics, {
    kind: 'PodMetrics',
    apiVersion: 'metrics.k8s.io/v1beta1',
    metadata: { name: 'p', namespace: 'ns', creationTimestamp: '2026-11-22T10:00:00Z' },
    timestamp: '2026-11-22T10:00:00Z',
    window: '2s',
    containers: [
      { name: 'a', usage: { cpu: '98500n', memory: '24' } },
      { name: 'b', usage: { cpu: '1500n', memory: '1k' } },
    ],
  });
  t.same(metrics && podMetrics.columns.map(({ cell }) => cell(metrics, AT)), ['p', '100u', '1Ki', '2s']);
  t.equal(podMetricsOf(pod, usage({})), undefined, 'a pod that the device does not tell of');
});
