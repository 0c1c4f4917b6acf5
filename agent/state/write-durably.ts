import { closeSync, fsyncSync, openSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** The file is either as before or complete, also when the power goes: written aside, synced, renamed, synced. */
export function writeDurably(path: string, bytes: Uint8Array): void {
  const aside = `${path}.tmp`;
  writeFileSync(aside, bytes, { mode: 0o600, flush: true });
  renameSync(aside, path);
  const directory = openSync(dirname(path), 'r');
  fsyncSync(directory);
  closeSync(directory);
}
