import { createLog } from '../log.ts';
import { AgentState } from '../state/agent-state.ts';
import { agentVersion } from '../version.ts';
import type { Command } from './command.ts';

/** `holdfast-agent self-test`: that this program works here: with its native addon, on a copy of what an agent must not forget. Prints its version. */
export const selfTest: Command = async ([dir]) => {
  if (dir === undefined) throw new Error('a directory with a copy of the state must be named');
  const state = AgentState.open(dir, createLog('silent', undefined));
  const identity = state.identity();
  state.close();
  if (!identity) throw new Error('the identity of this device can not be read from a copy of its state');
  await Promise.all([import('./run.ts'), import('../agent.ts')]); // all that an agent begins with
  console.log(agentVersion().replace(/^v/, ''));
};
