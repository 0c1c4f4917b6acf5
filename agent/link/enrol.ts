import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
} from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type DetailedPeerCertificate, connect as tlsConnect } from 'node:tls';
import { create } from '@bufbuild/protobuf';
import { credentials, makeClientConstructor, type ServiceError, status } from '@grpc/grpc-js';
import { enrolmentProof } from '../../proto/enrolment-proof.ts';
import {
  AwaitApprovalRequestSchema,
  type AwaitApprovalResponse,
  EnrolmentService,
  type EnrolRequest,
  EnrolRequestSchema,
  type EnrolResponse,
} from '../../proto/gen/holdfast/v1/enrolment_pb.ts';
import { grpcService } from '../../proto/grpc.ts';
import type { JoinToken } from '../../proto/join-token.ts';
import { newSealingKey } from '../../proto/seal.ts';
import { monotonicMs } from '../monotonic.ts';
import type { Identity } from '../state/agent-state.ts';
import { certificateRequest } from './certificate-request.ts';
import { KEEP_ALIVE_SECONDS } from './link.ts';

const TIMEOUT_MS = 15_000;

const EnrolmentClient = makeClientConstructor(grpcService(EnrolmentService), EnrolmentService.typeName);

/** PEM: of the certificate, and X25519 for secrets. */
export type DeviceKeys = Pick<Identity, 'key' | 'sealingKey'>;

export interface EnrolOptions {
  readonly host: string;
  /** The hub's gRPC port. */
  readonly port: number;
  readonly node: string;
  readonly token: JoinToken;
  /** New ones when absent. */
  readonly keys?: DeviceKeys;
  /** Somebody has to approve this device: the name of its request, and the hash of its key. */
  readonly onPending?: (request: string, keyHash: string) => void;
  /** The hub could not be asked while the device waited; it is asked again. */
  readonly onCutOff?: (error: Error) => void;
}

/** The hub has decided against this device, for good. */
export class EnrolmentDenied extends Error {}

const RETRY_MS = { first: 1_000, longest: 60_000 };

export function newDeviceKeys(): DeviceKeys {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
  return { key, sealingKey: newSealingKey().key };
}

/**
 * Makes this device known to a hub: makes sure of the hub by the CA hash in the token, and exchanges the token for a
 * certificate on the device's keys, which takes until somebody has approved it if the token asks for that. With the same
 * keys it can be asked again. Throws an error that says what to do.
 */
export async function enrol(options: EnrolOptions): Promise<Identity> {
  const { host, port, node, token, keys = newDeviceKeys() } = options;
  const caCertificate = await fetchCa(host, port, token.caHash);
  const key = createPrivateKey(keys.key);
  const publicKey = spkiOf(key);
  const request = create(EnrolRequestSchema, {
    token: token.credential,
    nodeName: node,
    publicKey,
    sealingKey: spkiOf(createPrivateKey(keys.sealingKey)),
    certificateRequest: certificateRequest(node, key, publicKey),
  });
  request.proof = sign('sha256', enrolmentProof(request), key);
  const at = { host, port, caCertificate };
  const first = await call<EnrolResponse>(at, 'enrol', request);
  if (first.pending) options.onPending?.(first.pending, createHash('sha256').update(publicKey).digest('hex'));
  const response = first.pending ? await approval(at, request, options) : first;
  return {
    cluster: response.cluster,
    node,
    hub: { host, grpcPort: port, mqttPort: response.mqttPort },
    caCertificate,
    certificate: response.certificate,
    ...keys,
    snapshotKey: Buffer.from(response.snapshotKey).toString('base64'),
  };
}

function spkiOf(key: KeyObject): Buffer {
  return createPublicKey(key).export({ format: 'der', type: 'spki' });
}

/** The hub answers when somebody has decided: asked again only after the connection, or the hub, has ended. */
async function approval(at: Hub, request: EnrolRequest, { onCutOff }: EnrolOptions): Promise<EnrolResponse> {
  const asked = create(AwaitApprovalRequestSchema, { request });
  for (let delayMs = RETRY_MS.first; ; delayMs = Math.min(delayMs * 2, RETRY_MS.longest)) {
    const startedAt = monotonicMs();
    try {
      const answer = await call<AwaitApprovalResponse>(at, 'awaitApproval', asked, Number.POSITIVE_INFINITY);
      if (answer.response) return answer.response;
      throw new Error('the hub answered nothing');
    } catch (error) {
      if (!isCutOff(error as Error)) throw error;
      onCutOff?.(error as Error);
    }
    if (monotonicMs() - startedAt > RETRY_MS.longest) delayMs = RETRY_MS.first;
    // Half of it by chance: all who wait lose their hub at once.
    await sleep(delayMs * (0.5 + Math.random() / 2));
  }
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

interface Hub {
  readonly host: string;
  readonly port: number;
  readonly caCertificate: string;
}

async function call<Response>(
  { host, port, caCertificate }: Hub,
  method: 'enrol' | 'awaitApproval',
  request: object,
  timeoutMs = TIMEOUT_MS,
): Promise<Response> {
  const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  const client = new EnrolmentClient(address, credentials.createSsl(Buffer.from(caCertificate)), {
    'grpc.keepalive_time_ms': KEEP_ALIVE_SECONDS * 1000,
  });
  try {
    return await new Promise<Response>((resolve, reject) => {
      const options = {
        deadline: timeoutMs === Number.POSITIVE_INFINITY ? timeoutMs : Date.now() + timeoutMs,
      };
      client[method]?.(request, options, (error: ServiceError | null, response: Response) => {
        if (error) reject(refusal(error));
        else resolve(response);
      });
    });
  } finally {
    client.close();
  }
}

const ANSWERS: readonly number[] = [
  status.UNAUTHENTICATED,
  status.INVALID_ARGUMENT,
  status.ALREADY_EXISTS,
  status.PERMISSION_DENIED,
  status.RESOURCE_EXHAUSTED,
];

/** The hub's own sentence, when the hub answered. */
function refusal(cause: ServiceError): Error {
  const { code, details } = cause;
  if (code === status.PERMISSION_DENIED) return new EnrolmentDenied(`the hub refused: ${details}`, { cause });
  return new Error(ANSWERS.includes(code) ? `the hub refused: ${details}` : `enrolment failed: ${details}`, {
    cause,
  });
}

const CUT_OFF: readonly number[] = [
  status.UNAVAILABLE,
  status.CANCELLED,
  status.DEADLINE_EXCEEDED,
  status.INTERNAL,
  status.UNKNOWN,
];

function isCutOff({ cause }: Error): boolean {
  return CUT_OFF.includes((cause as ServiceError | undefined)?.code ?? -1);
}
