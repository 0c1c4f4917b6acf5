import t from 'tap';
import { planRehearsal } from '../../../hub/cli/rollout/rehearsal-plan.ts';
import type { DaemonSetObject, NodeObject } from '../../../hub/resources/typed.ts';
import { parseScenario } from '../../../scripts/fleet-sim/read-scenario.ts';
import { policyOf } from '../controllers/rollout/world.ts';
import { nodeOf } from './objects.ts';

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

const plan = (nodes: readonly NodeObject[], most: number, policy: object = {}, scenario: object = {}) =>
  planRehearsal({ workload, policyName: 'careful', policy: policyOf(policy), nodes, most, scenario });

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
