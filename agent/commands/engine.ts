import { type Config, readConfig, readWords } from '../config.ts';
import { createLog } from '../log.ts';
import { AgentState } from '../state/agent-state.ts';
import type { Command } from './command.ts';

/** `holdfast-agent engine …` */
export const engine: Command = async (args, env) => {
  const config = await readConfig(args, env, []);
  const [verb, ...more] = readWords(args, []).words;
  if (verb === 'check' && more.length === 0) {
    const { checkEngine } = await import('../doctor/engine-check.ts');
    console.log(await checkEngine(config.dockerHost));
  } else if (verb === 'remove-containers' && more.length === 0) await removeContainers(config);
  else throw new Error('say "engine check" or "engine remove-containers"');
};

async function removeContainers({ dataDir, runDir, dockerHost, logLevel }: Config): Promise<void> {
  const state = AgentState.open(dataDir, createLog(logLevel, undefined)); // fails while the agent runs
  const node = state.identity()?.node;
  state.close();
  const { removeContainersOf } = await import('../runtime/remove-containers.ts');
  const count = node === undefined ? 0 : await removeContainersOf(node, dockerHost, runDir);
  console.log(`${count} ${count === 1 ? 'container' : 'containers'} of ${node ?? 'this device'} removed`);
}
