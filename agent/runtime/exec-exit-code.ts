import { setTimeout as sleep } from 'node:timers/promises';
import type Docker from 'dockerode';

/** The engine tells that a command has ended a moment after its output has. */
const ASK_AFTER_MS = [0, 5, 10, 20, 50, 100, 200, 500, 1_000];

/** Of a command whose output is over. Waits for its end: a command may close its output long before. */
export async function exitCodeOf(exec: Docker.Exec, signal: AbortSignal): Promise<number> {
  for (let attempt = 0; ; attempt += 1) {
    const { Running, ExitCode } = await exec.inspect();
    if (!Running && ExitCode !== null) return ExitCode;
    await sleep(ASK_AFTER_MS[Math.min(attempt, ASK_AFTER_MS.length - 1)], undefined, { signal });
  }
}
