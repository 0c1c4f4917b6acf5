import { readConfig, readWords } from '../config.ts';
import { leaseCommand } from '../local/lease-command.ts';
import type { Command } from './command.ts';

const FLAGS = ['for', 'pod', 'reason'];

/** `holdfast-agent lease …` */
export const lease: Command = async (args, env) => {
  const { runDir, output } = await readConfig(args, env, FLAGS);
  console.log(await leaseCommand(runDir, readWords(args, FLAGS), output));
};
