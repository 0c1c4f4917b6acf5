import {
  type Connection,
  type Link,
  type LinkHandlers,
  orAborted,
  type UpMessage,
} from '../../agent/link/link.ts';
import type { ConnectResponse } from '../../proto/gen/holdfast/v1/link_pb.ts';
import type { CutReason } from './timeline.ts';

export interface NetworkOptions {
  /** Hears of all that passes, and of connections that end. */
  readonly onSent: (message: UpMessage) => void;
  readonly onReceived: (message: ConnectResponse) => void;
  readonly onClosed: () => void;
}

/**
 * The network of one device, between its agent and the real link. While it is cut, the connection that there was is
 * gone without a good-bye, and a new one waits: it opens as soon as the network is back.
 */
export class Network {
  readonly #options: NetworkOptions;
  readonly #cuts = new Set<CutReason>();
  #restored = Promise.withResolvers<void>();
  #connection: Connection | undefined;

  constructor(options: NetworkOptions) {
    this.#options = options;
    this.#restored.resolve();
  }

  get isCut(): boolean {
    return this.#cuts.size > 0;
  }

  cut(reason: CutReason): void {
    if (!this.isCut) this.#restored = Promise.withResolvers();
    this.#cuts.add(reason);
    this.#connection?.drop();
  }

  restore(reason: CutReason): void {
    if (this.#cuts.delete(reason) && !this.isCut) this.#restored.resolve();
  }

  /** The link as it is through this network. */
  through(link: Link): Link {
    return {
      name: link.name,
      open: async (connectionId, handlers, signal) => {
        while (this.isCut) await orAborted(this.#restored.promise, signal);
        const connection = await link.open(connectionId, this.#heard(handlers), signal);
        if (this.isCut) {
          connection.drop();
          throw new Error('the network was cut while the connection was opened');
        }
        return this.#watched(connection);
      },
    };
  }

  #heard(handlers: LinkHandlers): LinkHandlers {
    return {
      ...handlers,
      onMessage: (message) => {
        if (this.isCut) return;
        this.#options.onReceived(message);
        handlers.onMessage(message);
      },
    };
  }

  #watched(connection: Connection): Connection {
    this.#connection = connection;
    void connection.closed.then(() => {
      if (this.#connection !== connection) return;
      this.#connection = undefined;
      this.#options.onClosed();
    });
    return {
      closed: connection.closed,
      send: (message) => {
        if (this.isCut) return;
        connection.send(message);
        this.#options.onSent(message);
      },
      close: () => connection.close(),
      drop: () => connection.drop(),
    };
  }
}
