import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { until } from './until.ts';

/** The arguments of a process, its program first; undefined when there is none with this id. */
export function commandOf(pid: number): string[] | undefined {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
    // One that has ended and waits for its parent has no arguments left.
    return words.length > 0 ? words : undefined;
  } catch {
    return undefined;
  }
}

/** The process that a file names, if it lives and `isIt` knows it: ids are used again by other programs. */
export function runningPid(
  pidFile: string,
  isIt: (command: readonly string[]) => boolean,
): number | undefined {
  const pid = readPid(pidFile);
  const command = pid === undefined ? undefined : commandOf(pid);
  return command && isIt(command) ? pid : undefined;
}

function readPid(pidFile: string): number | undefined {
  try {
    const text = readFileSync(pidFile, 'utf8').trim();
    return /^[1-9]\d*$/.test(text) ? Number(text) : undefined;
  } catch {
    return undefined;
  }
}

export interface Daemon {
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly logFile: string;
  readonly pidFile: string;
}

export interface StartedDaemon {
  readonly pid: number;
  /** What it ended with, once it has. */
  ended(): string | undefined;
  /** Resolves with what it ended with. Waiting for it does not keep this process alive. */
  readonly end: Promise<string>;
}

/** Starts a process that outlives this one and is not reached by its Ctrl-C. */
export function startDaemon({ program, args, env = process.env, logFile, pidFile }: Daemon): StartedDaemon {
  mkdirSync(dirname(logFile), { recursive: true });
  const log = openSync(logFile, 'a');
  const child = spawn(program, args, { detached: true, stdio: ['ignore', log, log], env });
  closeSync(log);
  child.unref();
  let ending: string | undefined;
  const end = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(signal ? `ended by ${signal}` : `exit code ${code}`));
  }).then((text) => {
    ending = text;
    return text;
  });
  const { pid = 0 } = child;
  if (pid > 0) writeFileSync(pidFile, `${pid}\n`);
  return { pid, ended: () => ending, end };
}

const STOP_TIMEOUT_MS = 10_000;

/** Ends the process that the file names, politely first, and removes the file. Resolves with whether there was one. */
export async function stopProcess(
  pidFile: string,
  isIt: (command: readonly string[]) => boolean,
  timeoutMs = STOP_TIMEOUT_MS,
): Promise<boolean> {
  const pid = runningPid(pidFile, isIt);
  if (pid !== undefined) {
    const isGone = () => commandOf(pid) === undefined;
    signal(pid, 'SIGTERM');
    if (!(await until(isGone, timeoutMs))) {
      signal(pid, 'SIGKILL');
      await until(isGone, timeoutMs);
    }
  }
  rmSync(pidFile, { force: true });
  return pid !== undefined;
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    // Gone in the meantime is what was wanted.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH')
      throw new Error(`process ${pid} may not be stopped by this user: run this as the user who started it`, {
        cause: error,
      });
  }
}

/** The last lines of a log, from `offset` on. */
export function lastLines(logFile: string, offset = 0, count = 8): string {
  return readFrom(logFile, offset).trimEnd().split('\n').slice(-count).join('\n');
}

/** A log from `offset` on; empty when it is not there. */
export function readFrom(logFile: string, offset: number): string {
  try {
    return readFileSync(logFile).subarray(offset).toString();
  } catch {
    return '';
  }
}
