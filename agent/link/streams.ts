import type { StreamCredit, StreamData, StreamOpen } from '../../proto/gen/holdfast/v1/link_pb.ts';
import { type Chunk, StreamError, type StreamSource } from '../streams/source.ts';
import type { Connection } from './link.ts';

export interface StreamsOptions {
  /** Joins a stream to what the hub asks for. Throws StreamError. */
  readonly open: (request: StreamOpen['request'], signal: AbortSignal) => Promise<StreamSource>;
}

/** Longest piece in one message: small enough that state gets its turn between two of them. */
const MAX_CHUNK_BYTES = 32 * 1024;
/** A device serves so many streams at once and no more. */
const MAX_STREAMS = 32;
/** Bytes that the hub may be ahead of what the stream is joined to: what is buffered here at most, per stream. */
const WINDOW_BYTES = 256 * 1024;
/** The hub is given credit again in pieces of this size, not for every message. */
const CREDIT_BYTES = 64 * 1024;

interface OpenStream {
  readonly abort: AbortController;
  /** Bytes that may be sent to the hub. */
  credit: number;
  onCredit: (() => void) | undefined;
  take: ((chunk: Chunk) => void) | undefined;
}

/** The streams that the hub has opened on this connection. Neither side sends more than the other has given it credit for. */
export class Streams {
  readonly #options: StreamsOptions;
  readonly #streams = new Map<string, OpenStream>();

  constructor(options: StreamsOptions) {
    this.#options = options;
  }

  open({ streamId, credit, request }: StreamOpen, send: Connection['send']): void {
    const end = (code: number, message: string, exitCode?: number) =>
      send({
        case: 'streamEnd',
        value: { streamId, code, message, ...(exitCode !== undefined && { exitCode }) },
      });
    if (this.#streams.size >= MAX_STREAMS) {
      end(429, `this device serves ${MAX_STREAMS} streams at once, no more`);
      return;
    }
    const abort = new AbortController();
    const stream: OpenStream = { abort, credit, onCredit: undefined, take: undefined };
    this.#streams.set(streamId, stream);
    void this.#serve(streamId, stream, request, send)
      .then(
        (exitCode) => end(0, '', exitCode),
        (error: unknown) => {
          if (abort.signal.aborted) return;
          end(error instanceof StreamError ? error.code : 500, (error as Error).message);
        },
      )
      .finally(() => {
        this.#streams.delete(streamId);
        abort.abort(new Error('the stream is over'));
      });
  }

  data({ streamId, channel, data, last }: StreamData): void {
    this.#streams.get(streamId)?.take?.({ channel, data, last });
  }

  credit({ streamId, bytes }: StreamCredit): void {
    const stream = this.#streams.get(streamId);
    if (!stream) return;
    stream.credit += bytes;
    stream.onCredit?.();
  }

  end(streamId: string): void {
    const stream = this.#streams.get(streamId);
    stream?.abort.abort(new Error('the hub ended the stream'));
    stream?.onCredit?.();
  }

  closeAll(): void {
    for (const streamId of this.#streams.keys()) this.end(streamId);
  }

  /** Resolves with the exit code, of what has one. */
  async #serve(
    streamId: string,
    stream: OpenStream,
    request: StreamOpen['request'],
    send: Connection['send'],
  ): Promise<number | undefined> {
    const { signal } = stream.abort;
    const source = await this.#options.open(request, signal);
    signal.throwIfAborted();
    if (source.input) {
      const credit = (bytes: number) => send({ case: 'streamCredit', value: { streamId, bytes } });
      stream.take = feeder(source.input, credit);
      credit(WINDOW_BYTES);
    }
    for await (const chunk of source.output) await sendChunk(streamId, stream, chunk, send);
    return source.exitCode?.();
  }
}

/** Hands chunks on one after the other, and gives credit for what was taken. */
function feeder(
  input: NonNullable<StreamSource['input']>,
  credit: (bytes: number) => void,
): (chunk: Chunk) => void {
  let taken = 0;
  let before = Promise.resolve();
  return (chunk) => {
    before = before
      .then(() => input(chunk))
      .catch(() => {}) // what reads no more tells it by its output; what is sent to it is lost
      .then(() => {
        taken += chunk.data.length;
        if (taken < CREDIT_BYTES) return;
        credit(taken);
        taken = 0;
      });
  };
}

async function sendChunk(
  streamId: string,
  stream: OpenStream,
  { channel, data, last }: Chunk,
  send: Connection['send'],
): Promise<void> {
  const { signal } = stream.abort;
  let at = 0;
  do {
    while (stream.credit <= 0 && data.length > 0) {
      await moreCredit(stream);
      signal.throwIfAborted();
    }
    const part = data.subarray(at, at + Math.min(MAX_CHUNK_BYTES, stream.credit));
    at += part.length;
    stream.credit -= part.length;
    send({
      case: 'streamData',
      value: { streamId, channel, data: part, last: last && at >= data.length },
    });
  } while (at < data.length);
}

function moreCredit(stream: OpenStream): Promise<void> {
  return new Promise((resolve) => {
    stream.onCredit = resolve;
  });
}
