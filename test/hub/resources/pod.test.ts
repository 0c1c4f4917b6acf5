import t from 'tap';
import type { KubeObject } from '../../../hub/resources/object.ts';
import { pods } from '../../../hub/resources/table-of-resources.ts';
import type { PodObject } from '../../../hub/resources/typed.ts';

type Loose = Record<string, unknown>;
const NOW = Date.parse('2026-01-01T01:00:00Z');

function pod({
  spec = {},
  status = {},
  metadata = {},
}: {
  spec?: Loose;
  status?: Loose;
  metadata?: Loose;
} = {}): PodObject {
  const object = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', namespace: 'n', creationTimestamp: '2026-01-01T00:00:00Z', ...metadata },
    spec: { containers: [{ name: 'a', image: 'i:1' }], ...spec },
    status: { phase: 'Running', ...status },
  };
  return structuredClone(object) as unknown as PodObject;
}

function cells(object: KubeObject): Record<string, unknown> {
  return Object.fromEntries(pods.columns.map(({ name, cell }) => [name, cell(object, NOW)]));
}

t.test('the status and the restarts that people see', async (t) => {
  const running = { ready: true, restartCount: 0, state: { running: {} } };
  const waiting = (reason: string) => ({ ready: false, restartCount: 0, state: { waiting: { reason } } });
  const ended = (terminated: Loose, more: Loose = {}) => ({
    ready: false,
    restartCount: 0,
    state: { terminated },
    ...more,
  });
  const one = (containerStatus: Loose, status: Loose = {}) => ({
    status: { containerStatuses: [{ name: 'a', ...containerStatus }], ...status },
  });
  const two = (first: Loose, second: Loose, status: Loose = {}) => ({
    spec: { containers: [{ name: 'a' }, { name: 'b' }] },
    status: {
      containerStatuses: [
        { name: 'a', ...first },
        { name: 'b', ...second },
      ],
      ...status,
    },
  });
  const init = (
    initContainerStatuses: Loose[],
    initContainers: Loose[] = [{ name: 'x' }, { name: 'y' }],
  ) => ({
    spec: { initContainers },
    status: {
      phase: 'Pending',
      initContainerStatuses,
      containerStatuses: [{ name: 'a', ...waiting('PodInitializing') }],
    },
  });
  const ready = { conditions: [{ type: 'Ready', status: 'True' }] };
  const cases: [string, Parameters<typeof pod>[0], string, string, string][] = [
    ['pending', { status: { phase: 'Pending' } }, '0/1', 'Pending', '0'],
    [
      'gated',
      {
        status: {
          phase: 'Pending',
          conditions: [{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' }],
        },
      },
      '0/1',
      'SchedulingGated',
      '0',
    ],
    ['evicted', { status: { phase: 'Failed', reason: 'Evicted' } }, '0/1', 'Evicted', '0'],
    ['running', one(running), '1/1', 'Running', '0'],
    ['pulling', one(waiting('ErrImagePull'), { phase: 'Pending' }), '0/1', 'ErrImagePull', '0'],
    [
      'the first that waits',
      two(waiting('CrashLoopBackOff'), waiting('ErrImagePull')),
      '0/2',
      'CrashLoopBackOff',
      '0',
    ],
    [
      'completed',
      one(ended({ exitCode: 0, reason: 'Completed' }), { phase: 'Succeeded' }),
      '0/1',
      'Completed',
      '0',
    ],
    ['an exit code', one(ended({ exitCode: 3 })), '0/1', 'ExitCode:3', '0'],
    ['a signal', one(ended({ exitCode: 137, signal: 9 })), '0/1', 'Signal:9', '0'],
    [
      'one completed, one runs, ready',
      two(ended({ exitCode: 0, reason: 'Completed' }), running, ready),
      '1/2',
      'Running',
      '0',
    ],
    [
      'one completed, one runs',
      two(ended({ exitCode: 0, reason: 'Completed' }), running),
      '1/2',
      'NotReady',
      '0',
    ],
    [
      'restarts',
      one({ ...running, restartCount: 3, lastState: { terminated: { finishedAt: '2026-01-01T00:55:00Z' } } }),
      '1/1',
      'Running',
      '3 (5m ago)',
    ],
    ['restarts at an unknown time', one({ ...running, restartCount: 3 }), '1/1', 'Running', '3'],
    [
      'init',
      init([
        { name: 'x', ...ended({ exitCode: 0 }) },
        { name: 'y', state: { running: {} } },
      ]),
      '0/1',
      'Init:1/2',
      '0',
    ],
    [
      'init waits',
      init([{ name: 'x', ...waiting('ImagePullBackOff') }]),
      '0/1',
      'Init:ImagePullBackOff',
      '0',
    ],
    ['init not begun', init([{ name: 'x', ...waiting('PodInitializing') }]), '0/1', 'Init:0/2', '0'],
    [
      'init failed',
      init([{ name: 'x', ...ended({ exitCode: 2 }, { restartCount: 4 }) }]),
      '0/1',
      'Init:ExitCode:2',
      '4',
    ],
    [
      'a sidecar counts',
      { ...init([{ name: 's', started: true, ...running }], [{ name: 's', restartPolicy: 'Always' }]) },
      '1/2',
      'PodInitializing',
      '0',
    ],
    [
      'ending',
      { ...one(running), metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } },
      '1/1',
      'Terminating',
      '0',
    ],
    [
      'ended and ending',
      { status: { phase: 'Failed' }, metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } },
      '0/1',
      'Failed',
      '0',
    ],
    [
      'lost',
      { status: { reason: 'NodeLost' }, metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } },
      '0/1',
      'Unknown',
      '0',
    ],
  ];
  for (const [what, object, readyText, status, restarts] of cases)
    t.match(cells(pod(object)), { Ready: readyText, Status: status, Restarts: restarts }, what);
});

t.test('the wide columns', async (t) => {
  t.match(cells(pod()), {
    Name: 'p',
    Age: '60m',
    IP: '<none>',
    Node: '<none>',
    'Nominated Node': '<none>',
    'Readiness Gates': '<none>',
  });
  const gated = pod({
    spec: { nodeName: 'node-1', readinessGates: [{ conditionType: 'a' }, { conditionType: 'b' }] },
    status: { podIP: '10.0.0.1', conditions: [{ type: 'a', status: 'True' }] },
  });
  t.match(cells(gated), { IP: '10.0.0.1', Node: 'node-1', 'Readiness Gates': '1/2' });
});

t.test('defaults of pods only', async (t) => {
  const object = pod({
    spec: {
      containers: [
        {
          name: 'a',
          image: 'i',
          resources: { limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '500m' } },
        },
      ],
    },
  });
  pods.setDefaults?.(object);
  t.same(
    object.spec.containers[0]?.resources?.requests,
    { cpu: '500m', memory: '1Gi' },
    'a limit requests itself',
  );
  t.match(object.spec, {
    serviceAccountName: 'default',
    serviceAccount: 'default',
    enableServiceLinks: true,
  });
  t.same(
    object.spec.tolerations,
    ['not-ready', 'unreachable'].map((taint) => ({
      key: `node.kubernetes.io/${taint}`,
      operator: 'Exists',
      effect: 'NoExecute',
    })),
    'a device out of reach keeps its pods for ever',
  );
  const once = structuredClone(object);
  pods.setDefaults?.(object);
  t.same(object, once, 'defaults of defaults are the same');
  const own = pod({
    spec: {
      tolerations: [
        {
          key: 'node.kubernetes.io/unreachable',
          operator: 'Exists',
          effect: 'NoExecute',
          tolerationSeconds: 60,
        },
      ],
    },
  });
  pods.setDefaults?.(own);
  t.equal(own.spec.tolerations?.length, 2, 'who states a time of their own keeps it');
  t.equal(own.spec.tolerations?.[0]?.tolerationSeconds, 60);
});

t.test('the first status', async (t) => {
  const quality = (...resources: Loose[]) => {
    const object = pod({
      spec: {
        containers: resources.map((each, index) => ({ name: `c${index}`, image: 'i', resources: each })),
      },
      status: { podIP: 'x' },
    });
    pods.setDefaults?.(object);
    pods.prepareForCreate?.(object);
    t.match(object.status, { phase: 'Pending' });
    t.equal(object.status?.podIP, undefined, 'nothing of what a client claims');
    return object.status?.qosClass;
  };
  const both = { cpu: '1', memory: '1Gi' };
  t.equal(quality({}), 'BestEffort');
  t.equal(quality({ limits: both }), 'Guaranteed');
  t.equal(quality({ limits: both }, {}), 'Burstable');
  t.equal(quality({ limits: both, requests: { cpu: '500m' } }), 'Burstable');
  t.equal(quality({ requests: { cpu: '500m' } }), 'Burstable');
  t.equal(quality({ limits: { 'ephemeral-storage': '1' } }), 'BestEffort');
});

t.test('what of a pod may change', async (t) => {
  const old = pod({
    spec: { terminationGracePeriodSeconds: 30, tolerations: [{ key: 'a', operator: 'Exists' }] },
  });
  const errorsOf = (change: (spec: PodObject['spec']) => void, before = old) => {
    const next = structuredClone(before);
    change(next.spec);
    next.spec.restartPolicy = 'Always';
    const previous = structuredClone(before);
    previous.spec.restartPolicy = 'Always';
    return pods.validate?.(next, previous).map(({ field, reason }) => `${field} ${reason}`);
  };
  const [container] = old.spec.containers;
  if (!container) throw new Error('the pod has a container');
  t.same(
    errorsOf(() => undefined),
    [],
  );
  t.same(
    errorsOf((spec) => {
      spec.containers = [{ ...container, image: 'other' }];
    }),
    [],
    'an image',
  );
  t.same(
    errorsOf((spec) => {
      spec.tolerations?.push({ key: 'b', operator: 'Exists' });
    }),
    [],
    'one more toleration',
  );
  t.same(
    errorsOf((spec) => {
      spec.activeDeadlineSeconds = 5;
    }),
    [],
    'a deadline',
  );
  t.same(
    errorsOf((spec) => {
      spec.nodeName = 'n';
    }),
    [],
    'binding',
  );
  t.same(
    errorsOf((spec) => {
      spec.tolerations = [];
    }),
    ['spec.tolerations FieldValueForbidden'],
  );
  t.same(
    errorsOf((spec) => {
      spec.hostname = 'x';
    }),
    ['spec FieldValueForbidden'],
  );
  t.same(
    errorsOf((spec) => {
      spec.containers = [{ ...container, command: ['x'] }];
    }),
    ['spec FieldValueForbidden'],
  );
  t.same(
    errorsOf(
      (spec) => {
        spec.nodeName = 'm';
      },
      pod({ spec: { nodeName: 'n' } }),
    ),
    ['spec FieldValueForbidden'],
  );
  t.same(
    errorsOf(
      (spec) => {
        spec.activeDeadlineSeconds = 9;
      },
      pod({ spec: { activeDeadlineSeconds: 5 } }),
    ),
    ['spec.activeDeadlineSeconds FieldValueInvalid'],
  );
});

t.test('how long a pod may take to end', async (t) => {
  const grace = (object: Parameters<typeof pod>[0], requested?: number) =>
    pods.gracePeriodSeconds?.(pod(object), requested);
  const spec = { nodeName: 'n', terminationGracePeriodSeconds: 30 };
  t.equal(grace({ spec }), 30);
  t.equal(grace({ spec }, 5), 5);
  t.equal(grace({ spec }, 0), 0);
  t.equal(grace({ spec }, -1), 1);
  t.equal(grace({ spec: { terminationGracePeriodSeconds: 30 } }), 0, 'nothing runs without a node');
  t.equal(grace({ spec, status: { phase: 'Succeeded' } }), 0);
});

t.test('indexes', async (t) => {
  const object = pod({
    metadata: {
      labels: { app: 'a', tier: '' },
      ownerReferences: [
        { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'r', uid: 'u1', controller: true },
      ],
    },
    spec: {
      nodeName: 'node-1',
      volumes: [{ name: 'v', configMap: { name: 'c' } }],
      imagePullSecrets: [{ name: 's' }],
    },
  });
  const values = Object.fromEntries(
    Object.entries(pods.indexes ?? {}).map(([name, of]) => [name, of(object)]),
  );
  t.same(values, {
    'spec.nodeName': ['node-1'],
    claim: [],
    controller: ['u1'],
    label: ['n/app=a', 'n/tier='],
    configMap: ['n/c'],
    secret: ['n/s'],
  });
  t.same(pods.indexes?.['spec.nodeName']?.(pod()), []);
  t.same(pods.indexes?.['controller']?.(pod()), []);
});
