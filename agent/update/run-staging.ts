import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { INSUFFICIENT_DISK } from '../../proto/pod-update.ts';
import type { AgentState } from '../state/agent-state.ts';
import type { StagingOrder } from './stage.ts';
import type { StagingAnswer } from './stage-command.ts';

const FULL: readonly string[] = ['ENOSPC', 'EDQUOT', 'SQLITE_FULL'];

/**
 * Has a process of its own put the version into a slot, on a copy of the state that is removed again. Resolves with why it
 * could not.
 */
export async function runStaging(
  order: StagingOrder,
  state: Pick<AgentState, 'copyTo'>,
  signal: AbortSignal,
): Promise<StagingAnswer | undefined> {
  try {
    mkdirSync(order.stateCopy, { recursive: true, mode: 0o700 });
    state.copyTo(order.stateCopy);
    return await runProcess(order, signal);
  } catch (error) {
    const { message, code = '' } = error as NodeJS.ErrnoException;
    const reason = FULL.includes(code) ? INSUFFICIENT_DISK : 'StagingFailed';
    return { reason, message: `the update could not be prepared on this device: ${message}`, isFinal: false };
  } finally {
    rmSync(order.stateCopy, { recursive: true, force: true });
  }
}

async function runProcess(order: StagingOrder, signal: AbortSignal): Promise<StagingAnswer | undefined> {
  const [, program = ''] = process.argv;
  const child = spawn(process.execPath, [...process.execArgv, program, 'stage-release'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    signal,
    killSignal: 'SIGKILL',
  });
  const ended = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
  child.stdin.on('error', () => undefined); // it has ended, and `ended` tells
  child.stdin.write(`${JSON.stringify(order)}\n`); // it stays open: when this process ends, the other does
  const [answer, [code, killedBy]] = await Promise.all([text(child.stdout), ended]);
  if (code !== 0) throw new Error(`what fetches it ended with ${code ?? killedBy}`);
  return answer === '' ? undefined : (JSON.parse(answer) as StagingAnswer);
}
