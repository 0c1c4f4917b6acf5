import type { Call, Flag } from '../cli/command.ts';
import { readHubSettings } from '../config.ts';

/* For commands that work on the files of a hub on this machine. */

export const DATA_DIR: Readonly<Record<string, Flag>> = {
  'data-dir': { type: 'string', value: 'DIR', about: "the hub's data (as its settings say)" },
};

export async function dataDirOf(call: Call): Promise<string> {
  return call.text('data-dir') ?? (await readHubSettings({}, call.surroundings.env)).dataDir;
}
