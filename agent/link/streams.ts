import type { LogRequest, StreamCredit, StreamOpen } from '../../proto/gen/holdfast/v1/link_pb.ts';
import type { Connection } from './link.ts';

/** A stream cannot be served. `code` is the HTTP status that the client of the API gets. */
export class StreamError extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.name = 'StreamError';
    this.code = code;
  }
}

export interface StreamsOptions {
  /** The bytes of a container's log. Throws StreamError. */
  readonly openLog: (request: LogRequest, signal: AbortSignal) => Promise<AsyncIterable<Uint8Array>>;
}

/** Longest piece in one message: small enough that state gets its turn between two of them. */
const MAX_CHUNK_BYTES = 32 * 1024;
/** A device serves so many streams at once and no more. */
const MAX_STREAMS = 32;

interface OpenStream {
  readonly abort: AbortController;
  credit: number;
  onCredit: (() => void) | undefined;
}

/** The streams that the hub has opened on this connection. Each sends no more than the hub has given it credit for. */
export class Streams {
  readonly #options: StreamsOptions;
  readonly #streams = new Map<string, OpenStream>();

  constructor(options: StreamsOptions) {
    this.#options = options;
  }

  open({ streamId, credit, request }: StreamOpen, send: Connection['send']): void {
    const end = (code: number, message: string) =>
      send({ case: 'streamEnd', value: { streamId, code, message } });
    if (this.#streams.size >= MAX_STREAMS) {
      end(429, `this device serves ${MAX_STREAMS} streams at once, no more`);
      return;
    }
    if (request.case !== 'log') {
      end(501, 'this agent does not know this kind of stream: update it');
      return;
    }
    const stream: OpenStream = { abort: new AbortController(), credit, onCredit: undefined };
    this.#streams.set(streamId, stream);
    void this.#pump(streamId, stream, request.value, send)
      .then(
        () => end(0, ''),
        (error: unknown) => {
          if (stream.abort.signal.aborted) return;
          end(error instanceof StreamError ? error.code : 500, (error as Error).message);
        },
      )
      .finally(() => this.#streams.delete(streamId));
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

  async #pump(
    streamId: string,
    stream: OpenStream,
    request: LogRequest,
    send: Connection['send'],
  ): Promise<void> {
    const { signal } = stream.abort;
    for await (const bytes of await this.#options.openLog(request, signal)) {
      for (let at = 0; at < bytes.length; ) {
        if (stream.credit <= 0) await moreCredit(stream);
        signal.throwIfAborted();
        if (stream.credit <= 0) continue;
        const data = bytes.subarray(at, at + Math.min(MAX_CHUNK_BYTES, stream.credit));
        send({ case: 'streamData', value: { streamId, data } });
        stream.credit -= data.length;
        at += data.length;
      }
    }
  }
}

function moreCredit(stream: OpenStream): Promise<void> {
  return new Promise((resolve) => {
    stream.onCredit = resolve;
  });
}
