import { readConfig } from '../config.ts';
import { readLocalStatus } from '../local/client.ts';
import { formatStatus } from '../local/status.ts';
import { readJoining } from '../state/joining.ts';
import { approveWith } from './approve-with.ts';
import type { Command } from './command.ts';

/** `holdfast-agent status`: of the agent that runs, or of the device that waits to join. */
export const status: Command = async (args, env) => {
  const config = await readConfig(args, env);
  const isJson = config.output === 'json';
  try {
    const found = await readLocalStatus(config.runDir);
    console.log(isJson ? JSON.stringify(found, undefined, 2) : formatStatus(found));
  } catch (error) {
    const { node, hub, waits } = readJoining(config.dataDir) ?? {};
    if (!waits) throw error;
    console.log(
      isJson
        ? JSON.stringify({ node, hub, waitsForApproval: waits }, undefined, 2)
        : `Node:     ${node}, not joined yet\nHub:      ${hub}: waits for approval since ${waits.since} (request ${waits.request})\n          ${approveWith(node ?? '')}`,
    );
  }
};
