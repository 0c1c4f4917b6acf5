import type { Duplex } from 'node:stream';
import { dataFrame, type Frame, framesOf, pingFrame, resetFrame, synReplyFrame } from './spdy-frames.ts';
import { HeaderBlocks } from './spdy-headers.ts';

/** Longest piece in one frame. */
const MAX_DATA_BYTES = 32 * 1024;
/** More streams than one client needs at once. */
const MAX_STREAMS = 1024;

/** A stream that the client opened. */
export interface SpdyStream {
  readonly id: number;
  readonly headers: ReadonlyMap<string, string>;
  /** Resolves when the client can take more; at once when it is gone. */
  send(data: Uint8Array, last: boolean): Promise<void>;
  /** Refuses it, or gives it up. */
  reset(): void;
}

/** What is done about what the client sends. While a promise of it waits, nothing more is read from the connection. */
export interface SpdyHandler {
  /** The answer takes what comes on the stream, in order; undefined refuses the stream. */
  opened(stream: SpdyStream): StreamReader | undefined;
}

export interface StreamReader {
  data(data: Uint8Array, last: boolean): Promise<void> | void;
  /** The client gave it up, or is gone. */
  gone(): void;
}

/**
 * The server's side of SPDY/3.1 on a connection: the client opens streams, both write to them. There is no flow control
 * but the connection's own: Kubernetes' clients neither send nor heed window updates.
 */
export class SpdyConnection {
  readonly #connection: Duplex;
  readonly #handler: SpdyHandler;
  readonly #headers = new HeaderBlocks();
  readonly #readers = new Map<number, StreamReader>();

  constructor(connection: Duplex, handler: SpdyHandler) {
    this.#connection = connection;
    this.#handler = handler;
    connection.on('error', () => {}); // reading tells
  }

  /** Resolves when the connection is over. Rejects on what is no SPDY. */
  async run(): Promise<void> {
    try {
      for await (const frame of framesOf(this.#connection)) await this.#take(frame);
    } catch (error) {
      if (!this.#connection.destroyed) throw error; // broken off by the client: no fault of ours
    } finally {
      for (const reader of this.#readers.values()) reader.gone();
      this.#readers.clear();
      this.#headers.close();
      this.#connection.destroy();
    }
  }

  /** Once everything that was sent is on its way. */
  end(): void {
    this.#connection.end();
  }

  async #take(frame: Frame): Promise<void> {
    switch (frame.type) {
      case 'syn-stream':
        return this.#open(frame.streamId, await this.#headers.decode(frame.headers), frame.last);
      case 'data': {
        const reader = this.#readers.get(frame.streamId);
        if (!reader) return;
        if (frame.last) this.#readers.delete(frame.streamId);
        return reader.data(frame.data, frame.last);
      }
      case 'reset':
        this.#readers.get(frame.streamId)?.gone();
        this.#readers.delete(frame.streamId);
        return;
      case 'ping':
        return this.#write(pingFrame(frame.payload));
      case 'goaway':
      case 'other':
        return;
    }
  }

  async #open(id: number, headers: ReadonlyMap<string, string>, last: boolean): Promise<void> {
    const stream: SpdyStream = {
      id,
      headers,
      send: (data, isLast) => this.#sendData(id, data, isLast),
      reset: () => void this.#write(resetFrame(id)),
    };
    if (this.#readers.size >= MAX_STREAMS) return this.#write(resetFrame(id));
    // First: clients drop what comes on a stream before its reply.
    await this.#write(synReplyFrame(id, await this.#headers.encodeNone()));
    const reader = this.#handler.opened(stream);
    if (!reader) return this.#write(resetFrame(id));
    if (last) await reader.data(new Uint8Array(), true);
    else this.#readers.set(id, reader);
  }

  async #sendData(id: number, data: Uint8Array, last: boolean): Promise<void> {
    let at = 0;
    do {
      const part = data.subarray(at, at + MAX_DATA_BYTES);
      at += part.length;
      await this.#write(dataFrame(id, part, last && at >= data.length));
    } while (at < data.length);
  }

  #write(frame: Buffer): Promise<void> {
    return new Promise((resolve) => {
      if (!this.#connection.writable) resolve();
      else this.#connection.write(frame, () => resolve());
    });
  }
}
