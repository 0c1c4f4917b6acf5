import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import type { Logger } from '../../agent/log.ts';
import { Limit } from '../../proto/limit.ts';
import { type DeviceState, SimulatedDevice } from './device.ts';
import { identitiesOf } from './identities.ts';
import { type DevicePlan, planFleet, type Scenario } from './scenario.ts';

export interface FleetOptions {
  /** The hub's gRPC port. */
  readonly hub: { readonly host: string; readonly port: number };
  /** A join token with at least one use for each device; one use does when there is a `caFile`. */
  readonly token: string;
  /** Whose kubeconfig labels the Nodes; not needed by a scenario without labels. */
  readonly kubeconfig?: string;
  /** The hub's `ca.json`: makes devices nodes several times faster than they would enrol. See docs/fleet-sim.md. */
  readonly caFile?: string;
  readonly size: number;
  readonly transport: 'mqtt' | 'grpc';
  readonly scenario?: Scenario;
  readonly seed?: string | number;
  /** The devices' names are this and a number. */
  readonly namePrefix?: string;
  /** Whether the devices keep their states in memory; by default fleets of more than 200 do. */
  readonly stateInMemory?: boolean;
  /** Devices that connect at the same time. */
  readonly connectsAtOnce?: number;
  /** Of the agents. By default they log nothing. */
  readonly log?: Logger;
  readonly onProgress?: (progress: FleetProgress) => void;
  /** An agent ended by itself: a bug. By default it is thrown where nothing catches it. */
  readonly onFailure?: (device: SimulatedDevice, error: Error) => void;
}

export interface FleetProgress {
  readonly stage: 'identities' | 'connections';
  readonly done: number;
}

const CONNECTS_AT_ONCE = 64;
const CLOSES_AT_ONCE = 256;
/** Each state on disk costs its device two open files. */
const MOST_STATES_ON_DISK = 200;

/** What a fleet is doing. */
export interface FleetSummary {
  readonly devices: Readonly<Record<DeviceState, number>>;
  /** Running containers, by image. */
  readonly running: Readonly<Record<string, number>>;
  /** Containers that ended and are still there. */
  readonly ended: number;
  /** Attempts of the newest containers: how often containers were started again. */
  readonly restarts: number;
}

/** Any number of devices in this process. */
export class Fleet {
  readonly devices: readonly SimulatedDevice[];
  readonly #dir: string;

  private constructor(devices: readonly SimulatedDevice[], dir: string) {
    this.devices = devices;
    this.#dir = dir;
  }

  /**
   * Makes the devices nodes of the hub and switches them on, a bounded number at a time. Resolves when all are connected
   * that the scenario lets connect. The scenario's times count from when the first is switched on.
   */
  static async start(options: FleetOptions): Promise<Fleet> {
    const { size, scenario = {}, seed = 0, namePrefix = 'sim-' } = options;
    const plans = planFleet(scenario, seed, size);
    const newDevices = plans.map(({ index, labels }) => ({ node: `${namePrefix}${index}`, labels }));
    const identities = await identitiesOf(newDevices, {
      hub: options.hub,
      token: options.token,
      kubeconfig: options.kubeconfig,
      caFile: options.caFile,
      onProgress: (done) => options.onProgress?.({ stage: 'identities', done }),
    });
    const dir = mkdtempSync(join(tmpdir(), 'hf-fleet-'));
    const log = options.log ?? pino({ level: 'silent' });
    const startedAtMs = performance.now();
    const devices = identities.map((identity, index) => {
      return new SimulatedDevice({
        identity,
        plan: plans[index] as DevicePlan,
        scenario,
        transport: options.transport,
        dir: join(dir, identity.node),
        stateInMemory: options.stateInMemory ?? size > MOST_STATES_ON_DISK,
        elapsedMs: () => performance.now() - startedAtMs,
        log: log.child({ node: identity.node }),
        onFailure: options.onFailure ?? rethrow,
      });
    });
    const fleet = new Fleet(devices, dir);
    await fleet.#switchOn(options);
    return fleet;
  }

  /** The device of this name. Throws when there is none. */
  device(name: string): SimulatedDevice {
    const found = this.devices.find((device) => device.name === name);
    if (!found) throw new Error(`the fleet has no device "${name}"`);
    return found;
  }

  /** The devices that are in a group of the scenario. */
  group(name: string): SimulatedDevice[] {
    return this.devices.filter(({ plan }) => plan.groups.includes(name));
  }

  summary(): FleetSummary {
    const states: Record<DeviceState, number> = { connected: 0, disconnected: 0, off: 0, lost: 0 };
    const running: Record<string, number> = {};
    let [ended, restarts] = [0, 0];
    for (const device of this.devices) {
      states[device.state] += 1;
      for (const { state, image, attempt } of device.containers) {
        if (state === 'exited') ended += 1;
        if (state !== 'running') continue;
        running[image] = (running[image] ?? 0) + 1;
        restarts += attempt;
      }
    }
    return { devices: states, running, ended, restarts };
  }

  /** Switches all of it off. The hub keeps its Nodes. */
  async close(): Promise<void> {
    const limit = new Limit(CLOSES_AT_ONCE);
    await Promise.all(this.devices.map((device) => limit.run(() => device.close())));
    rmSync(this.#dir, { recursive: true, force: true });
  }

  async #switchOn({ connectsAtOnce = CONNECTS_AT_ONCE, onProgress }: FleetOptions): Promise<void> {
    const limit = new Limit(connectsAtOnce);
    let done = 0;
    const switchOn = async (device: SimulatedDevice) => {
      device.start();
      await device.when(({ state, isCut }) => state === 'connected' || state === 'lost' || isCut);
      done += 1;
      onProgress?.({ stage: 'connections', done });
    };
    await Promise.all(this.devices.map((device) => limit.run(() => switchOn(device))));
  }
}

function rethrow(device: SimulatedDevice, error: Error): never {
  throw new Error(`the agent of "${device.name}" ended by itself`, { cause: error });
}
