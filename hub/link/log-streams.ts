import { randomUUID } from 'node:crypto';
import type { StreamData, StreamEnd } from '../../proto/gen/holdfast/v1/link_pb.ts';
import type { LogRequest, LogSource } from '../api/log-source.ts';
import { ApiError, badRequest, serviceUnavailable } from '../resources/api-error.ts';
import type { DownMessage, NodeSession, Sessions } from './sessions.ts';

/** Bytes that an agent may be ahead of the client of the API: what is buffered here at most, per stream. */
const WINDOW_BYTES = 256 * 1024;
/** The agent is given credit again in pieces of this size, not for every chunk. */
const CREDIT_BYTES = 64 * 1024;

interface OpenStream {
  readonly node: string;
  readonly chunks: Uint8Array[];
  ended: boolean;
  error: ApiError | undefined;
  wake: () => void;
}

/** Logs of containers, read through the link of the node that they run on. */
export class LogStreams implements LogSource {
  readonly #sessions: Sessions;
  readonly #streams = new Map<string, OpenStream>();

  constructor(sessions: Sessions) {
    this.#sessions = sessions;
    sessions.onChange((node) => this.#sessionChanged(node));
  }

  async open(request: LogRequest, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    const { pod } = request;
    checkStarted(request);
    const node = pod.spec.nodeName ?? '';
    const session = this.#sessions.get(node);
    if (!session) {
      throw serviceUnavailable(`node "${node}" is not connected: its logs can be read when it is back`);
    }
    const streamId = randomUUID();
    const stream: OpenStream = { node, chunks: [], ended: false, error: undefined, wake: () => {} };
    this.#streams.set(streamId, stream);
    session.send(openMessage(streamId, request));
    const abort = () => this.#finish(streamId, stream, session);
    signal.addEventListener('abort', abort, { once: true });
    await nextEvent(stream);
    if (stream.error) {
      this.#streams.delete(streamId);
      throw stream.error;
    }
    return this.#read(streamId, stream, session);
  }

  data(node: string, { streamId, data }: StreamData): void {
    const stream = this.#streams.get(streamId);
    if (stream?.node !== node) return;
    stream.chunks.push(data);
    stream.wake();
  }

  end(node: string, { streamId, code, message }: StreamEnd): void {
    const stream = this.#streams.get(streamId);
    if (stream?.node !== node) return;
    if (code !== 0) stream.error = errorOf(code, message);
    stream.ended = true;
    stream.wake();
  }

  async *#read(streamId: string, stream: OpenStream, session: NodeSession): AsyncIterable<Uint8Array> {
    let consumed = 0;
    try {
      for (;;) {
        const chunk = stream.chunks.shift();
        if (chunk) {
          yield chunk;
          consumed += chunk.length;
          if (consumed < CREDIT_BYTES) continue;
          session.send({ case: 'streamCredit', value: { streamId, bytes: consumed } });
          consumed = 0;
        } else if (stream.ended) {
          if (stream.error) throw stream.error;
          return;
        } else {
          await nextEvent(stream);
        }
      }
    } finally {
      this.#finish(streamId, stream, session);
    }
  }

  #finish(streamId: string, stream: OpenStream, session: NodeSession): void {
    this.#streams.delete(streamId);
    if (!stream.ended) session.send({ case: 'streamEnd', value: { streamId, code: 0, message: '' } });
    stream.ended = true;
    stream.wake();
  }

  /** The connection that the node's streams ran on is over, and they with it. */
  #sessionChanged(node: string): void {
    for (const stream of this.#streams.values()) {
      if (stream.node !== node || stream.ended) continue;
      stream.error = serviceUnavailable(`the connection to node "${node}" was lost`);
      stream.ended = true;
      stream.wake();
    }
  }
}

function openMessage(streamId: string, { pod, container, options }: LogRequest): DownMessage {
  const sinceMs = sinceOf(options);
  return {
    case: 'streamOpen',
    value: {
      streamId,
      credit: WINDOW_BYTES,
      request: {
        case: 'log',
        value: {
          podUid: pod.metadata.uid ?? '',
          container,
          follow: options.follow,
          previous: options.previous,
          timestamps: options.timestamps,
          ...(options.tailLines !== undefined && { tailLines: BigInt(options.tailLines) }),
          ...(sinceMs !== undefined && { sinceMs: BigInt(sinceMs) }),
        },
      },
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

function errorOf(code: number, message: string): ApiError {
  const reason =
    { 400: 'BadRequest', 429: 'TooManyRequests', 503: 'ServiceUnavailable' }[code] ?? 'InternalError';
  return new ApiError(code, reason, message);
}

function nextEvent(stream: OpenStream): Promise<void> {
  if (stream.chunks.length > 0 || stream.ended) return Promise.resolve();
  return new Promise((resolve) => {
    stream.wake = resolve;
  });
}
