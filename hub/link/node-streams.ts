import { randomUUID } from 'node:crypto';
import type { MessageInitShape } from '@bufbuild/protobuf';
import type {
  StreamCredit,
  StreamData,
  StreamEnd,
  StreamOpenSchema,
} from '../../proto/gen/holdfast/v1/link_pb.ts';
import type { AttachRequest, ExecRequest, LogRequest, PodStreams, PortRequest } from '../api/pod-streams.ts';
import { badRequest, serviceUnavailable } from '../resources/api-error.ts';
import type { PodObject } from '../resources/typed.ts';
import { NodeStream, WINDOW_BYTES } from './node-stream.ts';
import type { Sessions } from './sessions.ts';

type StreamRequest = NonNullable<MessageInitShape<typeof StreamOpenSchema>['request']>;

/** Logs of containers, commands in them, connections to them: through the link of the node that they run on. */
export class NodeStreams implements PodStreams {
  readonly #sessions: Sessions;
  readonly #streams = new Map<string, NodeStream>();

  constructor(sessions: Sessions) {
    this.#sessions = sessions;
    sessions.onChange((node) => this.#sessionChanged(node));
  }

  async log(request: LogRequest, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    checkStarted(request);
    const stream = this.#open(request.pod, logRequest(request));
    signal.addEventListener('abort', () => stream.close(), { once: true });
    return bytesOf(await stream.opened());
  }

  exec({ pod, ...value }: ExecRequest): Promise<NodeStream> {
    return this.#open(pod, { case: 'exec', value: { podUid: uidOf(pod), ...fieldsOf(value) } }).opened();
  }

  attach({ pod, container, stdin, stdout, stderr }: AttachRequest): Promise<NodeStream> {
    const value = { podUid: uidOf(pod), container, stdin, stdout, stderr };
    return this.#open(pod, { case: 'attach', value }).opened();
  }

  connect({ pod, port }: PortRequest): Promise<NodeStream> {
    return this.#open(pod, { case: 'portForward', value: { podUid: uidOf(pod), port } }).opened();
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

  #open(pod: PodObject, request: StreamRequest): NodeStream {
    const node = pod.spec.nodeName ?? '';
    const session = this.#sessions.get(node);
    if (!session) {
      throw serviceUnavailable(
        `node "${node}" is not connected: its containers can be reached when it is back`,
      );
    }
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

  /** The connection that the node's streams ran on is over, and they with it. */
  #sessionChanged(node: string): void {
    for (const stream of this.#streams.values()) {
      if (stream.node === node) stream.fail(serviceUnavailable(`the connection to node "${node}" was lost`));
    }
  }
}

function uidOf({ metadata }: PodObject): string {
  return metadata.uid ?? '';
}

function fieldsOf({ container, command, stdin, stdout, stderr, tty }: Omit<ExecRequest, 'pod'>) {
  return { container, command: [...command], stdin, stdout, stderr, tty };
}

async function* bytesOf(stream: NodeStream): AsyncGenerator<Uint8Array> {
  for await (const { data } of stream.output) yield data;
}

function logRequest({ pod, container, options }: LogRequest): StreamRequest {
  const { follow, previous, timestamps, tailLines } = options;
  const sinceMs = sinceOf(options);
  return {
    case: 'log',
    value: {
      podUid: uidOf(pod),
      ...{ container, follow, previous, timestamps },
      ...(tailLines !== undefined && { tailLines: BigInt(tailLines) }),
      ...(sinceMs !== undefined && { sinceMs: BigInt(sinceMs) }),
    },
  };
}

function sinceOf({ sinceSeconds, sinceTime }: LogRequest['options']): number | undefined {
  if (sinceTime !== undefined) return Date.parse(sinceTime);
  return sinceSeconds === undefined ? undefined : Date.now() - sinceSeconds * 1000;
}

function checkStarted({ pod, container, options }: LogRequest): void {
  const status = pod.status?.containerStatuses?.find(({ name }) => name === container);
  const where = `container ${JSON.stringify(container)} in pod ${JSON.stringify(pod.metadata.name)}`;
  if (options.previous && !status?.lastState?.terminated) {
    throw badRequest(`previous terminated ${where} not found`);
  }
  const ran = status?.state?.running ?? status?.state?.terminated ?? status?.lastState?.terminated;
  if (ran) return;
  const reason = status?.state?.waiting?.reason ?? 'ContainerCreating';
  throw badRequest(`${where} is waiting to start: ${reason}`);
}
