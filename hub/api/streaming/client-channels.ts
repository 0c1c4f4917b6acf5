import type { Chunk } from '../pod-streams.ts';

/** The client's end of `exec` and `attach`, whatever carries it: channels as Kubernetes numbers them. */
export interface ClientChannels {
  /** What the client sends; ends with its connection. */
  readonly incoming: AsyncIterable<Chunk>;
  /** Resolves when the client can take more; at once when it is gone. */
  send(chunk: Chunk): Promise<void>;
  /** Tells the outcome, after all output, and closes the connection. */
  finish(status: object): Promise<void>;
}
