import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { ApiClient } from '../../hub/cli/api-client.ts';
import { fingerprintOf } from '../../hub/security/certificate-authority.ts';
import { newJoinToken } from '../../hub/security/join-tokens.ts';
import { formatJoinToken } from '../../proto/join-token.ts';
import { Fleet } from '../../scripts/fleet-sim/fleet.ts';
import type { Scenario } from '../../scripts/fleet-sim/scenario.ts';
import { Program } from './program.ts';
import type { Ports } from './stand.ts';
import { until } from './until.ts';

export const FLEET = '/apis/fleet.holdfast.dev/v1/namespaces/default';
const SETS = '/apis/apps/v1/namespaces/default/daemonsets';
export const SITE = 'topology.holdfast.dev/site';

export const FAST: Scenario = {
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

/** Nobody is lost by the slowness of the machine that the tests run on. */
export const GATES = {
  health: { minHealthy: '500ms', maxRestarts: 0 },
  lost: { lostAfter: '60s', maxLost: '10%' },
};

export interface RolloutSeen {
  readonly status?: {
    readonly phase?: string;
    readonly message?: string;
    readonly progressAt?: string;
    readonly succeeded?: number;
    readonly failed?: number;
    readonly dark?: number;
    readonly lost?: number;
    readonly transitions?: readonly { readonly reason: string; readonly wave?: string }[];
    readonly waves?: readonly {
      readonly name: string;
      readonly succeeded: number;
      readonly gates?: readonly object[];
    }[];
  };
}

/** A hub process, simulated devices, and what an operator does. */
export class World {
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
      spec: { gates, deadline: { perDeviceApply: '60s' }, ...more },
    });
    await world.setImage('app:1');
    // More than were there a moment ago, where devices come and go.
    const there = world.fleet.devices.filter(({ state }) => state === 'connected').length;
    await until(`${there} run app:1`, async () => world.running('app:1') >= there);
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
    return until(`rollout ${name} ${what}`, async () => {
      const seen = await this.rollout(name);
      return seen && holds(seen.status) ? seen : undefined;
    });
  }

  running(image: string): number {
    return this.fleet.summary().running[image] ?? 0;
  }

  untilRunning(image: string, count: number): Promise<unknown> {
    return until(`${count} run ${image}`, () => Promise.resolve(this.running(image) === count));
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
