import { readFileSync, rmSync, writeFileSync } from 'node:fs';

/**
 * Does the work while no other process on this machine does such work: a file holds the number of who does. What a process
 * left that was killed counts no more. Rejects when somebody else is at it.
 */
export async function exclusively<T>(file: string, work: () => Promise<T>): Promise<T> {
  const other = holderOf(file);
  if (other !== undefined) {
    if (isRunning(other))
      throw new Error(`another command (process ${other}) changes the images: try again when it has ended`);
    rmSync(file, { force: true });
  }
  try {
    writeFileSync(file, String(process.pid), { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new Error('another command changes the images: try again when it has ended');
  }
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}

function holderOf(file: string): number | undefined {
  try {
    return Number(readFileSync(file, 'utf8')) || undefined;
  } catch {
    return undefined; // nobody
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
