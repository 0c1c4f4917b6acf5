import { createPublicKey, verify } from 'node:crypto';
import { enrolmentProof } from '../../proto/enrolment-proof.ts';
import type { EnrolRequest } from '../../proto/gen/holdfast/v1/enrolment_pb.ts';
import type { Registry } from '../registry/registry.ts';
import { subdomainNameErrors } from '../resources/names.ts';
import type { KubeObject } from '../resources/object.ts';
import { nodes } from '../resources/table-of-resources.ts';
import type { CertificateAuthority } from '../security/certificate-authority.ts';
import { readJoinToken, redeemJoinToken, type TokenTerms } from '../security/join-tokens.ts';
import {
  isRevokedKey,
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
  /** Another device is the node's from now on. */
  readonly onReplaced: (node: string) => void;
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
    const { registry, ca, now, onReplaced } = this.#options;
    const { nodeName, publicKey, token } = request;
    checkRequest(request);
    const bearer = { credential: token, node: nodeName };
    const found = readJoinToken(registry, bearer, now());
    if ('refusal' in found) throw new EnrolmentRefused('unauthenticated', found.refusal);
    const before = this.#checkName(nodeName, keyHash(publicKey), found.terms);
    const refusal = await this.#redemptions.run(() => redeemJoinToken(registry, bearer, now()));
    if (refusal) throw new EnrolmentRefused('unauthenticated', refusal);
    await this.#pinKeys(request, found.terms);
    if (before !== undefined && before !== keyHash(publicKey)) onReplaced(nodeName);
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

  /** The key of the device that has the name now. Throws EnrolmentRefused when this one may not take it. */
  #checkName(node: string, hash: string, terms: TokenTerms): string | undefined {
    const known = this.#options.registry.get(nodes, undefined, node)?.metadata.annotations?.[KEY_ANNOTATION];
    const problem = nameProblem(node, known, hash, terms);
    if (problem) throw new EnrolmentRefused('exists', problem);
    return known;
  }

  async #pinKeys({ nodeName, publicKey, sealingKey }: EnrolRequest, terms: TokenTerms): Promise<void> {
    const hash = keyHash(publicKey);
    const pinned = {
      [KEY_ANNOTATION]: hash,
      [SEALING_KEY_ANNOTATION]: Buffer.from(sealingKey).toString('base64'),
    };
    await this.#options.registry.modify(
      nodes,
      undefined,
      nodeName,
      (current = newNode(nodeName)) => {
        const { metadata } = current;
        // Another device may have come under the same name since it was looked at.
        const problem = nameProblem(nodeName, metadata.annotations?.[KEY_ANNOTATION], hash, terms);
        if (problem) throw new EnrolmentRefused('exists', problem);
        return { ...current, metadata: { ...metadata, annotations: { ...metadata.annotations, ...pinned } } };
      },
      MANAGER,
    );
  }
}

/** Why a device with this key may not have the name; undefined when it may. Pure. */
export function nameProblem(
  node: string,
  known: string | undefined,
  hash: string,
  { replaces }: Pick<TokenTerms, 'replaces'>,
): string | undefined {
  if (known === undefined || known === hash) return undefined;
  if (!replaces)
    return (
      `node "${node}" is enrolled with another key: choose another --node-name, or, if this device replaces it, ` +
      `join with the token of "holdfast node replace ${node}"`
    );
  // The token is for the place of the device that had it then. One that was revoked since has lost it anyway.
  if (replaces.key === known || isRevokedKey(known)) return undefined;
  return `node "${node}" has had another device since this token was made: make a new one with "holdfast node replace ${node}"`;
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
