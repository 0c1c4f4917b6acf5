import type { Logger } from 'pino';
import type {
  ConnectRequest,
  Hello,
  TokenRequest,
  TokenResult,
  Version,
} from '../../proto/gen/holdfast/v1/link_pb.ts';
import { seal } from '../../proto/seal.ts';
import { formatVersion } from '../../proto/snapshot.ts';
import type { NodeRegistration } from './node-registration.ts';
import type { NodeStreams } from './node-streams.ts';
import type { NodeSession, Sessions } from './sessions.ts';
import type { StatusIntake } from './status-intake.ts';

export interface LinkHandlerOptions {
  readonly sessions: Sessions;
  readonly registration: NodeRegistration;
  readonly status: StatusIntake;
  readonly streams: NodeStreams;
  /** A token of a service account for a pod of the node, or why there is none. */
  readonly tokenOf: (
    node: string,
    request: { podUid: string; audience: string; expirationSeconds: number },
  ) => Promise<{ token: string } | { refusal: string }>;
  /** SPKI DER: what is for the node alone is sealed to it. */
  readonly sealingKeyOf: (node: string) => Uint8Array | undefined;
  /** The node has said what it holds; it is offered what is newer. */
  readonly onHeld: (node: string, held: Version | undefined) => void;
  readonly hubVersion: string;
  readonly log: Logger;
}

/** A transport's own part of a session: all but who it is. */
export type SessionTransport = Omit<NodeSession, 'node' | 'connectionId'>;

/** What the hub does with the messages of agents: the same for both transports. */
export class LinkHandler {
  readonly #options: LinkHandlerOptions;

  constructor(options: LinkHandlerOptions) {
    this.#options = options;
  }

  /** `node` is who TLS says that the sender is. Messages of one connection must come one after the other. */
  async receive(
    node: string,
    { connectionId, body }: ConnectRequest,
    transport: SessionTransport,
  ): Promise<void> {
    const { sessions, status, streams, log } = this.#options;
    // Late messages of a connection that is over: what they say has been said again since.
    if (body.case !== 'hello' && sessions.get(node)?.connectionId !== connectionId) return;
    switch (body.case) {
      case 'hello':
        await this.#welcome({ ...transport, node, connectionId }, body.value);
        return;
      case 'snapshotResult': {
        const { refusal, held } = body.value;
        if (refusal)
          log.error({ node, refusal, held: formatVersion(held) }, 'the node refused its desired state');
        return;
      }
      case 'statusReport':
        await status.take(node, body.value);
        transport.send({ case: 'statusAck', value: { sequence: body.value.sequence } });
        return;
      case 'tokenRequest':
        transport.send({ case: 'tokenResult', value: await this.#token(node, body.value) });
        return;
      case 'streamData':
        streams.data(node, body.value);
        return;
      case 'streamCredit':
        streams.credit(node, body.value);
        return;
      case 'streamEnd':
        streams.end(node, body.value);
        return;
      case undefined:
        log.warn({ node }, 'dropped a message that this hub does not know: is the agent newer than the hub?');
    }
  }

  /** Always an answer: the pod waits for it. */
  async #token(
    node: string,
    { podUid, audience, expirationSeconds }: TokenRequest,
  ): Promise<Omit<TokenResult, '$typeName'>> {
    const { tokenOf, sealingKeyOf, log } = this.#options;
    const asked = { podUid, audience, expirationSeconds };
    const refused = (refusal: string) => ({
      ...asked,
      refusal,
      lifeSeconds: 0n,
      sealedToken: new Uint8Array(),
    });
    try {
      const given = await tokenOf(node, { podUid, audience, expirationSeconds: Number(expirationSeconds) });
      if ('refusal' in given) return refused(given.refusal);
      const key = sealingKeyOf(node);
      if (!key) return refused('this device has no key that a token could be sealed to');
      const sealedToken = seal(Buffer.from(given.token), key);
      return { ...asked, refusal: '', lifeSeconds: expirationSeconds, sealedToken };
    } catch (error) {
      log.error({ err: error, node, pod: podUid }, 'a token for a pod could not be made');
      return refused('the hub could not make it: its log says why');
    }
  }

  async #welcome(session: NodeSession, { held, sealingKey }: Hello): Promise<void> {
    const { sessions, registration, onHeld, hubVersion, log } = this.#options;
    const { node, connectionId, transport } = session;
    await registration.ensureNode(node, sealingKey);
    sessions.open(session);
    log.info({ node, transport, held: formatVersion(held) }, 'node connected');
    session.send({ case: 'welcome', value: { connectionId, hubVersion } });
    onHeld(node, held);
  }
}
