import type { MessageInitShape } from '@bufbuild/protobuf';
import type { ConnectRequestSchema, ConnectResponse } from '../../proto/gen/holdfast/v1/link_pb.ts';

/** What the agent says: one of the bodies of ConnectRequest. */
export type UpMessage = NonNullable<MessageInitShape<typeof ConnectRequestSchema>['body']>;

export interface LinkHandlers {
  readonly onMessage: (message: ConnectResponse) => void;
  /** Bytes that are no message. The connection goes on: one bad message must not cost the others. */
  readonly onGarbage: (error: Error) => void;
}

/** An open connection to the hub. */
export interface Connection {
  /** Sends in order. What cannot be sent is lost with the connection, and `closed` tells. */
  send(message: UpMessage): void;
  /** Resolves with the reason when the connection is over. Never rejects. */
  readonly closed: Promise<Error>;
  /** Says good-bye, and resolves when that has arrived. */
  close(): Promise<void>;
  /** Ends it at once and without a word. Of one that has ended: nothing happens. */
  drop(): void;
}

/** One way to reach the hub. `open` rejects when it cannot be reached this way. */
export interface Link {
  readonly name: 'mqtt' | 'grpc';
  open(connectionId: string, handlers: LinkHandlers, signal: AbortSignal): Promise<Connection>;
}

/** How long a connection may take to open. */
export const OPEN_TIMEOUT_MS = 10_000;
/** A silent connection is tried this often: the node's heartbeat, the only one there is. */
export const KEEP_ALIVE_SECONDS = 60;

/** The promise, or, as soon as the signal is aborted, a rejection with its reason. */
export async function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
