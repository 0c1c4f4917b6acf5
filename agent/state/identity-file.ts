import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Identity } from './agent-state.ts';

/**
 * Who the device is, from the file beside the database: that belongs to the agent alone while it runs. Throws when the
 * device has not joined.
 */
export function readIdentityFile(dataDir: string): Identity {
  try {
    return JSON.parse(readFileSync(join(dataDir, 'identity.json'), 'utf8')) as Identity;
  } catch (error) {
    throw new Error(`this device has not joined a hub (data: "${dataDir}")`, { cause: error });
  }
}
