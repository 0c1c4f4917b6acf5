import type { EnrolRequest } from '../../proto/gen/holdfast/v1/enrolment_pb.ts';
import { Limit } from '../../proto/limit.ts';
import type { Registry } from '../registry/registry.ts';
import type { KubeObject } from '../resources/object.ts';
import { nodes } from '../resources/table-of-resources.ts';
import type { CertificateSigningRequestObject } from '../resources/typed.ts';
import type { CertificateAuthority } from '../security/certificate-authority.ts';
import { parseCertificateRequest } from '../security/certificate-request.ts';
import { SEALING_KEY_EXTRA } from '../security/join-approval.ts';
import { readJoinToken, redeemJoinToken, type TokenTerms } from '../security/join-tokens.ts';
import {
  KEY_ANNOTATION,
  keyHash,
  NODES_GROUP,
  nodeOfUser,
  SEALING_KEY_ANNOTATION,
  userOfNode,
} from '../security/node-identity.ts';
import { checkRequest, EnrolmentRefused, nameProblem } from './enrolment-request.ts';
import type { JoinRequests } from './join-requests.ts';

/** The life of a device: there is no renewal yet, and who holds another key than the pinned one is refused anyway. */
const CERTIFICATE_DAYS = 3650;
const MANAGER = { fieldManager: 'holdfast-hub' };

/** The device's certificate, PEM, or the name of the request that waits for approval. */
export type Enrolled = { readonly certificate: string } | { readonly pending: string };

/** What becomes of a request that was approved. */
export type Admission = { readonly certificate: string } | { readonly problem: string };

interface DeviceKeys {
  readonly node: string;
  readonly hash: string;
  /** SPKI DER, base64. */
  readonly sealingKey: string;
}

export interface NodeRegistrationOptions {
  readonly registry: Registry;
  readonly ca: CertificateAuthority;
  readonly requests: JoinRequests;
  readonly now: () => number;
  /** Another device is about to become the node's: nothing of it has been sent yet. */
  readonly onReplacing: (node: string) => Promise<void>;
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

  /** Throws EnrolmentRefused. */
  async enrol(request: EnrolRequest): Promise<Enrolled> {
    const { registry, requests, now, onReplacing, onReplaced } = this.#options;
    const { nodeName, publicKey, token } = request;
    checkRequest(request);
    // Whose keys these are has been let in: the answer was lost, or was waited for.
    if (this.#isKnown(request)) return { certificate: await this.#issue(nodeName, publicKey) };
    const waiting = requests.find(request);
    if (waiting !== undefined) return { pending: waiting };
    const bearer = { credential: token, node: nodeName };
    const found = readJoinToken(registry, bearer, now());
    if ('refusal' in found) throw new EnrolmentRefused('unauthenticated', found.refusal);
    const { terms } = found;
    const before = this.#checkName(nodeName, keyHash(publicKey), terms);
    const pending = await this.#redemptions.run(async () => {
      if (terms.approval) requests.checkPlace(request);
      const refusal = await redeemJoinToken(registry, bearer, now());
      if (refusal) throw new EnrolmentRefused('unauthenticated', refusal);
      return terms.approval && requests.file(request, terms.id);
    });
    if (pending !== undefined) return { pending };
    const isReplaced = before !== undefined && before !== keyHash(publicKey);
    if (isReplaced) await onReplacing(nodeName);
    await this.#pinKeys(keysOf(request), terms);
    if (isReplaced) onReplaced(nodeName);
    return { certificate: await this.#issue(nodeName, publicKey) };
  }

  /** The certificate of a device that was pending, once somebody has decided. Throws EnrolmentRefused. */
  async awaitApproval(request: EnrolRequest, signal: AbortSignal): Promise<string> {
    checkRequest(request);
    const { nodeName, publicKey } = request;
    await this.#options.requests.decided(request, signal);
    if (this.#isKnown(request)) return this.#issue(nodeName, publicKey);
    throw new EnrolmentRefused(
      'denied',
      'the request to join is gone: nobody approved it within a day, or somebody removed it',
    );
  }

  /** Makes a device a node whose request was approved. */
  async admit({ request, extra }: CertificateSigningRequestObject['spec']): Promise<Admission> {
    const parsed = parseCertificateRequest(request);
    const node = nodeOfUser(parsed?.commonName);
    const sealingKey = extra?.[SEALING_KEY_EXTRA]?.[0];
    if (!parsed || node === undefined || !sealingKey)
      return { problem: 'it was not made by a device that joined with a token' };
    if (!(await parsed.isGenuine())) return { problem: 'it is not signed with the key that it is for' };
    try {
      await this.#pinKeys({ node, hash: keyHash(parsed.publicKey), sealingKey }, {});
    } catch (error) {
      if (error instanceof EnrolmentRefused) return { problem: error.message };
      throw error;
    }
    return { certificate: await this.#issue(node, parsed.publicKey) };
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

  /** Whether the Node has exactly these keys. */
  #isKnown(request: EnrolRequest): boolean {
    const { node, hash, sealingKey } = keysOf(request);
    const known = this.#options.registry.get(nodes, undefined, node)?.metadata.annotations;
    return known?.[KEY_ANNOTATION] === hash && known[SEALING_KEY_ANNOTATION] === sealingKey;
  }

  #issue(node: string, publicKey: Uint8Array): Promise<string> {
    const subject = { user: userOfNode(node), groups: [NODES_GROUP] };
    return this.#options.ca.issueClient(subject, publicKey, CERTIFICATE_DAYS);
  }

  async #pinKeys({ node, hash, sealingKey }: DeviceKeys, terms: Pick<TokenTerms, 'replaces'>): Promise<void> {
    const pinned = { [KEY_ANNOTATION]: hash, [SEALING_KEY_ANNOTATION]: sealingKey };
    await this.#options.registry.modify(
      nodes,
      undefined,
      node,
      (current = newNode(node)) => {
        const { metadata } = current;
        // Another device may have come under the same name since it was looked at.
        const problem = nameProblem(node, metadata.annotations?.[KEY_ANNOTATION], hash, terms);
        if (problem) throw new EnrolmentRefused('exists', problem);
        return { ...current, metadata: { ...metadata, annotations: { ...metadata.annotations, ...pinned } } };
      },
      MANAGER,
    );
  }
}

function keysOf({ nodeName, publicKey, sealingKey }: EnrolRequest): DeviceKeys {
  return {
    node: nodeName,
    hash: keyHash(publicKey),
    sealingKey: Buffer.from(sealingKey).toString('base64'),
  };
}

function newNode(name: string): KubeObject {
  return { apiVersion: 'v1', kind: 'Node', metadata: { name }, spec: {} };
}
