import { createHash, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { type DetailedPeerCertificate, connect as tlsConnect } from 'node:tls';
import { create } from '@bufbuild/protobuf';
import { credentials, makeClientConstructor, type ServiceError, status } from '@grpc/grpc-js';
import { enrolmentProof } from '../../proto/enrolment-proof.ts';
import {
  EnrolmentService,
  EnrolRequestSchema,
  type EnrolResponse,
} from '../../proto/gen/holdfast/v1/enrolment_pb.ts';
import { grpcService } from '../../proto/grpc.ts';
import type { JoinToken } from '../../proto/join-token.ts';
import { newSealingKey } from '../../proto/seal.ts';
import type { Identity } from '../state/agent-state.ts';

const TIMEOUT_MS = 15_000;

const EnrolmentClient = makeClientConstructor(grpcService(EnrolmentService), EnrolmentService.typeName);

export interface EnrolOptions {
  readonly host: string;
  /** The hub's gRPC port. */
  readonly port: number;
  readonly node: string;
  readonly token: JoinToken;
}

/**
 * Makes this device known to a hub: makes its keys, makes sure of the hub by the CA hash in the token, and exchanges the
 * token for a certificate. Throws an error that says what to do.
 */
export async function enrol({ host, port, node, token }: EnrolOptions): Promise<Identity> {
  const caCertificate = await fetchCa(host, port, token.caHash);
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const publicKey = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  const sealing = newSealingKey();
  const request = create(EnrolRequestSchema, {
    token: token.credential,
    nodeName: node,
    publicKey,
    sealingKey: sealing.publicKey,
  });
  request.proof = sign('sha256', enrolmentProof(request), privateKey);
  const response = await call(host, port, caCertificate, request);
  return {
    cluster: response.cluster,
    node,
    hub: { host, grpcPort: port, mqttPort: response.mqttPort },
    caCertificate,
    certificate: response.certificate,
    key: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
    sealingKey: sealing.key,
    snapshotKey: Buffer.from(response.snapshotKey).toString('base64'),
  };
}

/**
 * The CA certificate that the hub shows in its handshake, if it is the one the token pins. Nothing is sent on this
 * connection: until the hash is checked, anybody may be at its other end.
 */
function fetchCa(host: string, port: number, caHash: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const unreachable = (error: Error) =>
      reject(
        new Error(`the hub at ${host}:${port} cannot be reached: check --hub and that the port is open`, {
          cause: error,
        }),
      );
    const socket = tlsConnect({
      host,
      port,
      rejectUnauthorized: false,
      ALPNProtocols: ['h2'],
      timeout: TIMEOUT_MS,
    });
    socket.once('error', unreachable);
    socket.once('timeout', () => socket.destroy(new Error('no answer')));
    socket.once('secureConnect', () => {
      const shown = chainOf(socket.getPeerCertificate(true));
      socket.destroy();
      const pinned = shown.find((der) => createHash('sha256').update(der).digest('hex') === caHash);
      if (pinned) resolve(toPem(pinned));
      else {
        reject(
          new Error(
            `the hub at ${host}:${port} is not the one that made this token: its CA certificate has another hash; ` +
              'check --hub, or make a new token on that hub',
          ),
        );
      }
    });
  });
}

function chainOf(certificate: DetailedPeerCertificate): Buffer[] {
  const chain: Buffer[] = [];
  for (let at: DetailedPeerCertificate | undefined = certificate; at?.raw; at = at.issuerCertificate) {
    chain.push(at.raw);
    if (at.issuerCertificate === at) break;
  }
  return chain;
}

function toPem(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

async function call(
  host: string,
  port: number,
  caCertificate: string,
  request: object,
): Promise<EnrolResponse> {
  const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  const client = new EnrolmentClient(address, credentials.createSsl(Buffer.from(caCertificate)));
  try {
    return await new Promise<EnrolResponse>((resolve, reject) => {
      const deadline = { deadline: Date.now() + TIMEOUT_MS };
      client['enrol']?.(request, deadline, (error: ServiceError | null, response: EnrolResponse) => {
        if (error) reject(new Error(refusal(error), { cause: error }));
        else resolve(response);
      });
    });
  } finally {
    client.close();
  }
}

/** The hub's own sentence, when the hub answered. */
function refusal({ code, details }: ServiceError): string {
  const answered: number[] = [status.UNAUTHENTICATED, status.INVALID_ARGUMENT, status.ALREADY_EXISTS];
  return answered.includes(code) ? `the hub refused: ${details}` : `enrolment failed: ${details}`;
}
