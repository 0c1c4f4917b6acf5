import t, { type Test } from 'tap';
import { startControllers } from '../../../../hub/controllers/start-controllers.ts';
import { type RolloutStatus, rollouts } from '../../../../hub/fleet/rollout.ts';
import type { NodeUsage } from '../../../../hub/resources/resource-metrics.ts';
import { pods } from '../../../../hub/resources/table-of-resources.ts';
import { Cluster, openRegistry, silent } from '../cluster.ts';
import { FleetCluster } from './fleet-cluster.ts';
import { GateServer, json, type Respond, vector } from './gate-server.ts';

/* Measured gates in rollouts: the real controllers, real servers, a clock that tests move. */

const BAKED = { waves: [{ name: 'canary', limit: 2 }] };

async function begin(
  t: Test,
  respond: Respond,
  gates: (server: GateServer) => object[],
  policy: object = {},
) {
  const server = await GateServer.start(t, respond);
  const registry = await openRegistry(t);
  const cluster = new Cluster(registry);
  const fleet = new FleetCluster(cluster);
  t.teardown(fleet.runAgents());
  const clock = { aheadMs: 0 };
  const memory = new Map<string, number>();
  const usageOf = async (node: string): Promise<NodeUsage | undefined> => {
    const used = memory.get(node) ?? 10;
    if (used < 0) return undefined;
    const usage = { cpuNanocores: 1n, windowMs: 1000, workingSetBytes: BigInt(used) };
    const here = cluster.list(pods, 'default') as readonly { metadata: { uid?: string } }[];
    return {
      atMs: 0,
      device: undefined,
      pods: new Map(here.map(({ metadata }) => [metadata.uid ?? '', [{ name: 'main', usage }]])),
    };
  };
  const start = () =>
    startControllers({
      registry,
      log: silent,
      now: () => Date.now() + clock.aheadMs,
      gates: { usageOf, servers: new Set([server.url]) },
    });
  const measured = gates(server);
  const whole = { ...BAKED, ...policy, gates: { health: { minAttempted: 1 }, measured } };
  return { server, registry, cluster, fleet, clock, memory, start, policy: whole };
}

const errors =
  (more: object = {}) =>
  (server: GateServer) => [
    {
      name: 'errors',
      prometheus: {
        url: server.url,
        caBundle: server.ca,
        query: 'up',
        expression: 'result.all(sample, sample.value < 0.02)',
      },
      ...more,
    },
  ];

const gatesOf = (status: RolloutStatus | undefined, wave: string) =>
  status?.waves?.find(({ name }) => name === wave)?.gates;

t.test('each wave is measured once its devices have decided; what was measured is on record', async (t) => {
  const world = await begin(t, vector([{}, '0.01']), errors());
  const controllers = world.start();
  t.teardown(() => controllers.stop());
  await world.fleet.begin(5, world.policy);
  await world.fleet.setImage('app:2');
  const { status } = await world.fleet.untilPhase('app-2', 'Succeeded');
  for (const wave of ['canary', 'rest'])
    t.match(gatesOf(status, wave), [
      { name: 'errors', result: 'pass', message: 'holds for 0.01', answeredAt: String },
    ]);
  t.equal(world.server.seen.length, 2, 'once a wave');
});

t.test('a gate that fails stops the wave; who goes on has accepted it', async (t) => {
  const world = await begin(t, vector([{}, '0.5']), errors());
  const controllers = world.start();
  t.teardown(() => controllers.stop());
  await world.fleet.begin(5, world.policy);
  await world.fleet.setImage('app:2');
  const { status } = await world.fleet.untilPhase('app-2', 'Paused');
  t.match(status, { message: 'gate errors: does not hold for 0.5', wave: 'canary', succeeded: 2 });
  t.equal(status?.transitions?.at(-1)?.reason, 'GateFailed');
  await world.fleet.act('app-2', { type: 'resume' });
  const isAtRest = () => world.fleet.rollout('app-2').status?.wave === 'rest';
  await world.cluster.until('the rest is measured too', isAtRest);
  const again = await world.fleet.untilPhase('app-2', 'Paused');
  t.match(gatesOf(again.status, 'canary'), [{ result: 'fail', accepted: true }]);
  t.match(gatesOf(again.status, 'rest'), [{ result: 'fail', stopped: true, accepted: undefined }]);
  world.server.respond = vector([{}, '0']);
  await world.fleet.act('app-2', { type: 'retry' });
  await world.fleet.untilPhase('app-2', 'Succeeded');
});

t.test('undone by a gate, and the undo is not held up by it; continue tells and goes on', async (t) => {
  const world = await begin(t, vector([{}, '0.5']), errors(), { onFail: 'undo' });
  const controllers = world.start();
  t.teardown(() => controllers.stop());
  await world.fleet.begin(5, world.policy);
  await world.fleet.setImage('app:2');
  await world.fleet.untilPhase('app-2', 'Undone');
  await world.fleet.untilPhase('app-3', 'Succeeded');
  t.equal(world.server.seen.length, 1);
  const other = await begin(t, vector([{}, '0.5']), errors(), { onFail: 'continue' });
  const others = other.start();
  t.teardown(() => others.stop());
  await other.fleet.begin(3, other.policy);
  await other.fleet.setImage('app:2');
  const { status } = await other.fleet.untilPhase('app-2', 'Succeeded');
  t.match(gatesOf(status, 'canary'), [{ result: 'fail', accepted: true }]);
  t.ok(status?.transitions?.some(({ reason }) => reason === 'GateFailed'));
});

t.test(
  'a server that is away: asked again, then somebody must look, or not, as the policy says',
  async (t) => {
    const broken: Respond = (_, response) => response.writeHead(500).end();
    for (const [onInconclusive, phase, reason] of [
      ['pause', 'Paused', 'GateInconclusive'],
      ['fail', 'Paused', 'GateFailed'],
      ['continue', 'Succeeded', 'WaveDone'],
    ] as const) {
      const world = await begin(t, broken, errors({ deadline: '1s', onInconclusive }));
      const controllers = world.start();
      t.teardown(() => controllers.stop());
      await world.fleet.begin(3, world.policy);
      await world.fleet.setImage('app:2');
      const { status } = await world.fleet.untilPhase('app-2', phase);
      t.ok(
        status?.transitions?.some((each) => each.reason === reason),
        onInconclusive,
      );
      t.match(gatesOf(status, 'canary'), [{ result: 'inconclusive', message: /status 500/ }]);
    }
  },
);

t.test('webhooks are told where the rollout is; a dry run only tells', async (t) => {
  const world = await begin(t, json({ result: 'fail', message: 'no' }), (server) => [
    { name: 'verdict', dryRun: true, webhook: { url: `${server.url}/hook`, caBundle: server.ca } },
  ]);
  const controllers = world.start();
  t.teardown(() => controllers.stop());
  await world.fleet.begin(3, world.policy);
  await world.fleet.setImage('app:2');
  const { status } = await world.fleet.untilPhase('app-2', 'Succeeded');
  t.match(gatesOf(status, 'rest'), [{ result: 'fail', message: 'no' }]);
  const [first] = world.server.seen;
  t.equal(first?.url.pathname, '/hook');
  t.match(JSON.parse(first?.body ?? ''), {
    id: String,
    gate: 'verdict',
    rollout: { namespace: 'default', name: 'app-2' },
    workload: { kind: 'DaemonSet', name: 'app' },
    revision: { from: { number: 1 }, to: { number: 2 } },
    wave: { name: 'canary', phase: 'Progressing', devices: 2, succeeded: 2, failed: 0 },
  });
});

t.test('devices are asked themselves: some who do badly, some who do not say', async (t) => {
  const gate = { expression: 'metrics.memory < 100 && metrics.cpu < 1.0', minMeasured: 2 };
  const world = await begin(t, json({}), () => [{ name: 'memory', devices: gate }], {
    waves: [{ name: 'canary', limit: 4 }],
  });
  const controllers = world.start();
  t.teardown(() => controllers.stop());
  await world.fleet.begin(4, world.policy);
  for (const node of ['n0', 'n1']) world.memory.set(node, -1);
  await world.fleet.setImage('app:2');
  const { status } = await world.fleet.untilPhase('app-2', 'Succeeded');
  t.match(gatesOf(status, 'canary'), [
    { result: 'pass', message: /^holds for 2 of 2 devices \(2 not measured/ },
  ]);
  for (const node of ['n2', 'n3']) world.memory.set(node, 1000);
  await world.fleet.setImage('app:3');
  const failed = await world.fleet.untilPhase('app-3', 'Paused');
  t.match(failed.status?.message, /^gate memory: holds for 0 of 2 devices, not for n[23], n[23] \(2 not/);
});

t.test('a hub that is started anew goes on from what is on record, and does not ask again', async (t) => {
  const world = await begin(t, vector([{}, '0.01']), errors({ interval: '10m' }), {
    waves: [{ name: 'canary', limit: 2, bake: '5m' }],
  });
  const first = world.start();
  await world.fleet.begin(3, world.policy);
  await world.fleet.setImage('app:2');
  const canary = () => gatesOf(world.fleet.rollout('app-2').status, 'canary')?.[0];
  await world.cluster.until(
    'it was measured',
    () => world.cluster.find(rollouts, 'app-2') !== undefined && canary()?.result === 'pass',
  );
  await first.stop();
  t.equal(world.server.seen.length, 1);
  const second = world.start();
  await world.fleet.act('app-2', { type: 'pause' });
  await world.fleet.untilPhase('app-2', 'Paused');
  await world.fleet.act('app-2', { type: 'resume' });
  await world.fleet.untilPhase('app-2', 'Baking');
  t.equal(world.server.seen.length, 1, 'not asked again for a restart');
  await second.stop();
  world.clock.aheadMs = 300_000;
  const third = world.start();
  t.teardown(() => third.stop());
  await world.fleet.untilPhase('app-2', 'Succeeded');
  t.equal(world.server.seen.length, 3, 'once more when it had baked, and once for the rest');
});
