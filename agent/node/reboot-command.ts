import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

const KEPT_BYTES = 4096;
const MOST_CHARACTERS = 300;
/** What a program has written before it ended arrives at once; who else has its standard error may keep that for ever. */
const LAST_WORDS_MS = 1_000;
/** How a device that goes down ends its programs. */
const GOING_DOWN: readonly (NodeJS.Signals | null)[] = ['SIGTERM', 'SIGKILL', 'SIGHUP'];

/**
 * Runs the command of the device's owner, without a shell. Resolves with why it failed; undefined when it ended well or
 * together with all else.
 */
export async function runRebootCommand(command: readonly string[]): Promise<string | undefined> {
  try {
    return await run(command);
  } catch (error) {
    return `the command "${command[0]}" cannot be run: ${(error as Error).message}`;
  }
}

async function run([program = '', ...args]: readonly string[]): Promise<string | undefined> {
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(0, KEPT_BYTES);
  });
  const closed = once(child, 'close').catch(() => []);
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  if (code === 0 || GOING_DOWN.includes(signal)) return undefined;
  await Promise.race([closed, sleep(LAST_WORDS_MS, undefined, { ref: false })]);
  child.stderr.destroy();
  return failureText(program, code ?? signal, said);
}

/** Pure. */
function failureText(program: string, end: number | string | null, said: string): string {
  const how = typeof end === 'number' ? `exit code ${end}` : end;
  const firstLine = said
    .split('\n')
    .map((line) => line.trim())
    .find((line) => line !== '');
  return `the command "${program}" ended with ${how}${firstLine ? `: ${firstLine.slice(0, MOST_CHARACTERS)}` : ''}`;
}
