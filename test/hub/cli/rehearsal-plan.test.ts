import t from 'tap';
import { planRehearsal, type RehearsalInput } from '../../../hub/cli/rollout/rehearsal-plan.ts';
import type {
  DaemonSetObject,
  DeploymentObject,
  NodeObject,
  PodObject,
} from '../../../hub/resources/typed.ts';
import { encodePodUpdate, POD_UPDATE_ANNOTATION } from '../../../proto/pod-update.ts';
import { parseScenario } from '../../../scripts/fleet-sim/read-scenario.ts';
import { policyOf } from '../controllers/rollout/world.ts';
import { nodeOf, podOf } from './objects.ts';

const workload = {
  metadata: {
    name: 'app',
    annotations: { 'fleet.holdfast.dev/rollout-policy': 'careful', 'example.com/other': 'x' },
  },
  spec: {
    selector: { matchLabels: { app: 'app' } },
    template: {
      metadata: { labels: { app: 'app' }, annotations: { 'fleet.holdfast.dev/configuration': 'x' } },
      spec: {
        serviceAccountName: 'mine',
        volumes: [{ name: 'v', hostPath: { path: '/' } }],
        containers: [
          {
            name: 'main',
            image: 'app:1',
            envFrom: [{ secretRef: { name: 'secret' } }],
            livenessProbe: { exec: { command: ['ok'] } },
            readinessProbe: { tcpSocket: { port: 1 } },
          },
        ],
      },
    },
  },
} as unknown as DaemonSetObject;

const fleet = (count: number): NodeObject[] =>
  Array.from({ length: count }, (_, index) =>
    nodeOf(`n${index}`, { ready: index === 3 ? 'Unknown' : 'True' }),
  );

const INPUT: RehearsalInput = {
  reference: { kind: 'DaemonSet', name: 'app' },
  workload,
  policyName: 'careful',
  policy: policyOf({}),
  nodes: [],
  pods: [],
  most: 100,
  scenario: {},
};

const plan = (nodes: readonly NodeObject[], most: number, policy: object = {}, scenario: object = {}) =>
  planRehearsal({ ...INPUT, policy: policyOf(policy), nodes, most, scenario });

t.test(
  'devices: those that match, spread evenly, dark as they are; the user’s groups come after',
  async (t) => {
    const { devices, scenario, notes } = plan(fleet(10), 5, {}, { groups: [{ name: 'mine', devices: [0] }] });
    t.same(
      devices.map(({ name, node }) => [name, node]),
      [
        ['sim-0', 'n0'],
        ['sim-1', 'n2'],
        ['sim-2', 'n4'],
        ['sim-3', 'n6'],
        ['sim-4', 'n8'],
      ],
    );
    t.match(notes, [/5 of 10 devices/]);
    const { groups = [] } = parseScenario(JSON.stringify(scenario));
    t.match(groups, [{ devices: [0] }, { devices: [1] }, { devices: [2] }, {}, {}, { name: 'mine' }]);
    const all = plan(fleet(4), 100).devices;
    t.same(
      all.map(({ isDark }) => isDark),
      [false, false, false, true],
    );
  },
);

t.test(
  'of the workload what the scheduling and the engine look at, and nothing that must be read',
  async (t) => {
    const { workload: made, notes } = plan(fleet(1), 1);
    t.same((made as DaemonSetObject).metadata.annotations, {
      'fleet.holdfast.dev/rollout-policy': 'careful',
    });
    t.same((made as DaemonSetObject).spec.template, {
      metadata: { labels: { app: 'app' } },
      spec: {
        automountServiceAccountToken: false,
        containers: [{ name: 'main', image: 'app:1', livenessProbe: { exec: { command: ['ok'] } } }],
      },
    });
    t.match(notes, [/probes by HTTP, TCP and gRPC are left out: main/]);
  },
);

t.test('of the policy all but what waits for people, hours and servers', async (t) => {
  const given = {
    start: 'manual',
    waves: [{ name: 'one', limit: 1, bake: '1h', approve: 'manual' }],
    gates: {
      measured: [
        { name: 'memory', devices: { expression: 'true' } },
        { name: 'outside', webhook: { url: 'https://example.com' } },
      ],
    },
    device: { windows: [{ schedule: '0 1 * * *', duration: '1h', timeZone: 'UTC' }] },
  };
  const { policy, notes } = plan(fleet(1), 1, given);
  const { spec } = policy as { spec: ReturnType<typeof policyOf> };
  t.equal(spec.start, 'automatic');
  t.same(spec.waves, [{ name: 'one', limit: 1, approve: 'automatic' }]);
  t.same(
    spec.gates.measured?.map(({ name }) => name),
    ['memory'],
  );
  t.notOk('windows' in spec.device);
  t.match(notes.slice(0, 5), [
    /started at once/,
    /approved at once: one/,
    /bake: one 1h/,
    /windows/,
    /outside/,
  ]);
});

t.test(
  'a Deployment is rehearsed on the devices that have its pods, with as many as they have',
  async (t) => {
    const on = (node: string | undefined, name: string, more: object = {}): PodObject => {
      const pod = podOf(name, 'ReplicaSet', { ...(node && { nodeName: node }) });
      return { ...pod, metadata: { ...pod.metadata, ...more } };
    };
    const update = encodePodUpdate({
      ...{ step: 'apply', replaces: 'b', order: 'start-first', rollback: true },
      ...{ minHealthySeconds: 1, maxRestarts: 0, deadlineSeconds: 60 },
    });
    const evicted = on('n2', 'e');
    const { spec } = workload;
    const deployment = { ...workload, spec: { ...spec, replicas: 5, paused: true } } as DeploymentObject;
    const input: RehearsalInput = {
      ...INPUT,
      reference: { kind: 'Deployment', name: 'app' },
      workload: deployment,
      nodes: fleet(5),
      pods: [
        ...[on('n0', 'a'), on('n3', 'b'), on('n3', 'c'), on(undefined, 'd')],
        ...[on('n3', 'for-b', { annotations: { [POD_UPDATE_ANNOTATION]: update } })],
        { ...evicted, status: { phase: 'Failed' } },
      ],
    };
    const { devices, workload: made, notes } = planRehearsal(input);
    t.same(
      devices.map(({ name, node, pods, isDark }) => [name, node, pods, isDark]),
      [
        ['sim-0', 'n0', 1, false],
        ['sim-1', 'n3', 2, true],
      ],
      'not the pod that a device is still to decide on, nor one that has ended',
    );
    t.match(made, {
      kind: 'Deployment',
      spec: { replicas: 3, template: { spec: { schedulerName: 'rehearsal' } } },
    });
    t.notOk('paused' in made.spec);
    t.match(notes, [/have no device yet are left out: 1/, /is paused, and rehearsed as if it were not/]);
    const fewer = planRehearsal({ ...input, most: 1 });
    t.match(fewer.workload.spec, { replicas: 1 });
    t.match(fewer.notes, [/1 of 2 devices/]);
  },
);
