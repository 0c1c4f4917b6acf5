import type { Registry } from '../registry/registry.ts';
import { nodes } from '../resources/table-of-resources.ts';
import type { CertificateSigningRequestObject } from '../resources/typed.ts';
import type { CertificateAuthority } from './certificate-authority.ts';
import {
  type CertificateRequest,
  CLIENT_SIGNER,
  NODE_CLIENT_SIGNER,
  parseCertificateRequest,
  signingProblem,
} from './certificate-request.ts';
import { KEY_ANNOTATION, keyHash, nodeOfUser } from './node-identity.ts';

const LONGEST_SECONDS = 365 * 86_400;

export interface SignerOptions {
  readonly registry: Registry;
  readonly ca: CertificateAuthority;
}

type Signed = { readonly certificate: string } | { readonly problem: string } | undefined;

/** Signs for the signers that are the hub's own: users and devices as clients of the API. Others are left to others. */
export async function signRequest(
  { registry, ca }: SignerOptions,
  { signerName, request, usages = [], expirationSeconds }: CertificateSigningRequestObject['spec'],
): Promise<Signed> {
  if (signerName !== CLIENT_SIGNER && signerName !== NODE_CLIENT_SIGNER) return undefined;
  const parsed = parseCertificateRequest(request);
  if (!parsed) return { problem: 'unable to parse the certificate request' };
  if (!(await parsed.isGenuine()))
    return { problem: 'the certificate request is not signed with the key that it is for' };
  const problem = signingProblem(signerName, parsed, usages) ?? pinProblem(registry, signerName, parsed);
  if (problem) return { problem };
  const lifeSeconds = Math.min(expirationSeconds ?? LONGEST_SECONDS, LONGEST_SECONDS);
  const subject = { user: parsed.commonName, groups: parsed.organizations };
  return { certificate: await ca.issueClientFor(subject, parsed.publicKey, lifeSeconds) };
}

/** A certificate for another key than the one that the Node was enrolled with would let nobody in. */
function pinProblem(
  registry: Registry,
  signer: string,
  { commonName, publicKey }: CertificateRequest,
): string | undefined {
  if (signer !== NODE_CLIENT_SIGNER) return undefined;
  const node = nodeOfUser(commonName) ?? '';
  const pinned = registry.get(nodes, undefined, node)?.metadata.annotations?.[KEY_ANNOTATION];
  return pinned === undefined || pinned === keyHash(publicKey)
    ? undefined
    : `node "${node}" is enrolled with another key`;
}
