import { chownSync, statSync } from 'node:fs';

const ROOT_USER = 0;

/** The hub has a user of its own, whose the data directory is, and root's commands write there. */
export function giveToHub(path: string, dataDir: string): void {
  if (process.getuid?.() !== ROOT_USER) return;
  const { uid, gid } = statSync(dataDir);
  chownSync(path, uid, gid);
}
