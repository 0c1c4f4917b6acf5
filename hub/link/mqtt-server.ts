import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { connectAsync, type MqttClient } from 'mqtt';
import type { Logger } from 'pino';
import {
  ConnectRequestSchema,
  ConnectResponseSchema,
  PresenceSchema,
  type SignedSnapshot,
  SignedSnapshotSchema,
} from '../../proto/gen/holdfast/v1/link_pb.ts';
import { everyNode, parseTopic, topicOf } from '../../proto/topics.ts';
import type { KeyPair } from '../security/certificate-authority.ts';
import { HUB_USER } from '../security/node-identity.ts';
import type { LinkHandler, SessionTransport } from './link-handler.ts';
import type { DownMessage, Sessions } from './sessions.ts';

export interface MqttServerOptions {
  readonly cluster: string;
  readonly broker: { readonly host: string; readonly port: number };
  readonly ca: string;
  readonly pair: KeyPair;
  readonly handler: LinkHandler;
  readonly sessions: Sessions;
  readonly log: Logger;
}

const RECONNECT_MS = 1_000;

/** The link over MQTT, as the hub sees it: a client of the broker, the embedded one or another. */
export class MqttServer {
  readonly #options: MqttServerOptions;
  readonly #received = new Map<string, Promise<void>>(); // per node: messages are taken one after the other
  #client: MqttClient | undefined;

  constructor(options: MqttServerOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { broker, ca, pair, cluster, log } = this.#options;
    const client = await connectAsync({
      ...broker,
      protocol: 'mqtts',
      protocolVersion: 4,
      clientId: HUB_USER,
      clean: true,
      reconnectPeriod: RECONNECT_MS,
      ca,
      key: pair.key,
      cert: pair.certificate,
    });
    this.#client = client;
    client.on('message', (topic, payload) => this.#receive(topic, payload));
    client.on('error', (error) => log.error({ err: error }, 'the MQTT broker failed'));
    client.on('offline', () => log.warn('the MQTT broker cannot be reached: trying again'));
    await client.subscribeAsync([everyNode(cluster, 'up'), everyNode(cluster, 'presence')], { qos: 1 });
  }

  /** Retained: a node that is away, or whose hub is, gets it from the broker. */
  publishDesired(node: string, snapshot: SignedSnapshot): void {
    this.#publish(
      topicOf(this.#options.cluster, node, 'desired'),
      toBinary(SignedSnapshotSchema, snapshot),
      true,
    );
  }

  async close(): Promise<void> {
    await this.#client?.endAsync(true);
  }

  #receive(topic: string, payload: Buffer): void {
    const { cluster, log } = this.#options;
    const { node, channel } = parseTopic(cluster, topic) ?? {};
    if (!node) return;
    try {
      if (channel === 'presence') this.#presence(node, payload);
      else this.#message(node, payload);
    } catch (error) {
      log.warn({ err: error, node, topic }, 'dropped a message of the node that does not decode');
    }
  }

  /** An agent that comes says hello as well; one that goes is known by its will, if it is that of its newest connection. */
  #presence(node: string, payload: Buffer): void {
    const { connectionId, online } = fromBinary(PresenceSchema, payload);
    if (online) return;
    this.#enqueue(node, async () => this.#options.sessions.end(node, connectionId));
  }

  #message(node: string, payload: Buffer): void {
    const message = fromBinary(ConnectRequestSchema, payload);
    this.#enqueue(node, () => this.#options.handler.receive(node, message, this.#transport(node)));
  }

  #enqueue(node: string, task: () => Promise<void>): void {
    const { log } = this.#options;
    const after = (this.#received.get(node) ?? Promise.resolve()).then(task).catch((error: unknown) => {
      log.error({ err: error, node }, 'a message of the node could not be taken');
    });
    this.#received.set(node, after);
    void after.then(() => {
      if (this.#received.get(node) === after) this.#received.delete(node);
    });
  }

  #transport(node: string): SessionTransport {
    const topic = topicOf(this.#options.cluster, node, 'down');
    return {
      transport: 'mqtt',
      send: (body: DownMessage) =>
        this.#publish(topic, toBinary(ConnectResponseSchema, create(ConnectResponseSchema, { body })), false),
      offer: (snapshot) => this.publishDesired(node, snapshot),
      close: () => {}, // the broker has ended the older connection of the same client id
    };
  }

  #publish(topic: string, payload: Uint8Array, retain: boolean): void {
    this.#client?.publish(topic, Buffer.from(payload), { qos: 1, retain });
  }
}
