import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type Docker from 'dockerode';
import { runtimeError } from './docker-errors.ts';
import { payloadsOf } from './multiplexed.ts';
import { type CommandResult, RuntimeError } from './runtime.ts';

const MAX_OUTPUT_BYTES = 10 * 1024;
/** The engine tells that a command has ended a moment after its output has. */
const ASK_AFTER_MS = [0, 5, 10, 20, 50, 100, 200, 500, 1_000];

/** As Runtime.exec. */
export async function runCommand(
  container: Docker.Container,
  command: readonly string[],
  signal: AbortSignal,
): Promise<CommandResult> {
  const options = { Cmd: [...command], AttachStdout: true, AttachStderr: true, abortSignal: signal };
  const exec = await answerOf('exec in container', () => container.exec(options), signal);
  const stream = await answerOf('start exec', () => exec.start({ abortSignal: signal }), signal);
  try {
    const output = await readSome(stream as Readable, signal);
    return { exitCode: await exitCodeOf(exec, signal), output };
  } catch (error) {
    if (signal.aborted) void endOf(exec, container.id);
    throw error;
  }
}

/** Who gave up does not wait for it, nor care whether it could be done. */
async function endOf(exec: Docker.Exec, containerId: string): Promise<void> {
  const { endCommand } = await import('./end-command.ts'); // few commands hang
  await endCommand(exec, containerId).catch(() => {});
}

/** Of a command whose output is over. Waits for its end: a command may close its output long before. */
export async function exitCodeOf(exec: Docker.Exec, signal: AbortSignal): Promise<number> {
  for (let attempt = 0; ; attempt += 1) {
    const inspect = () => exec.inspect({ abortSignal: signal });
    const { Running, ExitCode } = await answerOf('inspect exec', inspect, signal);
    if (!Running && ExitCode !== null) return ExitCode;
    await sleep(ASK_AFTER_MS[Math.min(attempt, ASK_AFTER_MS.length - 1)], undefined, { signal });
  }
}

/** When it does not come in time, that is the engine's fault, and not the command's. */
async function answerOf<T>(what: string, call: () => Promise<T>, signal: AbortSignal): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (!signal.aborted) throw runtimeError(what, error);
    throw new RuntimeError('engine-down', `${what}: the engine did not answer in time`, { cause: error });
  }
}

/** Reads a framed stream to its end but keeps only the first bytes. */
async function readSome(stream: Readable, signal: AbortSignal): Promise<string> {
  const abort = () => stream.destroy(signal.reason as Error);
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  let kept = Buffer.alloc(0);
  try {
    for await (const chunk of payloadsOf(stream)) {
      if (kept.length < MAX_OUTPUT_BYTES) kept = Buffer.concat([kept, chunk]).subarray(0, MAX_OUTPUT_BYTES);
    }
  } finally {
    signal.removeEventListener('abort', abort);
  }
  return kept.toString();
}
