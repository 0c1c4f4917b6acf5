import type { MessageInitShape } from '@bufbuild/protobuf';
import type { ConnectResponseSchema, SignedSnapshot } from '../../proto/gen/holdfast/v1/link_pb.ts';

/** What the hub says: one of the bodies of ConnectResponse. */
export type DownMessage = NonNullable<MessageInitShape<typeof ConnectResponseSchema>['body']>;

/** One agent that is connected now. */
export interface NodeSession {
  readonly node: string;
  /** Chosen by the agent: what it sent on an earlier connection does not count for this one. */
  readonly connectionId: string;
  readonly transport: 'mqtt' | 'grpc';
  send(message: DownMessage): void;
  /** Sends a snapshot in the transport's own way. */
  offer(snapshot: SignedSnapshot): void;
  /** Lets go of what the transport keeps for it. */
  close(): void;
}

export type SessionListener = (node: string, session: NodeSession | undefined) => void;

/** Which agents are connected now: the newest session of each node. */
export class Sessions {
  readonly #sessions = new Map<string, NodeSession>();
  readonly #listeners = new Set<SessionListener>();

  get(node: string): NodeSession | undefined {
    return this.#sessions.get(node);
  }

  nodes(): string[] {
    return [...this.#sessions.keys()];
  }

  /** How many there are, by transport. */
  counts(): Map<string, number> {
    const counts = new Map([
      ['mqtt', 0],
      ['grpc', 0],
    ]);
    for (const { transport } of this.#sessions.values())
      counts.set(transport, (counts.get(transport) ?? 0) + 1);
    return counts;
  }

  /** A node has said hello. A session that it had before is over. */
  open(session: NodeSession): void {
    const before = this.#sessions.get(session.node);
    this.#sessions.set(session.node, session);
    if (before && before.connectionId !== session.connectionId) before.close();
    this.#tell(session.node, session);
  }

  /** This connection is over; if the node has a newer one, nothing changes. */
  end(node: string, connectionId: string): void {
    if (this.#sessions.get(node)?.connectionId !== connectionId) return;
    this.#sessions.delete(node);
    this.#tell(node, undefined);
  }

  /** Ends the node's session from this side; a live agent connects anew, and begins with who it is. */
  dismiss(node: string, reason: string): void {
    const session = this.#sessions.get(node);
    if (!session) return;
    const { connectionId } = session;
    session.send({ case: 'goodbye', value: { connectionId, reason } });
    session.close();
    this.end(node, connectionId);
  }

  onChange(listener: SessionListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  closeAll(): void {
    for (const session of this.#sessions.values()) session.close();
  }

  #tell(node: string, session: NodeSession | undefined): void {
    for (const listener of this.#listeners) listener(node, session);
  }
}
