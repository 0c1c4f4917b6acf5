import type { Duplex } from 'node:stream';
import type Docker from 'dockerode';
import { exitCodeOf } from './docker-exec.ts';
import { framesOf } from './multiplexed.ts';
import type { AttachedProcess, AttachOptions, ExecOptions, OutputChunk } from './runtime.ts';
import { writeAll } from './write-all.ts';

const STDOUT = 1;

/** Runs a command in a container, joined to the caller. */
export async function execAttached(
  container: Docker.Container,
  { command, stdin, stdout, stderr, tty }: ExecOptions,
  signal: AbortSignal,
): Promise<AttachedProcess> {
  const exec = await container.exec({
    Cmd: [...command],
    AttachStdin: stdin,
    AttachStdout: stdout,
    AttachStderr: stderr && !tty,
    Tty: tty,
    abortSignal: signal,
  });
  // Joined to stdout in any case: the end of the connection is how the engine tells the end of the command.
  const socket = await exec.start({ hijack: true, stdin, Tty: tty, abortSignal: signal });
  return {
    ...joined(socket, tty, signal),
    resize: (columns, rows) => exec.resize({ w: columns, h: rows }) as Promise<void>,
    exitCode: () => exitCodeOf(() => exec.inspect({ abortSignal: signal }), signal),
  };
}

/** Joins what the container's own process reads and writes. */
export async function attach(
  container: Docker.Container,
  { stdin, stdout, stderr }: AttachOptions,
  signal: AbortSignal,
): Promise<AttachedProcess> {
  const { Config } = await container.inspect();
  const socket = await hijacked(container, { stream: true, stdin, stdout, stderr }, signal);
  return {
    ...joined(socket, Config.Tty, signal),
    resize: (columns, rows) => container.resize({ w: columns, h: rows }) as Promise<void>,
    exitCode: async () => (await container.inspect()).State.ExitCode,
  };
}

/** With an empty body. Podman gives to the container's stdin what dockerode would put there, although all of it is in the query. */
function hijacked(container: Docker.Container, options: object, abortSignal: AbortSignal): Promise<Duplex> {
  const call = {
    path: `/containers/${container.id}/attach?`,
    method: 'POST',
    file: Buffer.alloc(0),
    ...{ isStream: true, hijack: true, abortSignal, options },
    statusCodes: { 200: true, 404: 'no such container', 500: 'server error' },
  };
  return new Promise((resolve, reject) => {
    container.modem.dial(call, (error: unknown, socket: unknown) =>
      error ? reject(error) : resolve(socket as Duplex),
    );
  });
}

function joined(socket: Duplex, tty: boolean, signal: AbortSignal) {
  signal.addEventListener('abort', () => socket.destroy(), { once: true });
  socket.on('error', () => {}); // who reads or writes is told as well
  return {
    output: tty ? rawOutput(socket) : framesOf(socket),
    write: (data: Uint8Array) => writeAll(socket, data),
    endInput: () => void socket.end(),
  };
}

/** A terminal has one output, and the engine frames nothing. */
async function* rawOutput(socket: Duplex): AsyncGenerator<OutputChunk> {
  for await (const data of socket) yield { channel: STDOUT, data: data as Uint8Array };
}
