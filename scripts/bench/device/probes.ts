import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { transformSync } from 'esbuild';
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import { AGENT_FLAGS, agentEnvironment } from '../../local-processes.ts';
import type { Bench, Subject } from '../bench.ts';
import { deploy, newName, undeploy } from '../deployment.ts';
import { isReady } from '../pod-watch.ts';
import { type Memory, Program } from '../program.ts';
import type { Goal, Measurement, Unit } from '../result.ts';
import type { Stand } from '../stand.ts';
import type { ProbeWork } from './probe-floor.ts';

const FLOOR = join(import.meta.dirname, 'probe-floor.ts');
const PODS = 30;
const PERIOD_SECONDS = 10;
const PORT = 8080;
const PATH = '/passwd';
const COMMAND = ['true'];
/** The floor has all its turns at once, and thirty commands at once take the engine longer than the usual second. */
const TIMEOUT_SECONDS = 5;

const PROBE = { periodSeconds: PERIOD_SECONDS, timeoutSeconds: TIMEOUT_SECONDS };
const PROBED = {
  command: ['httpd', '-f', '-p', String(PORT), '-h', '/etc'],
  livenessProbe: { ...PROBE, exec: { command: COMMAND } },
  readinessProbe: { ...PROBE, httpGet: { path: PATH, port: PORT } },
};

interface Window extends Memory {
  readonly cpuMsPerRound: number;
}

/** What an agent uses whose 30 pods have a probe that is a command and one that is a request, every 10 s. */
export const probes: Subject = {
  name: 'probes',
  measure: async (bench) => {
    const measured: Measurement[] = [];
    for (const transport of bench.transports) {
      const stand = await bench.newStand(transport);
      measured.push(...(await measureOn(stand, bench)));
      await stand.close();
    }
    return measured;
  },
};

async function measureOn(stand: Stand, bench: Bench): Promise<Measurement[]> {
  const name = newName();
  await deploy(stand, name, PODS, { container: PROBED });
  await stand.pods.until(name, 'is ready', (pods) => pods.every(isReady), PODS * TIMEOUT_SECONDS * 1000);
  await stand.restartAgent();
  const floor = startFloor(stand.pods.of(name), bench);
  try {
    await floor.line('"the probes begin"');
    await setTimeout(2 * PERIOD_SECONDS * 1000);
    const [agents, floors]: [Window[], Window[]] = [[], []];
    for (let turn = 0; turn < bench.repetitions(5, 2); turn += 1) {
      const [agent, bare] = await observe([stand.agent, floor], bench.isQuick ? 2 : 6);
      if (agent) agents.push(agent);
      if (bare) floors.push(bare);
    }
    mustNotHaveFailed(stand.pods.of(name));
    return rows(stand.transport, agents, floors);
  } finally {
    await floor.end('SIGKILL');
    await undeploy(stand, name);
  }
}

/** With the flags and the variables of the agent: what is compared is the work. */
function startFloor(pods: readonly Pod[], { engine }: Bench): Program {
  const work: ProbeWork = {
    socketPath: engine.socketPath,
    containers: pods.map(({ status }) => ({
      id: status?.containerStatuses?.[0]?.containerID?.replace(/^\w+:\/\//, '') ?? '',
      ip: status?.podIP ?? '',
    })),
    ...{ command: COMMAND, port: PORT, path: PATH, periodMs: PERIOD_SECONDS * 1000 },
  };
  // What takes the types away when a program starts would be most of its memory.
  const { code } = transformSync(readFileSync(FLOOR, 'utf8'), { loader: 'ts', format: 'esm' });
  const args = [...AGENT_FLAGS, '--input-type=module', '-e', code, JSON.stringify(work)];
  return new Program(args, agentEnvironment() as Record<string, string>);
}

/** Both over the same rounds, so that the engine is as busy for one as for the other. */
async function observe(programs: readonly Program[], rounds: number): Promise<Window[]> {
  await setTimeout(Math.random() * PERIOD_SECONDS * 1000);
  const before = programs.map((program) => program.cpuSeconds());
  await setTimeout(rounds * PERIOD_SECONDS * 1000);
  return programs.map((program, index) => ({
    ...program.memory(),
    cpuMsPerRound: (1000 * (program.cpuSeconds() - (before[index] ?? Number.NaN))) / rounds,
  }));
}

/** A probe that fails costs something else than one that does not. */
function mustNotHaveFailed(pods: readonly Pod[]): void {
  const restarts = pods.flatMap(({ status }) => status?.containerStatuses ?? []);
  if (!pods.every(isReady) || restarts.some(({ restartCount }) => restartCount > 0))
    throw new Error('probes have failed: is the machine busy with something else?');
}

function rows(variant: string, agents: readonly Window[], floors: readonly Window[]): Measurement[] {
  const name = `agent, ${PODS} pods, an HTTP and an exec probe each every ${PERIOD_SECONDS} s`;
  const row = (what: string, unit: Unit, field: keyof Window, goal: Goal): Measurement => ({
    ...{ name: `${name}: ${what}`, variant, unit, goal },
    samples: agents.map((window) => window[field]),
    floor: floors.map((window) => window[field]),
  });
  return [
    row('RSS', 'MiB', 'rssMib', { type: 'value', most: 75 }),
    row('anonymous', 'MiB', 'anonymousMib', { type: 'value', most: 30 }),
    row('CPU for all once', 'ms', 'cpuMsPerRound', { type: 'ratio', most: 1.5 }),
  ];
}
