import type { StreamCredit, StreamData, StreamEnd } from '../../proto/gen/holdfast/v1/link_pb.ts';
import type { Chunk, PodStream } from '../api/pod-streams.ts';
import { ApiError } from '../resources/api-error.ts';
import type { DownMessage } from './sessions.ts';

/** Bytes that an agent may be ahead of the client of the API: what is buffered here at most, per stream. */
export const WINDOW_BYTES = 256 * 1024;
/** The agent is given credit again in pieces of this size, not for every chunk. */
const CREDIT_BYTES = 64 * 1024;
/** Longest piece in one message: small enough that state gets its turn between two of them. */
const MAX_CHUNK_BYTES = 32 * 1024;

/** One stream on the link of a node, seen from the hub. */
export class NodeStream implements PodStream {
  readonly node: string;
  readonly #id: string;
  readonly #send: (message: DownMessage) => void;
  readonly #onEnd: () => void;
  readonly #chunks: Chunk[] = [];
  #credit = 0;
  #ended = false;
  #error: ApiError | undefined;
  #wake: () => void = () => {};
  #wakeWriter: () => void = () => {};
  exitCode: number | undefined;

  constructor(id: string, node: string, send: (message: DownMessage) => void, onEnd: () => void) {
    this.#id = id;
    this.node = node;
    this.#send = send;
    this.#onEnd = onEnd;
  }

  /** Resolves with its first sign of life: bytes, credit, or its end. Throws when that end is an error. */
  async opened(): Promise<this> {
    if (this.#chunks.length === 0 && this.#credit === 0) await this.#event();
    if (this.#error && this.#chunks.length === 0) throw this.#error;
    return this;
  }

  get output(): AsyncIterable<Chunk> {
    return this.#read();
  }

  async write({ channel, data, last }: Chunk): Promise<void> {
    let at = 0;
    do {
      while (data.length > 0 && this.#credit <= 0 && !this.#ended) {
        await new Promise<void>((resolve) => {
          this.#wakeWriter = resolve;
        });
      }
      if (this.#ended) return;
      const part = data.subarray(at, at + Math.min(MAX_CHUNK_BYTES, this.#credit));
      at += part.length;
      this.#credit -= part.length;
      const value = { streamId: this.#id, channel, data: part, last: last && at >= data.length };
      this.#send({ case: 'streamData', value });
    } while (at < data.length);
  }

  /** Ends it from this side. */
  close(): void {
    if (this.#ended) return;
    this.#send({ case: 'streamEnd', value: { streamId: this.#id, code: 0, message: '' } });
    this.#over();
  }

  received({ channel, data, last }: StreamData): void {
    this.#chunks.push({ channel, data, last });
    this.#wake();
  }

  credited({ bytes }: StreamCredit): void {
    this.#credit += bytes;
    this.#wake();
    this.#wakeWriter();
  }

  ended({ code, message, exitCode }: StreamEnd): void {
    this.exitCode = exitCode;
    this.fail(code === 0 ? undefined : errorOf(code, message));
  }

  /** It is over; `error` tells why it broke off. */
  fail(error: ApiError | undefined): void {
    if (this.#ended) return;
    this.#error = error;
    this.#over();
  }

  #over(): void {
    this.#ended = true;
    this.#onEnd();
    this.#wake();
    this.#wakeWriter();
  }

  async *#read(): AsyncGenerator<Chunk> {
    let consumed = 0;
    try {
      for (;;) {
        const chunk = this.#chunks.shift();
        if (chunk) {
          yield chunk;
          consumed += chunk.data.length;
          if (consumed < CREDIT_BYTES || this.#ended) continue;
          this.#send({ case: 'streamCredit', value: { streamId: this.#id, bytes: consumed } });
          consumed = 0;
        } else if (this.#ended) {
          if (this.#error) throw this.#error;
          return;
        } else {
          await this.#event();
        }
      }
    } finally {
      this.close();
    }
  }

  #event(): Promise<void> {
    if (this.#ended) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

const REASONS: Readonly<Record<number, string>> = {
  400: 'BadRequest',
  429: 'TooManyRequests',
  503: 'ServiceUnavailable',
};

function errorOf(code: number, message: string): ApiError {
  return new ApiError(code, REASONS[code] ?? 'InternalError', message);
}
