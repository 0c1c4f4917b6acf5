import { bundleCommand } from '../bundle/bundle-command.ts';
import { readConfig, readWords } from '../config.ts';
import type { Command } from './command.ts';

/** `holdfast-agent bundle …` */
export const bundle: Command = async (args, env) => {
  const config = await readConfig(args, env, []);
  console.log(await bundleCommand(readWords(args, []).words, config));
};
