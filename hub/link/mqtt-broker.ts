import type { AddressInfo } from 'node:net';
import { createServer, type Server } from 'node:tls';
import { Aedes, type AuthenticateError, type Client } from 'aedes';
import type { Logger } from 'pino';
import { parseTopic } from '../../proto/topics.ts';
import { HUB_USER, holderOf, nodeOfUser } from '../security/node-identity.ts';
import { indexRetainedMessages, type RetainedMessages } from './retained-messages.ts';

export interface MqttBrokerOptions {
  readonly cluster: string;
  /** PEM. */
  readonly tls: { readonly key: string; readonly certificate: string; readonly ca: string };
  /** Whether the node enrolled with this key. */
  readonly isDeviceOf: (node: string, keyHash: string) => boolean;
  readonly log: Logger;
}

interface Holder {
  readonly user: string | undefined;
  readonly keyHash: string;
}

const NOT_AUTHORIZED = 5; // MQTT 3.1.1, table 3.1
const CONNECT_TIMEOUT_MS = 10_000;

/**
 * The embedded MQTT broker, on TLS with client certificates. Who a client is, and so its client id and its topics,
 * follows from its certificate alone: a node may publish to its own `up` and `presence`, and read its own `desired` and
 * `down`. It holds retained messages in memory: the hub publishes them again when it has been restarted.
 */
export class MqttBroker {
  readonly #options: MqttBrokerOptions;
  readonly #server: Server;
  /** Who each connection is: asked once, for a will is published when its connection cannot be asked any more. */
  readonly #holders = new WeakMap<object, Holder>();
  #aedes: Aedes | undefined;

  constructor(options: MqttBrokerOptions) {
    this.#options = options;
    const { key, certificate: cert, ca } = options.tls;
    this.#server = createServer({
      key,
      cert,
      ca,
      requestCert: true,
      rejectUnauthorized: true,
      noDelay: true,
    });
    this.#server.on('tlsClientError', (error) =>
      options.log.debug({ err: error }, 'a TLS handshake of an MQTT client failed'),
    );
  }

  /** Resolves with the port. */
  async listen(host: string, port: number): Promise<number> {
    const aedes = await Aedes.createBroker({
      connectTimeout: CONNECT_TIMEOUT_MS,
      authenticate: (client, _user, _password, done) => {
        const refusal = this.#refusal(client);
        done(refusal ? authenticateError(refusal) : null, refusal === undefined);
      },
      authorizePublish: (client, { topic }, done) =>
        done(this.#mayPublish(client, topic) ? null : forbidden(topic)),
      authorizeSubscribe: (client, subscription, done) => {
        const allowed = this.#maySubscribe(client, subscription.topic);
        done(allowed ? null : forbidden(subscription.topic), allowed ? subscription : null);
      },
      // A connection outlives what it was let in for: who was revoked since gets nothing more.
      authorizeForward: (client, packet) => (this.#isStillWho(client) ? packet : null),
    });
    indexRetainedMessages((aedes as unknown as { persistence: RetainedMessages }).persistence);
    aedes.on('clientError', (client, error) =>
      this.#options.log.debug({ err: error, client: client?.id }, 'an MQTT client failed'),
    );
    this.#aedes = aedes;
    this.#server.on('secureConnection', (socket) => {
      // TLS has verified the certificate, and refused who has none.
      this.#holders.set(socket, holderOf(socket.getPeerCertificate().raw));
      aedes.handle(socket);
    });
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, () => resolve((this.#server.address() as AddressInfo).port));
    });
  }

  /** Ends the node's connection if its holder is not the node's device any more. */
  endIfStranger(node: string): void {
    const { clients } = this.#aedes as unknown as { clients: Readonly<Record<string, Client>> };
    const client = clients[node];
    if (client && !this.#isStillWho(client)) client.close();
  }

  async close(): Promise<void> {
    const aedes = this.#aedes;
    if (aedes) await new Promise<void>((resolve) => aedes.close(resolve));
    this.#server.close();
  }

  #userOf({ conn }: Client): string | undefined {
    return this.#holders.get(conn)?.user;
  }

  /** Why a client may not come in; undefined when it may. */
  #refusal(client: Client): string | undefined {
    const user = this.#userOf(client);
    const expected = user === HUB_USER ? HUB_USER : nodeOfUser(user);
    if (!expected) return 'the certificate is no node of this hub';
    const { keyHash = '' } = this.#holders.get(client.conn) ?? {};
    if (user !== HUB_USER && !this.#options.isDeviceOf(expected, keyHash)) {
      return `node "${expected}" has enrolled with another key since: join again`;
    }
    return client.id === expected ? undefined : `the client id must be "${expected}"`;
  }

  #mayPublish(client: Client | null, topic: string): boolean {
    if (!client) return true; // the broker itself, for wills of clients that it has let in
    if (this.#userOf(client) === HUB_USER) return true;
    const parsed = parseTopic(this.#options.cluster, topic);
    const own = parsed?.node === nodeOfUser(this.#userOf(client));
    return own && this.#isStillWho(client) && (parsed?.channel === 'up' || parsed?.channel === 'presence');
  }

  #maySubscribe(client: Client, topic: string): boolean {
    if (this.#userOf(client) === HUB_USER) return true;
    const parsed = parseTopic(this.#options.cluster, topic);
    const own = parsed?.node === nodeOfUser(this.#userOf(client));
    return own && this.#isStillWho(client) && (parsed?.channel === 'desired' || parsed?.channel === 'down');
  }

  #isStillWho({ conn }: Client): boolean {
    const { user, keyHash = '' } = this.#holders.get(conn) ?? {};
    const node = nodeOfUser(user);
    return user === HUB_USER || (node !== undefined && this.#options.isDeviceOf(node, keyHash));
  }
}

function authenticateError(message: string): AuthenticateError {
  return Object.assign(new Error(message), { returnCode: NOT_AUTHORIZED as number }) as AuthenticateError;
}

function forbidden(topic: string): Error {
  return new Error(`topic "${topic}" is not this client's`);
}
