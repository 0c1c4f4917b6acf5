import { readFile } from 'node:fs/promises';
import type { ExecState } from './docker-exec.ts';

/**
 * Ends a command in a container, with all that it has started: the engine has no call for that, and what hangs would stay for
 * as long as the container, one more for each probe. Only where this process sees the container's, and may.
 */
export async function endCommand({ Running, Pid }: ExecState, containerId: string): Promise<void> {
  if (!Running || !(Pid > 0)) return;
  // The engine's number may be another process's by now, or here.
  const groups = await readFile(`/proc/${Pid}/cgroup`, 'utf8').catch(() => '');
  if (!groups.includes(containerId)) return;
  for (const pid of await withDescendants(Pid)) kill(pid);
}

/** Of a kernel that does not tell of children: itself alone. */
async function withDescendants(pid: number): Promise<number[]> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  const below = children.trim().split(' ').filter(Boolean).map(Number).map(withDescendants);
  return [pid, ...(await Promise.all(below)).flat()];
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // it has ended, or is not ours to end
  }
}
