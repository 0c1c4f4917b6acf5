import { checkFile, schemaText } from '../../proto/settings/config-command.ts';
import { CONFIG_FILE, readWords, SETTINGS } from '../config.ts';
import type { Command } from './command.ts';

/** `holdfast-agent config …`: also where the settings are wrong. */
export const config: Command = async (args) => {
  const [verb, path, ...more] = readWords(args, []).words;
  if (verb === 'check' && more.length === 0) console.log(await checkFile(SETTINGS, path ?? CONFIG_FILE.path));
  else if (verb === 'schema' && path === undefined)
    console.log(schemaText(SETTINGS, 'Settings of holdfast-agent'));
  else throw new Error('say "config check [FILE]" or "config schema"');
};
