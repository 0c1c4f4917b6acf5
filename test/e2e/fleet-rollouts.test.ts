import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { ApiClient } from '../../hub/cli/api-client.ts';
import { fingerprintOf } from '../../hub/security/certificate-authority.ts';
import { newJoinToken } from '../../hub/security/join-tokens.ts';
import { formatJoinToken } from '../../proto/join-token.ts';
import { Fleet } from '../../scripts/fleet-sim/fleet.ts';
import type { Period, Scenario } from '../../scripts/fleet-sim/scenario.ts';
import { Program } from '../support/program.ts';
import type { Ports } from '../support/stand.ts';
import { until } from '../support/until.ts';

/*
 * Rollouts over simulated devices that behave badly: the hub's own process and the agents' own code, over real links.
 */

const PATIENCE_MS = 60_000;
const FLEET = '/apis/fleet.holdfast.dev/v1/namespaces/default';
const SETS = '/apis/apps/v1/namespaces/default/daemonsets';
const SITE = 'topology.holdfast.dev/site';

const FAST: Scenario = {
  all: { createMs: [1, 5], startMs: [1, 10], stopMs: 2 },
  images: {
    'app:1': { present: true },
    'app:2': { pullMs: [1, 20] },
    'app:3': { pullMs: [1, 20] },
    'app:bad': { pullMs: [1, 20], exit: { afterMs: [5, 20], code: 1 } },
    'app:fat': { pullMs: [1, 20], memoryBytes: [300_000_000, 400_000_000] },
    'app:missing': { absent: true },
  },
  labels: { [SITE]: { prefix: 'site-', count: 4 } },
};

const GATES = { health: { minHealthy: '500ms', maxRestarts: 0 }, lost: { lostAfter: '3s', maxLost: '10%' } };

interface RolloutSeen {
  readonly status?: {
    readonly phase?: string;
    readonly message?: string;
    readonly succeeded?: number;
    readonly failed?: number;
    readonly dark?: number;
    readonly lost?: number;
    readonly waves?: readonly {
      readonly name: string;
      readonly succeeded: number;
      readonly gates?: readonly object[];
    }[];
  };
}

/** A hub process, simulated devices, and what an operator does. */
class World {
  readonly #dir = mkdtempSync(join(tmpdir(), 'hf-fleet-rollouts-'));
  #hub: Program | undefined;
  #ports: Ports = { api: 0, grpc: 0, mqtt: 0 };
  #api: ApiClient | undefined;
  #fleet: Fleet | undefined;

  static async start(test: Test, size: number, scenario: Scenario, policy: object): Promise<World> {
    const world = new World();
    test.teardown(() => world.#close());
    await world.startHub();
    const options = { hub: { host: '127.0.0.1', port: world.#ports.grpc }, kubeconfig: world.#kubeconfig };
    const token = await world.#token(size);
    world.#fleet = await Fleet.start({ ...options, token, size, transport: 'mqtt', scenario, seed: 7 });
    const { gates = GATES, ...more } = policy as { gates?: object };
    await world.#api?.call('POST', `${FLEET}/rolloutpolicies`, {
      metadata: { name: 'careful' },
      spec: { gates, deadline: { perDeviceApply: '10s' }, ...more },
    });
    await world.setImage('app:1');
    await world.untilRunning(
      'app:1',
      world.fleet.devices.filter(({ state }) => state === 'connected').length,
    );
    return world;
  }

  get fleet(): Fleet {
    if (!this.#fleet) throw new Error('there is no fleet');
    return this.#fleet;
  }

  get hub(): Program {
    if (!this.#hub) throw new Error('there is no hub');
    return this.#hub;
  }

  get api(): ApiClient {
    if (!this.#api) throw new Error('there is no hub');
    return this.#api;
  }

  /** On the ports and data that it had before, if it ran before. */
  async startHub(): Promise<void> {
    const { api, grpc, mqtt } = this.#ports;
    this.#hub = new Program('hub/main.ts', [
      ...['hub', '--data-dir', join(this.#dir, 'hub'), '--bind-address', '127.0.0.1'],
      ...['--api-port', `${api}`, '--grpc-port', `${grpc}`, '--mqtt-port', `${mqtt}`],
      ...['--write-kubeconfig', this.#kubeconfig, '--node-monitor-grace-period', '1'],
    ]);
    this.#ports = JSON.parse(await this.#hub.line(/the hub is ready/)) as Ports;
    this.#api = ApiClient.fromKubeconfig(this.#kubeconfig);
  }

  /** Whatever else was written meanwhile. */
  async setImage(image: string): Promise<void> {
    const isThere = await this.api.call('GET', `${SETS}/app`).catch(() => undefined);
    await this.api.call(isThere ? 'PUT' : 'POST', isThere ? `${SETS}/app` : SETS, daemonSet(image));
  }

  async act(name: string, action: object): Promise<void> {
    const path = `${FLEET}/rollouts/${name}`;
    await until(`${name} is asked`, async () => {
      const rollout = (await this.api.call('GET', path)) as { spec: { actions?: object[] } };
      const actions = [...(rollout.spec.actions ?? []), action];
      const next = { ...rollout, spec: { ...rollout.spec, actions } };
      return this.api.call('PUT', path, next).catch(() => undefined); // the hub wrote to it meanwhile
    });
  }

  rollout(name: string): Promise<RolloutSeen | undefined> {
    return this.api.call('GET', `${FLEET}/rollouts/${name}`).catch(() => undefined) as Promise<
      RolloutSeen | undefined
    >;
  }

  untilPhase(name: string, phase: string): Promise<RolloutSeen> {
    return this.untilRollout(name, `is ${phase}`, (status) => status?.phase === phase);
  }

  untilRollout(
    name: string,
    what: string,
    holds: (status: RolloutSeen['status']) => boolean,
  ): Promise<RolloutSeen> {
    return until(
      `rollout ${name} ${what}`,
      async () => {
        const seen = await this.rollout(name);
        return seen && holds(seen.status) ? seen : undefined;
      },
      PATIENCE_MS,
    );
  }

  running(image: string): number {
    return this.fleet.summary().running[image] ?? 0;
  }

  untilRunning(image: string, count: number): Promise<unknown> {
    return until(`${count} run ${image}`, () => Promise.resolve(this.running(image) === count), PATIENCE_MS);
  }

  get #kubeconfig(): string {
    return join(this.#dir, 'kubeconfig.yaml');
  }

  async #token(uses: number): Promise<string> {
    const { credential, secret } = newJoinToken({ ttlMs: 600_000, uses, description: '' }, Date.now());
    await this.api.call('POST', '/api/v1/namespaces/kube-system/secrets', secret);
    return formatJoinToken({ caHash: fingerprintOf(this.api.caCertificate), credential });
  }

  async #close(): Promise<void> {
    await this.#fleet?.close();
    await this.#hub?.end('SIGKILL');
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

function daemonSet(image: string): object {
  return {
    metadata: {
      name: 'app',
      annotations: { 'fleet.holdfast.dev/rollout-policy': 'careful' },
    },
    spec: {
      selector: { matchLabels: { app: 'app' } },
      template: {
        metadata: { labels: { app: 'app' } },
        spec: { terminationGracePeriodSeconds: 0, containers: [{ name: 'main', image }] },
      },
    },
  };
}

const CANARY = { waves: [{ name: 'canary', limit: 4, spreadBy: [SITE] }] };

const MEMORY = { name: 'memory', devices: { expression: 'metrics.memory < 100 * 1024 * 1024' } };

t.test('devices are asked what they use: a revision that takes too much stays in the canary', async (t) => {
  const world = await World.start(t, 24, FAST, { ...CANARY, gates: { ...GATES, measured: [MEMORY] } });
  await world.setImage('app:2');
  const good = await world.untilPhase('app-2', 'Succeeded');
  t.match(
    good.status?.waves?.map(({ gates }) => gates?.[0]),
    [{ result: 'pass', message: /^holds for 4 of 4/ }, { message: /^holds for 20 of 20 devices/ }],
  );
  await world.setImage('app:fat');
  const { status } = await world.untilPhase('app-3', 'Paused');
  t.match(status, { succeeded: 4, message: /^gate memory: holds for 0 of 4 devices, not for sim-/ });
  await world.act('app-3', { type: 'undo' });
  await world.untilPhase('app-4', 'Succeeded');
  await world.untilRunning('app:2', 24);
});

t.test('a bad revision touches the canary alone; the devices restore themselves; then undone', async (t) => {
  const world = await World.start(t, 24, FAST, CANARY);
  await world.setImage('app:bad');
  const { status } = await world.untilPhase('app-2', 'Paused');
  t.match(status, { failed: 4, succeeded: 0, message: /^gate health: 4 of 4/ });
  await world.untilRunning('app:1', 24);
  t.equal(world.running('app:bad'), 0);
  const restarted = world.fleet.devices.filter(({ containers }) =>
    containers.some(({ attempt }) => attempt > 0),
  );
  t.equal(restarted.length, 4, 'nobody else was touched');
  await world.act('app-2', { type: 'undo', reason: 'it crashes' });
  await world.untilPhase('app-3', 'Succeeded');
  t.equal(world.running('app:1'), 24);
});

t.test('an image that does not exist takes nothing from anybody', async (t) => {
  const world = await World.start(t, 8, FAST, { ...CANARY, deadline: { perDeviceApply: '2s' } });
  const before = world.fleet.summary().restarts;
  await world.setImage('app:missing');
  t.match((await world.untilPhase('app-2', 'Paused')).status, { failed: 4 });
  t.equal(world.running('app:1'), 8);
  t.equal(world.fleet.summary().restarts, before, 'the old one ran on');
});

t.test('dark devices are passed over, then catch up to the newest', async (t) => {
  const world = await World.start(t, 24, FAST, CANARY);
  const dark = world.fleet.devices.slice(0, 6);
  for (const device of dark) device.goDark();
  await until('the hub knows', async () => {
    const { items } = (await world.api.call('GET', '/api/v1/nodes')) as {
      items: { status: { conditions?: { type: string; status: string }[] } }[];
    };
    const away = items.filter(({ status }) =>
      status.conditions?.some((each) => each.type === 'Ready' && each.status !== 'True'),
    );
    return away.length === 6;
  });
  await world.setImage('app:2');
  t.match((await world.untilPhase('app-2', 'Succeeded')).status, { succeeded: 18, dark: 6, failed: 0 });
  await world.setImage('app:3');
  await world.untilPhase('app-3', 'Succeeded');
  t.equal(world.running('app:1'), 6, 'they run what they ran');
  for (const device of dark) device.comeBack();
  await world.untilRollout('app-3', 'has all', (status) => status?.succeeded === 24);
  await world.untilRunning('app:3', 24);
});

t.test('devices that vanish with it are lost, and stop it', async (t) => {
  const gone: Scenario = { ...FAST, groups: [{ name: 'gone', share: 0.5, lost: { image: 'app:2' } }] };
  const world = await World.start(t, 24, gone, { waves: [{ name: 'canary', limit: 8 }] });
  await world.setImage('app:2');
  const { status } = await world.untilPhase('app-2', 'Paused');
  t.match(status?.message, /lost/);
  t.ok((status?.lost ?? 0) > 0);
  t.equal((status?.lost ?? 0) + (status?.succeeded ?? 0) <= 8, true, 'all of them in the canary');
});

t.test(
  'the hub is killed in the middle of a wave: the rollout goes on, nobody is touched twice',
  async (t) => {
    const slow: Scenario = { ...FAST, images: { ...FAST.images, 'app:2': { pullMs: [50, 1_500] } } };
    const world = await World.start(t, 40, slow, CANARY);
    await world.setImage('app:2');
    await world.untilRollout('app-2', 'is in the middle', (status) => (status?.succeeded ?? 0) > 8);
    await world.hub.end('SIGKILL');
    await world.startHub();
    t.match((await world.untilPhase('app-2', 'Succeeded')).status, { succeeded: 40, failed: 0 });
    await world.untilRunning('app:2', 40);
    t.equal(world.fleet.summary().restarts, 0);
  },
);

t.test('devices that reboot while they try it end where they should', async (t) => {
  const world = await World.start(t, 12, FAST, { gates: { health: { minHealthy: '2s' } } });
  await world.setImage('app:2');
  await world.untilRunning('app:2', 12);
  await Promise.all(
    world.fleet.devices.slice(0, 6).map((device) => device.reboot({ downMs: 200, containers: 'ended' })),
  );
  t.match((await world.untilPhase('app-2', 'Succeeded')).status, { succeeded: 12, failed: 0 });
  await world.untilRunning('app:2', 12);
  t.equal(world.running('app:1'), 0);
});

t.test('a newer revision in the middle: all end with it, and with nothing else', async (t) => {
  const slow: Scenario = { ...FAST, images: { ...FAST.images, 'app:2': { pullMs: [500, 3_000] } } };
  const world = await World.start(t, 24, slow, CANARY);
  await world.setImage('app:2');
  await world.untilRollout('app-2', 'has begun', (status) => (status?.succeeded ?? 0) > 0);
  await world.setImage('app:3');
  t.match((await world.untilPhase('app-3', 'Succeeded')).status, { succeeded: 24, failed: 0 });
  await world.untilPhase('app-2', 'Superseded');
  await world.untilRunning('app:3', 24);
  t.equal(world.running('app:2') + world.running('app:1'), 0);
});

t.test(
  'a device whose disk fills up says so, and takes the revision when there is space again',
  async (t) => {
    const full: Period[] = [];
    const scenario = { ...FAST, groups: [{ name: 'full', devices: [3], diskFull: full }] };
    const world = await World.start(t, 8, scenario, { stage: {}, deadline: { perDeviceApply: '60s' } });
    const node = world.fleet.group('full')[0]?.name;
    const row = async () => {
      const found = await world.api.call('GET', `${FLEET}/deviceupdates/app.${node}`).catch(() => undefined);
      return (found as { spec: { step: string; reason?: string; message?: string } } | undefined)?.spec;
    };
    full.push({ fromMs: 0 });
    await world.setImage('app:2');
    const short = await until('it says so', async () => {
      const found = await row();
      return found?.reason === 'InsufficientDisk' ? found : undefined;
    });
    t.match(short, { step: 'Staging', message: /has 0 B free of 16.0 GiB, and must have 819.2 MiB \(5%\)/ });
    await world.untilRunning('app:2', 7);
    full.length = 0;
    await world.untilPhase('app-2', 'Succeeded');
    t.match(await row(), { step: 'Succeeded', reason: 'Healthy', message: '' });
  },
);
