import { randomUUID } from 'node:crypto';
import { fromBinary, type MessageInitShape } from '@bufbuild/protobuf';
import {
  type NodeStats,
  NodeStatsSchema,
  type StreamCredit,
  type StreamData,
  type StreamEnd,
  type StreamOpenSchema,
} from '../../proto/gen/holdfast/v1/link_pb.ts';
import type { AttachRequest, ExecRequest, LogRequest, PodStreams, PortRequest } from '../api/pod-streams.ts';
import { badRequest, serviceUnavailable } from '../resources/api-error.ts';
import type { PodObject } from '../resources/typed.ts';
import { NodeStream, WINDOW_BYTES } from './node-stream.ts';
import type { NodeSession, Sessions } from './sessions.ts';

type StreamRequest = NonNullable<MessageInitShape<typeof StreamOpenSchema>['request']>;

/** Of the answer of a device with far more containers than it can run. */
const MAX_STATS_BYTES = 256 * 1024;

/** Logs of containers, commands in them, connections to them: through the link of the node that they run on. */
export class NodeStreams implements PodStreams {
  readonly #sessions: Sessions;
  readonly #uidOf: (pod: PodObject) => string;
  readonly #streams = new Map<string, NodeStream>();

  /** `uidOf`: by which the device knows the pod. */
  constructor(sessions: Sessions, uidOf: (pod: PodObject) => string) {
    this.#sessions = sessions;
    this.#uidOf = uidOf;
    sessions.onChange((node) => this.#sessionChanged(node));
  }

  async log(request: LogRequest, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    checkStarted(request);
    const stream = this.#open(nodeOf(request.pod), logRequest(request, this.#uidOf(request.pod)));
    signal.addEventListener('abort', () => stream.close(), { once: true });
    return bytesOf(await stream.opened());
  }

  exec({ pod, ...value }: ExecRequest): Promise<NodeStream> {
    return this.#open(nodeOf(pod), {
      case: 'exec',
      value: { podUid: this.#uidOf(pod), ...fieldsOf(value) },
    }).opened();
  }

  attach({ pod, container, stdin, stdout, stderr }: AttachRequest): Promise<NodeStream> {
    const value = { podUid: this.#uidOf(pod), container, stdin, stdout, stderr };
    return this.#open(nodeOf(pod), { case: 'attach', value }).opened();
  }

  connect({ pod, port }: PortRequest): Promise<NodeStream> {
    return this.#open(nodeOf(pod), {
      case: 'portForward',
      value: { podUid: this.#uidOf(pod), port },
    }).opened();
  }

  checkConnected(pod: PodObject): void {
    this.#sessionOf(nodeOf(pod));
  }

  /** What the device and its containers use, measured now. Rejects with the signal's reason when it is aborted. */
  async stats(node: string, signal: AbortSignal): Promise<NodeStats> {
    const stream = this.#open(node, { case: 'stats', value: {} });
    signal.addEventListener('abort', () => stream.close(), { once: true });
    const bytes = await wholeOf(stream, MAX_STATS_BYTES);
    signal.throwIfAborted();
    return fromBinary(NodeStatsSchema, bytes);
  }

  data(node: string, message: StreamData): void {
    this.#of(node, message)?.received(message);
  }

  credit(node: string, message: StreamCredit): void {
    this.#of(node, message)?.credited(message);
  }

  end(node: string, message: StreamEnd): void {
    this.#of(node, message)?.ended(message);
  }

  #of(node: string, { streamId }: { streamId: string }): NodeStream | undefined {
    const stream = this.#streams.get(streamId);
    return stream?.node === node ? stream : undefined;
  }

  #open(node: string, request: StreamRequest): NodeStream {
    const session = this.#sessionOf(node);
    const streamId = randomUUID();
    const stream = new NodeStream(
      streamId,
      node,
      (message) => session.send(message),
      () => this.#streams.delete(streamId),
    );
    this.#streams.set(streamId, stream);
    session.send({ case: 'streamOpen', value: { streamId, credit: WINDOW_BYTES, request } });
    return stream;
  }

  #sessionOf(node: string): NodeSession {
    const session = this.#sessions.get(node);
    if (session) return session;
    throw serviceUnavailable(
      `node "${node}" is not connected: its containers can be reached when it is back`,
    );
  }

  /** The connection that the node's streams ran on is over, and they with it. */
  #sessionChanged(node: string): void {
    for (const stream of this.#streams.values()) {
      if (stream.node === node) stream.fail(serviceUnavailable(`the connection to node "${node}" was lost`));
    }
  }
}

function nodeOf({ spec }: PodObject): string {
  return spec.nodeName ?? '';
}

function fieldsOf({ container, command, stdin, stdout, stderr, tty }: Omit<ExecRequest, 'pod'>) {
  return { container, command: [...command], stdin, stdout, stderr, tty };
}

async function* bytesOf(stream: NodeStream): AsyncGenerator<Uint8Array> {
  for await (const { data } of stream.output) yield data;
}

/** Throws when it is longer than `most`. */
async function wholeOf(stream: NodeStream, most: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const { data } of stream.output) {
    size += data.length;
    if (size > most) throw serviceUnavailable(`node "${stream.node}" answered with more than ${most} bytes`);
    chunks.push(data);
  }
  return Buffer.concat(chunks);
}

function logRequest({ container, options }: LogRequest, podUid: string): StreamRequest {
  const { follow, previous, timestamps, tailLines, sinceSeconds, stream } = options;
  const sinceMs = sinceOf(options);
  return {
    case: 'log',
    value: {
      podUid,
      ...{ container, follow, previous, timestamps },
      ...(tailLines !== undefined && { tailLines: BigInt(tailLines) }),
      ...(sinceMs !== undefined && { sinceMs: BigInt(sinceMs) }),
      ...(sinceSeconds !== undefined && { sinceSeconds: BigInt(sinceSeconds) }),
      ...(stream !== 'All' && { stream }),
    },
  };
}

function sinceOf({ sinceSeconds, sinceTime }: LogRequest['options']): number | undefined {
  if (sinceTime !== undefined) return Date.parse(sinceTime);
  return sinceSeconds === undefined ? undefined : Date.now() - sinceSeconds * 1000;
}

function checkStarted({ pod, container, options }: LogRequest): void {
  const {
    initContainerStatuses = [],
    containerStatuses = [],
    ephemeralContainerStatuses = [],
  } = pod.status ?? {};
  const statuses = [...initContainerStatuses, ...containerStatuses, ...ephemeralContainerStatuses];
  const status = statuses.find(({ name }) => name === container);
  const where = `container ${JSON.stringify(container)} in pod ${JSON.stringify(pod.metadata.name)}`;
  if (options.previous && !status?.lastState?.terminated) {
    throw badRequest(`previous terminated ${where} not found`);
  }
  const ran = status?.state?.running ?? status?.state?.terminated ?? status?.lastState?.terminated;
  if (ran) return;
  const reason = status?.state?.waiting?.reason ?? 'ContainerCreating';
  throw badRequest(`${where} is waiting to start: ${reason}`);
}
