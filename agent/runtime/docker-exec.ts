import { setTimeout as sleep } from 'node:timers/promises';
import { payloadIn } from './multiplexed.ts';
import { callPlainly, type EngineAddress, type PlainCall } from './plain-call.ts';
import { type CommandResult, RuntimeError } from './runtime.ts';
import { pause, type StopSignal } from './stop-signal.ts';

const MAX_OUTPUT_BYTES = 10 * 1024;
/** Each byte may come in a frame of its own, which has eight more. */
const MAX_FRAMED_BYTES = 9 * MAX_OUTPUT_BYTES;
/** Of what the engine says of a command. */
const MAX_ANSWER_BYTES = 1024 * 1024;
/** The engine tells that a command has ended a moment after its output has. */
const ASK_AFTER_MS = [0, 5, 10, 20, 50, 100, 200, 500, 1_000];
/** How long the engine is asked about a command that is to be ended. */
const END_MS = 10_000;
/** An engine that takes longer to say whether a command still runs knew nothing of the command's end either. */
const SAY_WITHIN_MS = 1_000;

/** What the engine says of a command. */
export interface ExecState {
  readonly Running: boolean;
  readonly ExitCode: number | null;
  /** As the engine sees it. */
  readonly Pid: number;
}

/** As Runtime.exec. */
export async function runCommand(
  engine: EngineAddress,
  containerId: string,
  command: readonly string[],
  signal: StopSignal,
  onStart: () => void = () => {},
): Promise<CommandResult> {
  const made = await callPlainly(engine, toMake(containerId, command), signal);
  const { Id } = JSON.parse(made.toString()) as { Id: string };
  const inspect = async (until: StopSignal) =>
    JSON.parse((await callPlainly(engine, toInspect(Id), until)).toString()) as ExecState;
  let hasStarted = false;
  const onAnswer = () => {
    hasStarted = true;
    onStart();
  };
  try {
    const output = payloadIn(await callPlainly(engine, { ...toStart(Id), onAnswer }, signal));
    return {
      exitCode: await exitCodeOf(() => inspect(signal), signal),
      output: output.toString('utf8', 0, MAX_OUTPUT_BYTES),
    };
  } catch (error) {
    if (!signal.aborted) throw error;
    const state = inspect(AbortSignal.timeout(END_MS));
    void endOf(state, containerId);
    if (!hasStarted) throw error;
    if (await runsStill(state)) throw signal.reason;
    throw new RuntimeError('engine-down', 'exec in container: the engine did not tell of its end in time');
  }
}

/** Who hangs, where a command was given up: the command (true), or the engine that has it. */
async function runsStill(state: Promise<ExecState>): Promise<boolean> {
  const late = sleep(SAY_WITHIN_MS, false, { ref: false });
  return Promise.race([
    state.then(
      ({ Running }) => Running,
      () => false,
    ),
    late,
  ]);
}

/** Of a command whose output is over. Waits for its end: a command may close its output long before. */
export async function exitCodeOf(
  inspect: () => Promise<Pick<ExecState, 'Running' | 'ExitCode'>>,
  signal: StopSignal,
): Promise<number> {
  for (let attempt = 0; ; attempt += 1) {
    const { Running, ExitCode } = await inspect();
    if (!Running && ExitCode !== null) return ExitCode;
    await pause(ASK_AFTER_MS[Math.min(attempt, ASK_AFTER_MS.length - 1)] ?? 0, signal);
  }
}

/** Who gave up does not wait for it, nor care whether it could be done. */
async function endOf(state: Promise<ExecState>, containerId: string): Promise<void> {
  const ended = Promise.all([state, import('./end-command.ts')]); // few commands hang
  await ended.then(([known, { endCommand }]) => endCommand(known, containerId)).catch(() => {});
}

const toMake = (containerId: string, command: readonly string[]): PlainCall => ({
  ...{ what: 'exec in container', method: 'POST', path: `/containers/${containerId}/exec` },
  body: { Cmd: command, AttachStdout: true, AttachStderr: true },
  mostBytes: MAX_ANSWER_BYTES,
});

const toStart = (id: string): PlainCall => ({
  ...{ what: 'start exec', method: 'POST', path: `/exec/${id}/start` },
  body: { Detach: false, Tty: false },
  mostBytes: MAX_FRAMED_BYTES,
});

const toInspect = (id: string): PlainCall => ({
  ...{ what: 'inspect exec', method: 'GET', path: `/exec/${id}/json`, mostBytes: MAX_ANSWER_BYTES },
});
