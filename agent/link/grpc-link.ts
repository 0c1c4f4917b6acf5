import { create } from '@bufbuild/protobuf';
import { type ClientDuplexStream, credentials, makeClientConstructor } from '@grpc/grpc-js';
import {
  type ConnectRequest,
  ConnectRequestSchema,
  type ConnectResponse,
  LinkService,
} from '../../proto/gen/holdfast/v1/link_pb.ts';
import { grpcService } from '../../proto/grpc.ts';
import type { Identity } from '../state/agent-state.ts';
import {
  type Connection,
  KEEP_ALIVE_SECONDS,
  type Link,
  type LinkHandlers,
  OPEN_TIMEOUT_MS,
  orAborted,
} from './link.ts';

type Stream = ClientDuplexStream<ConnectRequest, ConnectResponse>;

const KEEP_ALIVE_TIMEOUT_MS = 20_000;
const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;

const LinkClient = makeClientConstructor(grpcService(LinkService), LinkService.typeName);

/** The link as one bidirectional gRPC stream on mutual TLS. */
export class GrpcLink implements Link {
  readonly name = 'grpc';
  readonly #identity: Identity;

  constructor(identity: Identity) {
    this.#identity = identity;
  }

  async open(connectionId: string, handlers: LinkHandlers, signal: AbortSignal): Promise<Connection> {
    const { hub, caCertificate, certificate, key } = this.#identity;
    const channel = credentials.createSsl(
      Buffer.from(caCertificate),
      Buffer.from(key),
      Buffer.from(certificate),
    );
    const host = hub.host.includes(':') ? `[${hub.host}]` : hub.host;
    const client = new LinkClient(`${host}:${hub.grpcPort}`, channel, {
      'grpc.keepalive_time_ms': KEEP_ALIVE_SECONDS * 1000,
      'grpc.keepalive_timeout_ms': KEEP_ALIVE_TIMEOUT_MS,
      'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
      'grpc.enable_retries': 0,
      'grpc.enable_channelz': 0, // nobody asks for its statistics
      'grpc.use_local_subchannel_pool': 1, // a new connection is a new one, not what is left of the last
    });
    try {
      await orAborted(ready(client), signal);
    } catch (error) {
      client.close();
      throw error;
    }
    const stream = client['connect']?.() as Stream;
    const closed = endOf(stream).finally(() => client.close());
    stream.on('data', (message) => handlers.onMessage(message));
    return {
      closed,
      send: (body) => void stream.write(create(ConnectRequestSchema, { connectionId, body })),
      close: async () => {
        stream.end();
        await closed;
      },
      drop: () => stream.cancel(),
    };
  }
}

function ready(client: InstanceType<typeof LinkClient>): Promise<void> {
  return new Promise((resolve, reject) => {
    client.waitForReady(Date.now() + OPEN_TIMEOUT_MS, (error) => {
      if (error) reject(new Error('the hub cannot be reached over gRPC', { cause: error }));
      else resolve();
    });
  });
}

function endOf(stream: Stream): Promise<Error> {
  return new Promise((resolve) => {
    stream.once('error', resolve);
    stream.once('end', () => resolve(new Error('the hub ended the gRPC stream')));
  });
}
