import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { connect, type MqttClient } from 'mqtt';
import {
  ConnectRequestSchema,
  type ConnectResponse,
  ConnectResponseSchema,
  PresenceSchema,
  SignedSnapshotSchema,
} from '../../proto/gen/holdfast/v1/link_pb.ts';
import { parseTopic, topicOf } from '../../proto/topics.ts';
import type { Identity } from '../state/agent-state.ts';
import {
  type Connection,
  KEEP_ALIVE_SECONDS,
  type Link,
  type LinkHandlers,
  OPEN_TIMEOUT_MS,
  orAborted,
  type UpMessage,
} from './link.ts';

/**
 * What writes MQTT's packets keeps the encoded length of each, as a buffer of two bytes, once for all packets that are as
 * long. Node cuts such buffers from blocks of 64 KiB, and one of them keeps all of its block: an agent whose messages have
 * some hundred lengths would hold tens of megabytes, and ever more. From small blocks it holds next to nothing.
 */
Buffer.poolSize = 256;

/** The link over MQTT 3.1.1 on TLS, through whichever broker the hub uses. */
export class MqttLink implements Link {
  readonly name = 'mqtt';
  readonly #identity: Identity;

  constructor(identity: Identity) {
    this.#identity = identity;
  }

  async open(connectionId: string, handlers: LinkHandlers, signal: AbortSignal): Promise<Connection> {
    const { cluster, node } = this.#identity;
    const client = connect(clientOptions(this.#identity, connectionId));
    const closed = endOf(client);
    try {
      await orAborted(Promise.race([opened(client), closed.then(rejectWith)]), signal);
      client.on('message', (topic, payload) => receive(cluster, topic, payload, handlers));
      const topics = [topicOf(cluster, node, 'desired'), topicOf(cluster, node, 'down')];
      await orAborted(
        Promise.race([client.subscribeAsync(topics, { qos: 1 }), closed.then(rejectWith)]),
        signal,
      );
      client.publish(topicOf(cluster, node, 'presence'), presence(connectionId, true), {
        qos: 1,
        retain: true,
      });
    } catch (error) {
      client.end(true);
      throw error;
    }
    const up = topicOf(cluster, node, 'up');
    return {
      closed,
      send: (body) => client.publish(up, encode(connectionId, body), { qos: qosOf(body) }),
      close: async () => {
        await client.publishAsync(topicOf(cluster, node, 'presence'), presence(connectionId, false), {
          qos: 1,
          retain: true,
        });
        await client.endAsync();
      },
      drop: () => void client.end(true),
    };
  }
}

function clientOptions(
  { cluster, node, hub, caCertificate, certificate, key }: Identity,
  connectionId: string,
) {
  return {
    host: hub.host,
    port: hub.mqttPort,
    protocol: 'mqtts' as const,
    protocolVersion: 4 as const,
    clientId: node, // the broker derives it from the certificate as well, and takes no other
    clean: true, // the snapshot is retained and the status is sent whole: a session has nothing to keep
    keepalive: KEEP_ALIVE_SECONDS,
    connectTimeout: OPEN_TIMEOUT_MS,
    reconnectPeriod: 0, // the session decides when to connect again, and how
    resubscribe: false,
    queueQoSZero: false,
    writeCache: false, // 15 MiB for a table of encoded numbers that small messages never use
    ca: caCertificate,
    cert: certificate,
    key,
    servername: serverName(hub.host),
    will: {
      topic: topicOf(cluster, node, 'presence'),
      payload: presence(connectionId, false),
      qos: 1 as const,
      retain: true,
    },
  };
}

/** TLS forbids addresses as server names. */
function serverName(host: string): string {
  return /^[\d.]+$/.test(host) || host.includes(':') ? '' : host;
}

function presence(connectionId: string, online: boolean): Buffer {
  return Buffer.from(toBinary(PresenceSchema, create(PresenceSchema, { connectionId, online })));
}

function encode(connectionId: string, body: UpMessage): Buffer {
  return Buffer.from(toBinary(ConnectRequestSchema, create(ConnectRequestSchema, { connectionId, body })));
}

/** State must arrive; of a stream, a lost piece ends the stream, and waiting for it would only hold up what follows. */
function qosOf(body: UpMessage): 0 | 1 {
  return body.case === 'streamData' ? 0 : 1;
}

function receive(
  cluster: string,
  topic: string,
  payload: Buffer,
  { onMessage, onGarbage }: LinkHandlers,
): void {
  let message: ConnectResponse;
  try {
    message = decode(parseTopic(cluster, topic)?.channel === 'desired', payload);
  } catch (error) {
    onGarbage(new Error(`a message on "${topic}" does not decode`, { cause: error }));
    return;
  }
  onMessage(message);
}

/** The desired topic carries the snapshot alone, for it is retained and outlives connections. */
function decode(isSnapshot: boolean, payload: Buffer): ConnectResponse {
  if (!isSnapshot) return fromBinary(ConnectResponseSchema, payload);
  const value = fromBinary(SignedSnapshotSchema, payload);
  return create(ConnectResponseSchema, { body: { case: 'snapshot', value } });
}

function opened(client: MqttClient): Promise<void> {
  return new Promise((resolve) => client.once('connect', () => resolve()));
}

function endOf(client: MqttClient): Promise<Error> {
  return new Promise((resolve) => {
    let reason = new Error('the MQTT connection was closed');
    client.on('error', (error) => {
      reason = error;
      client.end(true);
    });
    client.once('close', () => {
      client.end(true);
      resolve(reason);
    });
  });
}

function rejectWith(error: Error): never {
  throw error;
}
