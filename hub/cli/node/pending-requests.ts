import { since } from '../../resources/human-duration.ts';
import type { CertificateSigningRequestObject } from '../../resources/typed.ts';
import { parseCertificateRequest } from '../../security/certificate-request.ts';
import { JOIN_SIGNER, JOIN_TOKEN_LABEL, joinVerdict } from '../../security/join-approval.ts';
import { keyHash, nodeOfUser } from '../../security/node-identity.ts';
import type { ApiClient } from '../api-client.ts';
import type { Table } from '../print.ts';

const PATH = '/apis/certificates.k8s.io/v1/certificatesigningrequests';
const KEY_CHARACTERS = 16;
const NAMES_TOLD = 10;

/** A device that waits for approval. */
export interface PendingDevice {
  /** As its request asks, which nobody can change. */
  readonly node: string;
  /** SHA-256 of its key, hex: it tells the same. */
  readonly keyHash: string;
  readonly request: CertificateSigningRequestObject;
}

export const approvalPath = (name: string) => `${PATH}/${encodeURIComponent(name)}/approval`;

/** Those who wait, by name. */
export async function listPending(client: ApiClient, selector?: string): Promise<readonly PendingDevice[]> {
  const query = new URLSearchParams({ fieldSelector: `spec.signerName=${JOIN_SIGNER}` });
  if (selector !== undefined) query.set('labelSelector', selector);
  const { items } = await client.call<{ items: CertificateSigningRequestObject[] }>(
    'GET',
    `${PATH}?${query}`,
  );
  return items
    .filter((request) => joinVerdict(request) === 'pending')
    .flatMap((request) => {
      const parsed = parseCertificateRequest(request.spec.request);
      const node = nodeOfUser(parsed?.commonName);
      return parsed && node !== undefined ? [{ node, keyHash: keyHash(parsed.publicKey), request }] : [];
    })
    .toSorted((a, b) => (a.node < b.node ? -1 : 1));
}

/** Those that are meant by their nodes' names, or their requests'. Throws when one does not wait. Pure. */
export function pendingNamed(
  names: readonly string[],
  waiting: readonly PendingDevice[],
): readonly PendingDevice[] {
  return names.map((name) => {
    const found = waiting.filter(({ node, request }) => node === name || request.metadata.name === name);
    const [one, ...others] = found;
    if (one && others.length === 0) return one;
    if (one) {
      const requests = found.map(({ request }) => request.metadata.name).join(', ');
      throw new Error(`several requests are for "${name}": name one of ${requests}`);
    }
    const told = waiting.slice(0, NAMES_TOLD).map(({ node }) => node);
    const more = waiting.length > told.length ? ` and ${waiting.length - told.length} more` : '';
    throw new Error(
      `no device waits for approval as "${name}": there wait ${told.join(', ') || 'none'}${more}`,
    );
  });
}

/** Pure. */
export function pendingTable(waiting: readonly PendingDevice[], nowMs: number): Table {
  return {
    head: ['NAME', 'KEY', 'TOKEN', 'AGE', 'REQUEST'],
    rows: waiting.map(({ node, keyHash: hash, request: { metadata } }) => [
      node,
      hash.slice(0, KEY_CHARACTERS),
      metadata.labels?.[JOIN_TOKEN_LABEL] ?? '',
      since(metadata.creationTimestamp, nowMs),
      metadata.name ?? '',
    ]),
  };
}
