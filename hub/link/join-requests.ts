import type { EnrolRequest } from '../../proto/gen/holdfast/v1/enrolment_pb.ts';
import type { Registry } from '../registry/registry.ts';
import { certificateSigningRequests } from '../resources/table-of-resources.ts';
import type { CertificateSigningRequestObject } from '../resources/typed.ts';
import { parseCertificateRequest } from '../security/certificate-request.ts';
import {
  JOIN_SIGNER,
  JOIN_TOKEN_LABEL,
  JOIN_USAGES,
  joinVerdict,
  SEALING_KEY_EXTRA,
} from '../security/join-approval.ts';
import { keyHash, nodeOfUser } from '../security/node-identity.ts';
import { EnrolmentRefused } from './enrolment-request.ts';

/** Who may wait at the same time: somebody has to look at each. */
const MOST_PENDING = 1_000;
const NODE_CHARACTERS = 200;
const KEY_CHARACTERS = 10;
const TOKEN_USER = 'system:holdfast:join-token:';
const MANAGER = 'holdfast-hub';

export interface JoinRequestsOptions {
  readonly registry: Registry;
  /** How many may wait (1,000). */
  readonly most?: number;
}

/**
 * Devices that wait until somebody approves them, each as a CertificateSigningRequest. Who asks, and the key for its
 * secrets, are in parts of it that nobody can change after its creation.
 */
export class JoinRequests {
  readonly #registry: Registry;
  readonly #most: number;
  readonly #waiting = new Map<string, () => void>(); // by the request's name
  readonly #stopWatching: () => void;

  constructor({ registry, most = MOST_PENDING }: JoinRequestsOptions) {
    this.#registry = registry;
    this.#most = most;
    this.#stopWatching = registry.watch(
      certificateSigningRequests,
      { fromRevision: registry.revision },
      (event) => {
        if (event.type !== 'SYNCED') this.#waiting.get(event.object.metadata.name ?? '')?.();
      },
    );
  }

  /** The name of this device's own request, if there is one. */
  find({ nodeName, publicKey }: EnrolRequest): string | undefined {
    const name = nameOf(nodeName, publicKey);
    return this.#get(name) && name;
  }

  /** Throws EnrolmentRefused when this device can not be one of those who wait. */
  checkPlace({ nodeName, certificateRequest, publicKey }: EnrolRequest): void {
    if (!isFor(certificateRequest, nodeName, publicKey))
      throw new EnrolmentRefused(
        'invalid',
        'the join token asks for an approval, and this agent sent no certificate request for that: use a newer agent',
      );
    const { items } = this.#registry.list(certificateSigningRequests);
    const pending = (items as CertificateSigningRequestObject[]).filter(
      (each) => each.spec.signerName === JOIN_SIGNER && joinVerdict(each) === 'pending',
    );
    const same = pending.find(({ spec }) => nodeOf(spec.request) === nodeName);
    if (same)
      throw new EnrolmentRefused(
        'exists',
        `another device waits for approval as "${nodeName}" (request ${same.metadata.name}): choose another --node-name, or have that one denied`,
      );
    if (pending.length >= this.#most)
      throw new EnrolmentRefused(
        'full',
        `${pending.length} devices wait for approval, and no more may: approve or deny some ("holdfast node pending")`,
      );
  }

  /** Resolves with the request's name. */
  async file(
    { nodeName, publicKey, certificateRequest, sealingKey }: EnrolRequest,
    tokenId: string,
  ): Promise<string> {
    const name = nameOf(nodeName, publicKey);
    await this.#registry.create(
      certificateSigningRequests,
      {
        apiVersion: 'certificates.k8s.io/v1',
        kind: 'CertificateSigningRequest',
        metadata: { name, labels: { [JOIN_TOKEN_LABEL]: tokenId } },
        spec: { request: pemOf(certificateRequest), signerName: JOIN_SIGNER, usages: [...JOIN_USAGES] },
      },
      {
        fieldManager: MANAGER,
        requester: {
          name: `${TOKEN_USER}${tokenId}`,
          groups: [],
          extra: { [SEALING_KEY_EXTRA]: [Buffer.from(sealingKey).toString('base64')] },
        },
      },
    );
    return name;
  }

  /**
   * Resolves when the device's request has a certificate, or is gone. Throws EnrolmentRefused when it gets none. One
   * call waits for each request: a newer one ends the one before.
   */
  async decided(request: EnrolRequest, signal: AbortSignal): Promise<void> {
    const name = nameOf(request.nodeName, request.publicKey);
    this.#waiting.get(name)?.();
    for (;;) {
      const found = this.#get(name);
      const verdict = found && joinVerdict(found);
      if (!found || verdict === 'issued') return;
      if (verdict === 'denied' || verdict === 'failed') throw refusalOf(found, verdict);
      signal.throwIfAborted();
      await this.#change(name, signal);
    }
  }

  close(): void {
    this.#stopWatching();
  }

  async #change(name: string, signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.set(name, resolve);
    signal.addEventListener('abort', () => resolve(), { once: true });
    await promise;
    const isNewest = this.#waiting.get(name) === resolve;
    if (isNewest) this.#waiting.delete(name);
    signal.throwIfAborted();
    if (!isNewest) throw new Error('the device asks on another connection');
  }

  #get(name: string): CertificateSigningRequestObject | undefined {
    return this.#registry.get(certificateSigningRequests, undefined, name) as
      | CertificateSigningRequestObject
      | undefined;
  }
}

function nameOf(node: string, publicKey: Uint8Array): string {
  return `${node.slice(0, NODE_CHARACTERS)}-${keyHash(publicKey).slice(0, KEY_CHARACTERS)}`;
}

/** PEM in base64, as the object has it. */
function pemOf(der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  const pem = `-----BEGIN CERTIFICATE REQUEST-----\n${lines.join('\n')}\n-----END CERTIFICATE REQUEST-----\n`;
  return Buffer.from(pem).toString('base64');
}

function nodeOf(request: string): string | undefined {
  return nodeOfUser(parseCertificateRequest(request)?.commonName);
}

/** That it is genuine is looked at before it is signed. */
function isFor(der: Uint8Array, node: string, publicKey: Uint8Array): boolean {
  const parsed = der.length > 0 ? parseCertificateRequest(pemOf(der)) : undefined;
  return (
    nodeOfUser(parsed?.commonName) === node && Buffer.from(publicKey).equals(parsed?.publicKey ?? Buffer.of())
  );
}

function refusalOf(
  { metadata, status }: CertificateSigningRequestObject,
  verdict: 'denied' | 'failed',
): EnrolmentRefused {
  const type = verdict === 'denied' ? 'Denied' : 'Failed';
  const why = status?.conditions?.find((each) => each.type === type)?.message;
  return new EnrolmentRefused(
    'denied',
    `request ${metadata.name} ${verdict === 'denied' ? 'was denied' : 'could not be granted'}${why ? `: ${why}` : ''}`,
  );
}
