import type { Duplex } from 'node:stream';
import type { Chunk } from '../pod-streams.ts';
import type { ClientChannels } from './client-channels.ts';
import { SpdyConnection, type SpdyStream, type StreamReader } from './spdy-connection.ts';

export const SPDY_CHANNEL_PROTOCOLS = ['v5.channel.k8s.io', 'v4.channel.k8s.io'];

/** By the header `streamtype`. */
const CHANNELS = new Map([
  ['stdin', 0],
  ['stdout', 1],
  ['stderr', 2],
  ['error', 3],
  ['resize', 4],
]);
const STATUS = 3;
const RESIZE = 4;
const NOTHING = new Uint8Array();
/** How long the client may take to open the streams that its request names. */
const OPEN_TIMEOUT_MS = 30_000;
/** How long the client may take to end the connection once it has been told the outcome. */
const CLOSE_TIMEOUT_MS = 10_000;
/** Chunks that may wait for the process before the connection is read no further. */
const MAX_WAITING = 16;

/** Channels as one SPDY stream each. `channels`: those that the request asks for; Status is always one of them. */
export class SpdyChannels implements ClientChannels {
  readonly #connection: SpdyConnection;
  readonly #wanted: readonly number[];
  readonly #streams = new Map<number, SpdyStream>();
  readonly #waiting: Chunk[] = [];
  readonly #complete = Promise.withResolvers<boolean>();
  readonly #gone = Promise.withResolvers<void>();
  #over = false;
  #wakeReader: () => void = () => {};
  #wakeWriter: () => void = () => {};

  constructor(connection: Duplex, channels: readonly number[]) {
    this.#wanted = [...channels, STATUS];
    this.#connection = new SpdyConnection(connection, { opened: (stream) => this.#opened(stream) });
    void this.#connection
      .run()
      .catch(() => {}) // what is no SPDY ends the connection
      .then(() => this.#ended());
  }

  /** Whether the client has opened all streams that it asked for, in time. */
  async ready(): Promise<boolean> {
    const timer = setTimeout(() => this.#complete.resolve(false), OPEN_TIMEOUT_MS);
    const isComplete = await this.#complete.promise;
    clearTimeout(timer);
    if (!isComplete) this.#connection.end();
    return isComplete;
  }

  get incoming(): AsyncIterable<Chunk> {
    return this.#read();
  }

  async send({ channel, data, last }: Chunk): Promise<void> {
    await this.#streams.get(channel)?.send(data, last);
  }

  async finish(status: object): Promise<void> {
    await this.#streams.get(STATUS)?.send(Buffer.from(JSON.stringify(status)), true);
    // kubectl drops what it has not read yet of other streams when the connection ends: it is the one to end it.
    const timer = setTimeout(() => this.#connection.end(), CLOSE_TIMEOUT_MS);
    await this.#gone.promise;
    clearTimeout(timer);
  }

  #opened(stream: SpdyStream): StreamReader | undefined {
    const channel = CHANNELS.get(stream.headers.get('streamtype') ?? '');
    if (channel === undefined || this.#streams.has(channel)) return undefined;
    this.#streams.set(channel, stream);
    if (this.#wanted.every((each) => this.#streams.has(each))) this.#complete.resolve(true);
    return {
      data: (data, last) => this.#received({ channel, data, last: last && channel !== RESIZE }),
      gone: () => void this.#received({ channel, data: NOTHING, last: channel !== RESIZE }),
    };
  }

  async #received(chunk: Chunk): Promise<void> {
    this.#waiting.push(chunk);
    this.#wakeReader();
    while (this.#waiting.length > MAX_WAITING && !this.#over) {
      await new Promise<void>((resolve) => {
        this.#wakeWriter = resolve;
      });
    }
  }

  #ended(): void {
    this.#over = true;
    this.#complete.resolve(false);
    this.#gone.resolve();
    this.#wakeReader();
    this.#wakeWriter();
  }

  async *#read(): AsyncGenerator<Chunk> {
    for (;;) {
      const chunk = this.#waiting.shift();
      this.#wakeWriter();
      if (chunk) yield chunk;
      else if (this.#over) return;
      else
        await new Promise<void>((resolve) => {
          this.#wakeReader = resolve;
        });
    }
  }
}
