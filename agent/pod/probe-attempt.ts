import { connect } from 'node:net';
import type { Probe } from 'kubernetes-types/core/v1.d.ts';
import { type Runtime, RuntimeError } from '../runtime/runtime.ts';
import { Stop, type StopSignal } from '../runtime/stop-signal.ts';
import { tryHttp } from './http-probe.ts';
import type { Container } from './pod.ts';

/** What is probed: one running container. */
export interface ProbeTarget {
  readonly id: string;
  readonly container: Container;
  /** Where HTTP and TCP probes go. */
  readonly ip: string;
}

/** What is tried. */
export type ProbeAction = Pick<Probe, 'exec' | 'httpGet' | 'tcpSocket' | 'grpc'>;

const MOST_OUTPUT = 200;

/**
 * One try. Returns why it failed, undefined when it did not: to be too slow is to fail as well, for a command from when the
 * engine starts it. Rejects only where the engine could not be asked, which says nothing of the container. `warn` takes what
 * is strange about one that did not fail.
 */
export async function attempt(
  action: ProbeAction,
  target: ProbeTarget,
  runtime: Pick<Runtime, 'exec'>,
  timeoutMs: number,
  ended: StopSignal,
  warn: (text: string) => void = () => {},
): Promise<string | undefined> {
  const late = new Error(`it took longer than ${timeoutMs} ms`);
  const signal = new Stop();
  const timer = setTimeout(() => signal.abort(late), timeoutMs);
  const end = () => signal.abort(ended.reason as Error);
  ended.addEventListener('abort', end);
  if (ended.aborted) end();
  try {
    if (action.exec) {
      // An engine that answers again after a while has its own delay to answer for, not the command.
      const begin = () => void timer.refresh();
      return await tryExec(action.exec.command ?? [], target, runtime, signal, begin);
    }
    if (action.httpGet) {
      const where = { host: target.ip, port: portOf(action.httpGet.port, target) };
      const { failure, warning } = await tryHttp(action.httpGet, where, signal);
      if (warning !== undefined) warn(warning);
      return failure;
    }
    if (action.tcpSocket) return await tryTcp(action.tcpSocket, target, signal);
    if (action.grpc) {
      const { tryGrpc } = await import('./grpc-probe.ts'); // few pods speak it
      return await tryGrpc(target.ip, action.grpc.port, action.grpc.service ?? '', signal);
    }
    return 'there is nothing to try';
  } catch (error) {
    if (error instanceof RuntimeError && error.kind === 'engine-down') throw error;
    return (signal.reason === late ? late : (error as Error)).message;
  } finally {
    clearTimeout(timer);
    ended.removeEventListener('abort', end);
  }
}

async function tryExec(
  command: readonly string[],
  { id }: ProbeTarget,
  runtime: Pick<Runtime, 'exec'>,
  signal: StopSignal,
  begin: () => void,
): Promise<string | undefined> {
  const { exitCode, output } = await runtime.exec(id, command, signal, begin);
  const said = output.trim().slice(0, MOST_OUTPUT);
  return exitCode === 0 ? undefined : `the command ended with exit code ${exitCode}${said && `: ${said}`}`;
}

function tryTcp(
  action: NonNullable<Probe['tcpSocket']>,
  target: ProbeTarget,
  signal: StopSignal,
): Promise<undefined> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: action.host || target.ip, port: portOf(action.port, target) });
    const abort = () => {
      reject(signal.reason as Error);
      socket.destroy();
    };
    socket.once('connect', () => {
      socket.destroy();
      resolve(undefined);
    });
    socket.once('error', reject).once('close', () => signal.removeEventListener('abort', abort));
    signal.addEventListener('abort', abort);
    if (signal.aborted) abort();
  });
}

function portOf(port: number | string, { container }: ProbeTarget): number {
  if (typeof port === 'number') return port;
  const named = container.ports?.find(({ name }) => name === port)?.containerPort ?? Number(port);
  if (Number.isNaN(named)) throw new Error(`couldn't find port: ${port}`);
  return named;
}
