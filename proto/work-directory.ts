import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Makes a directory for the work of this process, called `<prefix><process>-…`, and removes those of processes that have
 * ended without doing so. Whoever makes one removes it.
 */
export function makeWorkDirectory(dir: string, prefix: string): string {
  for (const name of abandoned(dir, prefix)) {
    try {
      rmSync(join(dir, name), { recursive: true, force: true });
    } catch {
      // Another user's, or being removed by another: it is in nobody's way.
    }
  }
  return mkdtempSync(join(dir, `${prefix}${process.pid}-`));
}

function abandoned(dir: string, prefix: string): string[] {
  return readdirSync(dir).filter((name) => {
    const [, pid] = /^(\d+)-/.exec(name.startsWith(prefix) ? name.slice(prefix.length) : '') ?? [];
    return pid !== undefined && !isAlive(Number(pid));
  });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
