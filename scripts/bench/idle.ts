import { setTimeout } from 'node:timers/promises';
import { AGENT_FLAGS } from '../local-processes.ts';
import type { Subject } from './bench.ts';
import { deploy, newName } from './deployment.ts';
import { type Memory, Program } from './program.ts';
import type { Goal, Measurement, Unit } from './result.ts';
import type { Stand, Transport } from './stand.ts';

const PODS = 5;
/** Namespaces, ConfigMaps and so on are filled up to this number, events not counted. */
const OBJECTS = 20;
const COPIES = 3;

interface Usage extends Memory {
  readonly cpuPercent: number;
}

/** What a hub of one node and 20 objects, and an agent with 5 pods, use while nothing happens. */
export const idle: Subject = {
  name: 'idle',
  measure: async (bench) => {
    const copies = bench.repetitions(COPIES, 1);
    const transports = bench.transports.flatMap((transport) =>
      Array.from({ length: copies }, () => transport),
    );
    const stands = await Promise.all(transports.map((transport) => bench.newStand(transport)));
    for (const stand of stands) await fill(stand);
    // An agent of a device that has just booted, but for one: that one started its pods itself.
    const [veteran] = bench.isQuick ? [] : [await bench.newStand(bench.transports[0] ?? 'mqtt')];
    if (veteran) await fill(veteran);
    for (const stand of stands) await stand.restartAgent();
    const bare = Array.from({ length: copies }, () => bareNode());

    await setTimeout(bench.isQuick ? 5_000 : 15_000);
    const agents = stands.map(({ agent }) => agent);
    const hubs = stands.map(({ hub }) => hub);
    const all = [...agents, ...hubs, ...bare, ...(veteran ? [veteran.agent] : [])];
    const usages = await observe(all, bench.isQuick ? 10_000 : 30_000);
    const of = (programs: readonly Program[]) => programs.flatMap((program) => usages.get(program) ?? []);
    const floor = of(bare);
    await Promise.all(bare.map((program) => program.end('SIGKILL')));
    await Promise.all([...stands, ...(veteran ? [veteran] : [])].map((stand) => stand.close()));

    const over = (programs: readonly Program[], transport: Transport) =>
      of(programs.filter((_, index) => stands[index]?.transport === transport));
    return [
      ...bench.transports.flatMap((transport) => agentRows(transport, over(agents, transport), floor)),
      ...(veteran ? veteranRows(of([veteran.agent]), floor, veteran.transport) : []),
      ...bench.transports.flatMap((transport) => hubRows(transport, over(hubs, transport))),
    ];
  },
};

async function fill(stand: Stand): Promise<void> {
  await deploy(stand, newName(), PODS);
  const missing = OBJECTS - (await countObjects(stand));
  for (let index = 0; index < missing; index += 1) {
    const metadata = { name: `bench-${index}`, namespace: 'default' };
    const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { key: 'value' } };
    await stand.api.call('POST', '/api/v1/namespaces/default/configmaps', body);
  }
}

const COUNTED = [
  ...['namespaces', 'nodes', 'pods', 'configmaps', 'secrets', 'serviceaccounts'].map(
    (name) => `/api/v1/${name}`,
  ),
  ...['deployments', 'replicasets', 'daemonsets'].map((name) => `/apis/apps/v1/${name}`),
  '/apis/coordination.k8s.io/v1/leases',
];

async function countObjects({ api }: Stand): Promise<number> {
  const lists = await Promise.all(COUNTED.map((path) => api.call('GET', path)));
  return lists.reduce((sum, { items }) => sum + (items as unknown[]).length, 0);
}

function bareNode(): Program {
  return new Program([...AGENT_FLAGS, '-e', 'setInterval(() => {}, 1000)']);
}

/** Memory now, processor over the time that follows. */
async function observe(programs: readonly Program[], durationMs: number): Promise<Map<Program, Usage>> {
  const before = programs.map((program) => ({
    memory: program.memory(),
    cpu: program.cpuSeconds(),
    atMs: performance.now(),
  }));
  await setTimeout(durationMs);
  return new Map(
    programs.map((program, index) => {
      const { memory, cpu, atMs } = before[index] as (typeof before)[number];
      const seconds = (performance.now() - atMs) / 1000;
      return [program, { ...memory, cpuPercent: (100 * (program.cpuSeconds() - cpu)) / seconds }];
    }),
  );
}

const at = (most: number): Goal => ({ type: 'value', most });

function agentRows(variant: string, usages: readonly Usage[], floor: readonly Usage[]): Measurement[] {
  const name = 'agent, connected, 5 pods, idle';
  return [
    row(`${name}: RSS`, variant, 'MiB', usages, floor, 'rssMib', at(64)),
    row(`${name}: anonymous`, variant, 'MiB', usages, floor, 'anonymousMib', at(22)),
    row(`${name}: CPU of a core`, variant, '%', usages, floor, 'cpuPercent', at(0.2)),
  ];
}

function veteranRows(usages: readonly Usage[], floor: readonly Usage[], variant: string): Measurement[] {
  const name = 'the same, not restarted after the pods came';
  return [
    row(`${name}: RSS`, variant, 'MiB', usages, floor, 'rssMib', undefined),
    row(`${name}: anonymous`, variant, 'MiB', usages, floor, 'anonymousMib', undefined),
  ];
}

function hubRows(variant: string, usages: readonly Usage[]): Measurement[] {
  const name = 'hub, 1 node, 20 objects, idle';
  return [
    row(`${name}: RSS`, variant, 'MiB', usages, [], 'rssMib', at(150)),
    row(`${name}: CPU of a core`, variant, '%', usages, [], 'cpuPercent', at(0.5)),
  ];
}

function row(
  name: string,
  variant: string,
  unit: Unit,
  usages: readonly Usage[],
  floor: readonly Usage[],
  field: keyof Usage,
  goal: Goal | undefined,
): Measurement {
  const values = (some: readonly Usage[]) => some.map((usage) => usage[field]);
  return { name, variant, unit, samples: values(usages), floor: values(floor), goal };
}
