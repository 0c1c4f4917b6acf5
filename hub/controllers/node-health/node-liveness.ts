export interface Connection {
  readonly isConnected: boolean;
  /** Since when it is or is not, in milliseconds since the epoch. */
  readonly sinceMs: number;
}

/** What the link knows: which nodes are connected now. */
export interface NodeLiveness {
  /** A node that was never heard of is disconnected since this hub started. */
  connectionOf(node: string): Connection;
  /** Calls `listener` with the name of each node that comes or goes. Returns the way to stop. */
  onChange(listener: (node: string) => void): () => void;
}

/** NodeLiveness for a link that reports each connection and each loss. */
export class NodeConnections implements NodeLiveness {
  readonly #now: () => number;
  readonly #startedAtMs: number;
  readonly #connections = new Map<string, Connection>();
  readonly #listeners = new Set<(node: string) => void>();

  constructor(now: () => number = Date.now) {
    this.#now = now;
    this.#startedAtMs = now();
  }

  connected(node: string): void {
    this.#set(node, true);
  }

  disconnected(node: string): void {
    this.#set(node, false);
  }

  connectionOf(node: string): Connection {
    return this.#connections.get(node) ?? { isConnected: false, sinceMs: this.#startedAtMs };
  }

  onChange(listener: (node: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #set(node: string, isConnected: boolean): void {
    if (this.connectionOf(node).isConnected === isConnected) return;
    this.#connections.set(node, { isConnected, sinceMs: this.#now() });
    for (const listener of this.#listeners) listener(node);
  }
}
