import { readConfig } from '../config.ts';
import { printSlowFacts } from '../node/slow-facts.ts';
import type { Command } from './command.ts';

/** `holdfast-agent facts`: what takes a while to find out of the device. */
export const facts: Command = async (args, env) => {
  await readConfig(args, env);
  await printSlowFacts();
};
