import { bundle } from '../../bundle.ts';
import type { Scenario } from '../../fleet-sim/scenario.ts';
import type { Goal, Measurement, Unit } from '../result.ts';
import { FleetStand } from './stand.ts';

const SIZES = [1_000, 3_000, 10_000];
const QUICK_SIZES = [300, 1_000];
const DARK_SHARE = 0.1;
const CANARY = 10;
const COMMAND_TURNS = 9;

const FLEET = '/apis/fleet.holdfast.dev/v1/namespaces/default';
const SETS = '/apis/apps/v1/namespaces/default/daemonsets';

/** Devices that take a few milliseconds for what an engine takes a quarter of a second for: the hub is measured. */
const SCENARIO: Scenario = {
  all: { createMs: [2, 10], startMs: [5, 30], stopMs: 5 },
  images: {
    'app:1': { present: true },
    'app:2': { sizeBytes: 1_000, pullMs: [5, 50] },
    'app:bad': { sizeBytes: 1_000, pullMs: [5, 50], exit: { afterMs: [10, 50], code: 1 } },
  },
  groups: [{ name: 'dark', share: DARK_SHARE, dark: [{ fromMs: 0 }] }],
};

const POLICY = {
  apiVersion: 'fleet.holdfast.dev/v1',
  kind: 'RolloutPolicy',
  metadata: { name: 'bench', namespace: 'default' },
  spec: {
    waves: [
      { name: 'canary', limit: CANARY },
      { name: 'pilot', limit: '20%' },
    ],
    gates: { health: { minHealthy: '1s', maxRestarts: 0 } },
    deadline: { perDeviceApply: '5m' },
  },
};

const daemonSet = (image: string) => ({
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: {
    name: 'app',
    namespace: 'default',
    annotations: { 'fleet.holdfast.dev/rollout-policy': 'bench' },
  },
  spec: {
    selector: { matchLabels: { app: 'app' } },
    template: {
      metadata: { labels: { app: 'app' } },
      spec: { terminationGracePeriodSeconds: 0, containers: [{ name: 'main', image }] },
    },
  },
});

interface RolloutSeen {
  readonly status?: {
    readonly phase?: string;
    readonly succeeded?: number;
    readonly failed?: number;
    readonly waves?: readonly { readonly devices: number }[];
  };
}

interface SetSeen {
  readonly status?: { readonly numberReady?: number };
}

export interface RolloutOptions {
  readonly isQuick: boolean;
  readonly profileDir: string | undefined;
}

/** What rollouts over simulated fleets take: time, and work of the hub for each device. */
export async function measureRollouts(
  { isQuick, profileDir }: RolloutOptions,
  open: { close(): Promise<void> | void }[],
): Promise<Measurement[]> {
  await bundle();
  const measured: Measurement[] = [];
  const perDevice: number[] = [];
  for (const size of isQuick ? QUICK_SIZES : SIZES) {
    console.log(`rollout: ${size} devices connect ...`);
    const stand = await FleetStand.start(size, SCENARIO, profileDir);
    open.push(stand);
    console.log(`rollout: ${size} devices ...`);
    measured.push(...(await measureFleet(stand, size, perDevice)));
    open.splice(open.indexOf(stand), 1);
    await stand.close();
  }
  return measured;
}

async function measureFleet(stand: FleetStand, size: number, perDevice: number[]): Promise<Measurement[]> {
  const there = Math.round(size * (1 - DARK_SHARE));
  await stand.api.call('POST', `${FLEET}/rolloutpolicies`, POLICY);
  await stand.api.call('POST', SETS, daemonSet('app:1'));
  await stand.until('the first revision runs', async () => {
    const { status } = (await stand.get<SetSeen>(`${SETS}/app`)) ?? {};
    return status?.numberReady === there ? status : undefined;
  });
  const cpuBefore = stand.hub.cpuSeconds();
  const startedMs = performance.now();
  await setImage(stand, 'app:2');
  const done = await untilPhase(stand, 'app-2', 'Succeeded');
  const seconds = (performance.now() - startedMs) / 1000;
  const cpuMs = ((stand.hub.cpuSeconds() - cpuBefore) * 1000) / size;
  perDevice.push(cpuMs);
  if (done.status?.succeeded !== there)
    throw new Error(`${done.status?.succeeded} devices have the revision, ${there} should`);
  const { rssMib } = stand.hub.memory();
  await setImage(stand, 'app:bad');
  const bad = await untilPhase(stand, 'app-3', 'Paused');
  const touched = bad.status?.waves?.[0]?.devices ?? Number.NaN; // who was in the canary may have been touched
  await stand.until('all run what they ran', async () => {
    const { status } = (await stand.get<SetSeen>(`${SETS}/app`)) ?? {};
    return status?.numberReady === there ? status : undefined;
  });
  const isLargest = size === SIZES.at(-1);
  const [first = cpuMs] = perDevice;
  const asked = async (name: string, ...args: string[]) => {
    const samples: number[] = [];
    for (let turn = 0; turn < COMMAND_TURNS; turn++) samples.push(await stand.command('rollout', ...args));
    const goal = isLargest ? most(300) : undefined;
    return {
      ...row(`holdfast rollout ${name}, ${size} devices, its process included`, 'ms', 0, goal),
      samples,
    };
  };
  const commands = [
    await asked('status', 'status', 'app-2'),
    await asked('explain', 'explain', 'sim-7', 'ds/app'),
  ];
  return [
    row(`three waves over ${size} devices, 10 % dark`, 's', seconds, isLargest ? most(120) : undefined),
    {
      ...row(`hub's processor for each of ${size} devices`, 'ms', cpuMs, undefined),
      floor: [first],
      goal: { type: 'ratio', most: 1.5 },
    },
    row(`hub's RSS, ${size} devices`, 'MiB', rssMib, most(1_536)),
    row(`a bad revision: devices touched, of ${size}`, '', touched, most(CANARY)),
    ...commands,
  ];
}

async function setImage(stand: FleetStand, image: string): Promise<void> {
  await stand.api.call('PUT', `${SETS}/app`, daemonSet(image));
}

function untilPhase(stand: FleetStand, name: string, phase: string): Promise<RolloutSeen> {
  return stand.until(`rollout ${name} is ${phase}`, async () => {
    const rollout = await stand.get<RolloutSeen>(`${FLEET}/rollouts/${name}`);
    const seen = rollout?.status?.phase;
    if (seen === 'Paused' && phase !== 'Paused') throw new Error(`it is paused: ${JSON.stringify(rollout)}`);
    return seen === phase ? rollout : undefined;
  });
}

function row(name: string, unit: Unit, sample: number, goal: Goal | undefined): Measurement {
  return { name, variant: 'mqtt', unit, samples: [sample], floor: [], goal };
}

function most(value: number): Goal {
  return { type: 'value', most: value };
}
