/** A piece of one of a stream's channels, numbered as Kubernetes numbers them. */
export interface Chunk {
  readonly channel: number;
  readonly data: Uint8Array;
  /** Nothing follows on this channel. */
  readonly last: boolean;
}

/** What a stream of the hub is joined to on this device: a log, a command, a connection. */
export interface StreamSource {
  /** What it says, in order. Ends when it is over; throws StreamError. */
  readonly output: AsyncIterable<Chunk>;
  /** Takes what the hub sends, in order; resolves when it can take more. Absent where nothing can be sent. */
  readonly input?: (chunk: Chunk) => Promise<void>;
  /** Of the command, once its output is over. */
  readonly exitCode?: () => Promise<number>;
}

/** A stream cannot be served. `code` is the HTTP status that the client of the API gets. */
export class StreamError extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.name = 'StreamError';
    this.code = code;
  }
}
