import { createPublicKey, verify } from 'node:crypto';
import { enrolmentProof } from '../../proto/enrolment-proof.ts';
import type { EnrolRequest } from '../../proto/gen/holdfast/v1/enrolment_pb.ts';
import type { Registry } from '../registry/registry.ts';
import { subdomainNameErrors } from '../resources/names.ts';
import type { KubeObject } from '../resources/object.ts';
import { nodes } from '../resources/table-of-resources.ts';
import type { CertificateAuthority } from '../security/certificate-authority.ts';
import { redeemJoinToken } from '../security/join-tokens.ts';
import {
  KEY_ANNOTATION,
  keyHash,
  NODES_GROUP,
  SEALING_KEY_ANNOTATION,
  userOfNode,
} from '../security/node-identity.ts';
import { Limit } from '../sync/limit.ts';

/** The life of a device: there is no renewal yet, and who holds another key than the pinned one is refused anyway. */
const CERTIFICATE_DAYS = 3650;
const MANAGER = { fieldManager: 'holdfast-hub' };

/** Enrolment was refused: the message is for the person at the device. */
export class EnrolmentRefused extends Error {
  readonly reason: 'unauthenticated' | 'invalid' | 'exists';

  constructor(reason: EnrolmentRefused['reason'], message: string) {
    super(message);
    this.name = 'EnrolmentRefused';
    this.reason = reason;
  }
}

export interface NodeRegistrationOptions {
  readonly registry: Registry;
  readonly ca: CertificateAuthority;
  readonly now: () => number;
}

/** Makes devices nodes: checks their tokens, issues their certificates, keeps their Node objects. */
export class NodeRegistration {
  readonly #options: NodeRegistrationOptions;
  /** One after the other: a whole fleet joins with one token, and its uses would be written over each other. */
  readonly #redemptions = new Limit(1);

  constructor(options: NodeRegistrationOptions) {
    this.#options = options;
  }

  /** The device's certificate, PEM. Throws EnrolmentRefused. */
  async enrol(request: EnrolRequest): Promise<string> {
    const { registry, ca, now } = this.#options;
    const { nodeName, publicKey, sealingKey } = request;
    checkRequest(request);
    const known = registry.get(nodes, undefined, nodeName)?.metadata.annotations?.[KEY_ANNOTATION];
    if (known && known !== keyHash(publicKey)) {
      throw new EnrolmentRefused(
        'exists',
        `node "${nodeName}" is enrolled with another key: choose another --node-name, or, if this device replaces it, ` +
          `delete it first with "kubectl delete node ${nodeName}"`,
      );
    }
    const refusal = await this.#redemptions.run(() => redeemJoinToken(registry, request.token, now()));
    if (refusal) throw new EnrolmentRefused('unauthenticated', refusal);
    await this.#pinKeys(nodeName, keyHash(publicKey), Buffer.from(sealingKey).toString('base64'));
    const subject = { user: userOfNode(nodeName), groups: [NODES_GROUP] };
    return ca.issueClient(subject, publicKey, CERTIFICATE_DAYS);
  }

  /** The Node object of a device that has said hello: made again if somebody deleted it, as the kubelet does. */
  async ensureNode(node: string, sealingKey: Uint8Array): Promise<void> {
    const { registry } = this.#options;
    if (registry.get(nodes, undefined, node)) return;
    const annotations = { [SEALING_KEY_ANNOTATION]: Buffer.from(sealingKey).toString('base64') };
    const object = { ...newNode(node), metadata: { name: node, annotations } };
    await registry.modify(nodes, undefined, node, (current) => current ?? object, MANAGER);
  }

  /** Whether the holder of this key is the device that the Node stands for, and not one that had its name before. */
  isDeviceOf(node: string, hash: string): boolean {
    const pinned = this.#options.registry.get(nodes, undefined, node)?.metadata.annotations?.[KEY_ANNOTATION];
    return pinned === undefined || pinned === hash;
  }

  async #pinKeys(node: string, hash: string, sealingKey: string): Promise<void> {
    const pinned = { [KEY_ANNOTATION]: hash, [SEALING_KEY_ANNOTATION]: sealingKey };
    await this.#options.registry.modify(
      nodes,
      undefined,
      node,
      (current = newNode(node)) => {
        const { metadata } = current;
        return { ...current, metadata: { ...metadata, annotations: { ...metadata.annotations, ...pinned } } };
      },
      MANAGER,
    );
  }
}

function newNode(name: string): KubeObject {
  return { apiVersion: 'v1', kind: 'Node', metadata: { name }, spec: {} };
}

function checkRequest(request: EnrolRequest): void {
  const { nodeName, publicKey, sealingKey, proof } = request;
  if (subdomainNameErrors(nodeName).length > 0) {
    throw new EnrolmentRefused(
      'invalid',
      `"${nodeName}" cannot be a node's name: it must be a DNS subdomain`,
    );
  }
  if (keyType(publicKey) !== 'ec' || keyType(sealingKey) !== 'x25519') {
    throw new EnrolmentRefused('invalid', 'the keys of the request must be ECDSA P-256 and X25519, SPKI DER');
  }
  const key = createPublicKey({ key: Buffer.from(publicKey), format: 'der', type: 'spki' });
  if (!verify('sha256', enrolmentProof(request), key, proof)) {
    throw new EnrolmentRefused('invalid', 'the proof of the request is not signed by its key');
  }
}

function keyType(spki: Uint8Array): string | undefined {
  try {
    return createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' }).asymmetricKeyType;
  } catch {
    return undefined;
  }
}
