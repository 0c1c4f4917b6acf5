import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Call, Flag } from '../cli/command.ts';
import { readHubSettings } from '../config.ts';

/* For commands that work on the files of a hub on this machine. */

export const DATA_DIR: Readonly<Record<string, Flag>> = {
  'data-dir': { type: 'string', value: 'DIR', about: "the hub's data (as its settings say)" },
};

export async function dataDirOf(call: Call): Promise<string> {
  return call.text('data-dir') ?? (await readHubSettings({}, call.surroundings.env)).dataDir;
}

/** For commands that change something there. Rejects where no hub has its data: a directory is easily misspelt. */
export async function hubDataOf(call: Call): Promise<string> {
  const dir = await dataDirOf(call);
  if (existsSync(join(dir, 'ca.json'))) return dir;
  throw new Error(
    `no hub has its data in "${dir}": --data-dir must name the directory of one, which has started at least once`,
  );
}
