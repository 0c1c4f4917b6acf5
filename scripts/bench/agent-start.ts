import { readLocalStatus } from '../../agent/local/client.ts';
import { AGENT_FLAGS } from '../local-processes.ts';
import { againstFloor, type Subject } from './bench.ts';
import { deploy, newName, running, undeploy } from './deployment.ts';
import { Program } from './program.ts';
import type { RawEngine } from './raw-engine.ts';
import type { Stand } from './stand.ts';

const PODS = 5;

/** From the start of the agent's process to: connected to the hub, the engine looked at, all 5 pods running. */
export const agentStart: Subject = {
  name: 'agent-start',
  measure: async (bench) => {
    const stands = await bench.stands();
    const name = newName();
    await Promise.all(stands.map((stand) => deploy(stand, name, PODS)));
    const measured = await againstFloor(
      stands,
      bench.repetitions(8, 3),
      bareStart,
      (stand) => () => restartAgent(stand, name, bench.engine),
      {
        name: 'agent process start -> connected and reconciled, 5 pods',
        goal: { type: 'value', most: 500 },
      },
    );
    await Promise.all(stands.map((stand) => undeploy(stand, name)));
    return measured;
  },
};

async function bareStart(): Promise<number> {
  const bare = new Program([...AGENT_FLAGS, '-e', '0']);
  return (await bare.exit()) - bare.startedAtMs;
}

async function restartAgent(stand: Stand, name: string, engine: RawEngine): Promise<number> {
  const before = await startTimes(stand, name, engine);
  await stand.agent.end();
  const agent = stand.startAgent();
  await Promise.all([agent.line('"connected to the hub"'), agent.line('"the container engine answers"')]);
  while (!(await isReconciled(stand.runDir)));
  const ms = performance.now() - agent.startedAtMs;
  const after = await startTimes(stand, name, engine);
  if (after !== before) throw new Error(`an agent's start restarted containers: ${before}, then ${after}`);
  return ms;
}

async function isReconciled(runDir: string): Promise<boolean> {
  const { connected, engineError, pods } = await readLocalStatus(runDir);
  const run = pods.filter(({ status }) => status.phase === 'Running');
  return connected && !engineError && run.length === PODS;
}

/** Of all containers of the pods, once the hub knows that they run: the same means that none was restarted. */
async function startTimes(stand: Stand, name: string, engine: RawEngine): Promise<string> {
  await running(stand, name, PODS);
  const ids = stand.pods.of(name).map((pod) => pod.status?.containerStatuses?.[0]?.containerID ?? '');
  const times = ids.sort().map((id) => engine.startedAt(id.replace('docker://', '')));
  return (await Promise.all(times)).join(' ');
}
