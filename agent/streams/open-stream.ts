import type {
  AttachRequest,
  ExecRequest,
  LogRequest,
  PortForwardRequest,
  StreamOpen,
} from '../../proto/gen/holdfast/v1/link_pb.ts';
import type { AttachedProcess, ObservedContainer, Runtime } from '../runtime/runtime.ts';
import type { DeviceUsage } from '../usage/usage-meter.ts';
import { connectionSource } from './connection-source.ts';
import { processSource } from './process-source.ts';
import { StreamError, type StreamSource } from './source.ts';
import { statsSource } from './stats-source.ts';

/** The device, as far as streams need it. */
export interface StreamTargets {
  readonly runtime: Pick<Runtime, 'logs' | 'exec' | 'attach' | 'execAttached'>;
  /** All containers that the pod's container had, the newest first. */
  containersOf(podUid: string, container: string): readonly ObservedContainer[];
  /** Where the pod's ports are; empty while it has no address. */
  addressOf(podUid: string): string;
  /** Ms of the wall clock. */
  now(): number;
  /** Measures what the device and its containers use. */
  usage(signal: AbortSignal): Promise<DeviceUsage>;
}

/** Opens what the hub asks for. Throws StreamError. Ends when `signal` is aborted. */
export function openStream(
  targets: StreamTargets,
  request: StreamOpen['request'],
  signal: AbortSignal,
): Promise<StreamSource> {
  switch (request.case) {
    case 'log':
      return openLog(targets, request.value, signal);
    case 'exec':
      return openExec(targets, request.value, signal);
    case 'attach':
      return openAttach(targets, request.value, signal);
    case 'portForward':
      return openPort(targets, request.value, signal);
    case 'stats':
      return targets.usage(signal).then(statsSource);
    case undefined:
      throw new StreamError(501, 'this agent does not know this kind of stream: update it');
  }
}

async function openLog(
  targets: StreamTargets,
  request: LogRequest,
  signal: AbortSignal,
): Promise<StreamSource> {
  const attempts = targets.containersOf(request.podUid, request.container);
  const container = attempts.filter(({ state }) => state !== 'created')[request.previous ? 1 : 0];
  if (!container) {
    const which = request.previous ? 'previous terminated container' : 'container';
    throw new StreamError(400, `${which} "${request.container}" in pod not found on this device`);
  }
  const bytes = await targets.runtime.logs(
    container.id,
    {
      follow: request.follow && container.state === 'running',
      timestamps: request.timestamps,
      ...(request.tailLines !== undefined && { tailLines: Number(request.tailLines) }),
      ...sinceOf(request, targets.now()),
      stdout: request.stream !== 'Stderr',
      stderr: request.stream !== 'Stdout',
    },
    signal,
  );
  return { output: onChannelZero(bytes) };
}

function sinceOf({ sinceSeconds, sinceMs }: LogRequest, nowMs: number): { sinceMs?: number } {
  if (sinceSeconds !== undefined) return { sinceMs: Math.max(0, nowMs - Number(sinceSeconds) * 1000) };
  return sinceMs === undefined ? {} : { sinceMs: Number(sinceMs) };
}

async function* onChannelZero(bytes: AsyncIterable<Uint8Array>) {
  for await (const data of bytes) yield { channel: 0, data, last: false };
}

async function openExec(targets: StreamTargets, request: ExecRequest, signal: AbortSignal) {
  const { id } = runningContainer(targets, request);
  const { command, stdin, stdout, stderr, tty } = request;
  const attached = { command, stdin, stdout, stderr, tty };
  return ofProcess(request, await targets.runtime.execAttached(id, attached, signal));
}

async function openAttach(targets: StreamTargets, request: AttachRequest, signal: AbortSignal) {
  const { id } = runningContainer(targets, request);
  // As in Kubernetes, how a process that is attached to has ended is told by the pod's status only.
  const { exitCode: _, ...joined } = ofProcess(request, await targets.runtime.attach(id, request, signal));
  return joined;
}

/** A terminal has no stderr of its own, and what was not asked for is not sent: some clients break off at it. */
function ofProcess(wanted: { stdout: boolean; stderr: boolean }, process: AttachedProcess): StreamSource {
  return processSource(process, [...(wanted.stdout ? [1] : []), ...(wanted.stderr ? [2] : [])]);
}

function runningContainer(targets: StreamTargets, { podUid, container }: ExecRequest | AttachRequest) {
  const found = targets.containersOf(podUid, container).find(({ state }) => state === 'running');
  if (!found) throw new StreamError(400, `container not found ("${container}"): it is not running`);
  return found;
}

function openPort(
  targets: StreamTargets,
  { podUid, port }: PortForwardRequest,
  signal: AbortSignal,
): Promise<StreamSource> {
  const address = targets.addressOf(podUid);
  if (!address) throw new StreamError(400, 'the pod has no address on this device: it is not running');
  return connectionSource(address, port, signal);
}
