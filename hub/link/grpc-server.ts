import type { AddressInfo } from 'node:net';
import { createServer, type TLSSocket, type Server as TlsServer } from 'node:tls';
import { create } from '@bufbuild/protobuf';
import {
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';
import type { Logger } from 'pino';
import {
  type AwaitApprovalRequest,
  type AwaitApprovalResponse,
  AwaitApprovalResponseSchema,
  EnrolmentService,
  type EnrolRequest,
  EnrolRequestSchema,
  type EnrolResponse,
  EnrolResponseSchema,
} from '../../proto/gen/holdfast/v1/enrolment_pb.ts';
import {
  type ConnectRequest,
  type ConnectResponse,
  ConnectResponseSchema,
  LinkService,
} from '../../proto/gen/holdfast/v1/link_pb.ts';
import { grpcService } from '../../proto/grpc.ts';
import { holderOf, nodeOfUser } from '../security/node-identity.ts';
import { EnrolmentRefused } from './enrolment-request.ts';
import type { LinkHandler } from './link-handler.ts';
import type { DownMessage, Sessions } from './sessions.ts';

type LinkStream = ServerDuplexStream<ConnectRequest, ConnectResponse>;

const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;
const KEEP_ALIVE_MS = 60_000;
const KEEP_ALIVE_TIMEOUT_MS = 20_000;
/** Clients may ping this often; ours do once a minute. */
const MIN_PING_INTERVAL_MS = 10_000;

const CODES = {
  unauthenticated: status.UNAUTHENTICATED,
  invalid: status.INVALID_ARGUMENT,
  exists: status.ALREADY_EXISTS,
  denied: status.PERMISSION_DENIED,
  full: status.RESOURCE_EXHAUSTED,
} as const satisfies Record<EnrolmentRefused['reason'], status>;

export interface GrpcServerOptions {
  /** PEM. */
  readonly tls: { readonly key: string; readonly certificate: string; readonly ca: string };
  readonly handler: LinkHandler;
  readonly sessions: Sessions;
  /** Whether the node enrolled with this key. */
  readonly isDeviceOf: (node: string, keyHash: string) => boolean;
  /** All of the answer to a device that enrols. Throws EnrolmentRefused. */
  readonly enrol: (request: EnrolRequest) => Promise<Omit<EnrolResponse, '$typeName'>>;
  /** The same for one that waits for approval: until then. */
  readonly awaitApproval: (
    request: EnrolRequest,
    signal: AbortSignal,
  ) => Promise<Omit<EnrolResponse, '$typeName'>>;
  /** Takes connections of devices that speak HTTP/1.1 here, for what is no message: images. */
  readonly onHttp: (socket: TLSSocket) => void;
  readonly log: Logger;
}

/** Enrolment and the link over gRPC, on one TLS port. Devices that enrol have no certificate yet; the link needs one. */
export class GrpcServer {
  readonly #listener: TlsServer;
  readonly #server: Server;
  readonly #options: GrpcServerOptions;

  constructor(options: GrpcServerOptions) {
    this.#options = options;
    const { key, certificate: cert, ca } = options.tls;
    this.#listener = createServer({
      key,
      cert,
      ca,
      requestCert: true,
      rejectUnauthorized: false, // what a peer may do follows from whether its certificate was verified
      minVersion: 'TLSv1.2',
      ALPNProtocols: ['h2', 'http/1.1'],
      noDelay: true,
    });
    this.#server = new Server({
      'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
      'grpc.keepalive_time_ms': KEEP_ALIVE_MS,
      'grpc.keepalive_timeout_ms': KEEP_ALIVE_TIMEOUT_MS,
      'grpc.http2.min_ping_interval_without_data_ms': MIN_PING_INTERVAL_MS,
    });
    this.#server.addService(grpcService(EnrolmentService), {
      enrol: (call: ServerUnaryCall<EnrolRequest, EnrolResponse>, done: sendUnaryData<EnrolResponse>) =>
        void this.#enrol(call.request, done),
      awaitApproval: (
        call: ServerUnaryCall<AwaitApprovalRequest, AwaitApprovalResponse>,
        done: sendUnaryData<AwaitApprovalResponse>,
      ) => void this.#awaitApproval(call, done),
    });
    this.#server.addService(grpcService(LinkService), {
      connect: (stream: LinkStream) => this.#connect(stream),
    });
  }

  /** Resolves with the port. */
  listen(host: string, port: number): Promise<number> {
    const connections = this.#server.createConnectionInjector(ServerCredentials.createInsecure());
    // TLS is ours: grpc-js either asks for no certificate or refuses who has none, and here who has none may enrol.
    this.#listener.on('secureConnection', (socket) => {
      if (socket.alpnProtocol === 'http/1.1') this.#options.onHttp(socket);
      else connections.injectConnection(socket);
    });
    return new Promise((resolve, reject) => {
      this.#listener.once('error', reject);
      this.#listener.listen(port, host, () => resolve((this.#listener.address() as AddressInfo).port));
    });
  }

  close(): void {
    this.#listener.close();
    this.#server.forceShutdown();
  }

  async #enrol(request: EnrolRequest, done: sendUnaryData<EnrolResponse>): Promise<void> {
    const { log, enrol } = this.#options;
    try {
      const response = await enrol(request);
      if (response.pending)
        log.info({ node: request.nodeName, request: response.pending }, 'node waits for approval');
      else log.info({ node: request.nodeName }, 'node enrolled');
      done(null, create(EnrolResponseSchema, response));
    } catch (error) {
      done(this.#failure(request, error));
    }
  }

  async #awaitApproval(
    call: ServerUnaryCall<AwaitApprovalRequest, AwaitApprovalResponse>,
    done: sendUnaryData<AwaitApprovalResponse>,
  ): Promise<void> {
    const { log, awaitApproval } = this.#options;
    const request = call.request.request ?? create(EnrolRequestSchema);
    const over = new AbortController();
    call.once('cancelled', () => over.abort(new Error('the device has gone')));
    try {
      const response = await awaitApproval(request, over.signal);
      log.info({ node: request.nodeName }, 'node enrolled');
      done(null, create(AwaitApprovalResponseSchema, { response }));
    } catch (error) {
      if (!over.signal.aborted) done(this.#failure(request, error));
    }
  }

  #failure({ nodeName: node }: EnrolRequest, error: unknown): { code: status; details: string } {
    const { log } = this.#options;
    if (error instanceof EnrolmentRefused) {
      log.warn({ node, reason: error.message }, 'enrolment refused');
      return { code: CODES[error.reason], details: error.message };
    }
    log.error({ err: error, node }, 'enrolment failed');
    return { code: status.INTERNAL, details: 'the hub could not enrol the device: see its log' };
  }

  #connect(stream: LinkStream): void {
    const { node, keyHash } = peerOf(stream) ?? {};
    if (!node || !keyHash || !this.#options.isDeviceOf(node, keyHash)) {
      stream.emit('error', {
        code: status.UNAUTHENTICATED,
        details: 'a certificate is needed, of a node and with the key that it enrolled with: join again',
      });
      return;
    }
    const { handler, sessions, isDeviceOf, log } = this.#options;
    const send = (body: DownMessage) => void stream.write(create(ConnectResponseSchema, { body }));
    const transport = {
      transport: 'grpc' as const,
      send,
      offer: (value: NonNullable<DownMessage & { case: 'snapshot' }>['value']) =>
        send({ case: 'snapshot', value }),
      close: () => stream.end(),
    };
    let connectionId: string | undefined;
    let received = Promise.resolve();
    stream.on('data', (message: ConnectRequest) => {
      // A connection outlives what it was let in for: who was revoked since is heard no more.
      if (!isDeviceOf(node, keyHash)) {
        stream.end();
        return;
      }
      connectionId ??= message.connectionId;
      received = received
        .then(() => handler.receive(node, message, transport))
        .catch((error: unknown) => {
          log.error({ err: error, node }, 'a message of the node could not be taken: closing its connection');
          stream.end();
        });
    });
    const over = () => {
      if (connectionId) sessions.end(node, connectionId);
    };
    stream.on('end', () => stream.end());
    stream.on('close', over);
    stream.on('cancelled', over);
    stream.on('error', over);
  }
}

/** Who the peer is by its verified certificate (of others grpc-js tells nothing); undefined for who is no node. */
function peerOf(stream: LinkStream): { node: string; keyHash: string } | undefined {
  const { sslPeerCertificate } = stream.getAuthContext();
  if (!sslPeerCertificate?.raw) return undefined;
  const { user, keyHash } = holderOf(sslPeerCertificate.raw);
  const node = nodeOfUser(user);
  return node === undefined ? undefined : { node, keyHash };
}
