import { get as httpGet } from 'node:http';
import { connect } from 'node:net';
import type { Probe } from 'kubernetes-types/core/v1.d.ts';
import type { Runtime } from '../runtime/runtime.ts';
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

/** One try. Returns why it failed, undefined when it did not; rejects never: to be too slow is to fail as well. */
export async function attempt(
  action: ProbeAction,
  target: ProbeTarget,
  runtime: Pick<Runtime, 'exec'>,
  timeoutMs: number,
  ended: AbortSignal,
): Promise<string | undefined> {
  const timeout = AbortSignal.timeout(timeoutMs);
  const signal = AbortSignal.any([ended, timeout]);
  try {
    if (action.exec) return await tryExec(action.exec.command ?? [], target, runtime, signal);
    if (action.httpGet) return await tryHttp(action.httpGet, target, signal);
    if (action.tcpSocket) return await tryTcp(action.tcpSocket, target, signal);
    if (action.grpc) {
      const { tryGrpc } = await import('./grpc-probe.ts'); // few pods speak it
      return await tryGrpc(target.ip, action.grpc.port, action.grpc.service ?? '', signal);
    }
    return 'there is nothing to try';
  } catch (error) {
    return timeout.aborted ? `it took longer than ${timeoutMs} ms` : (error as Error).message;
  }
}

async function tryExec(
  command: readonly string[],
  { id }: ProbeTarget,
  runtime: Pick<Runtime, 'exec'>,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { exitCode, output } = await runtime.exec(id, command, signal);
  const said = output.trim().slice(0, MOST_OUTPUT);
  return exitCode === 0 ? undefined : `the command ended with exit code ${exitCode}${said && `: ${said}`}`;
}

async function tryHttp(
  action: NonNullable<Probe['httpGet']>,
  target: ProbeTarget,
  signal: AbortSignal,
): Promise<string | undefined> {
  // As the kubelet: a probe asks whether the container answers, not who it is.
  const get = action.scheme === 'HTTPS' ? (await import('node:https')).get : httpGet;
  const headers = Object.fromEntries((action.httpHeaders ?? []).map(({ name, value }) => [name, value]));
  const options = {
    host: action.host || target.ip,
    port: portOf(action.port, target),
    path: action.path ?? '/',
    headers: { 'User-Agent': 'holdfast-probe', ...headers },
    signal,
    agent: false as const,
    rejectUnauthorized: false,
  };
  const status = await new Promise<number>((resolve, reject) => {
    const request = get(options, (response) => {
      const { statusCode = 0 } = response;
      response.destroy();
      resolve(statusCode);
    });
    request.once('error', reject);
  });
  return status >= 200 && status < 400 ? undefined : `it answered with status ${status}`;
}

function tryTcp(
  action: NonNullable<Probe['tcpSocket']>,
  target: ProbeTarget,
  signal: AbortSignal,
): Promise<undefined> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: action.host || target.ip,
      port: portOf(action.port, target),
      signal,
    });
    socket.once('connect', () => {
      socket.destroy();
      resolve(undefined);
    });
    socket.once('error', reject);
  });
}

function portOf(port: number | string, { container }: ProbeTarget): number {
  if (typeof port === 'number') return port;
  const named = container.ports?.find(({ name }) => name === port);
  return named?.containerPort ?? Number(port);
}
