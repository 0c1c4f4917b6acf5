import 'reflect-metadata'; // the x509 package needs it loaded first
import * as x509 from '@peculiar/x509';
import { HUB_USER, nodeOfUser, userOfNode } from './node-identity.ts';

/* What is in a request for a certificate (PKCS #10), and which requests the hub signs. */

/** Certificates with which users are clients of the API. */
export const CLIENT_SIGNER = 'kubernetes.io/kube-apiserver-client';
/** The same for devices: Kubernetes' name for it fits, since a device is to the API what a kubelet is. */
export const NODE_CLIENT_SIGNER = 'kubernetes.io/kube-apiserver-client-kubelet';

export interface CertificateRequest {
  readonly commonName: string;
  readonly organizations: readonly string[];
  /** Names and addresses that the certificate is to be good for besides: of which kinds there are any. */
  readonly alternativeNames: ReadonlySet<'dns' | 'email' | 'ip' | 'url' | 'other'>;
  /** SPKI DER. */
  readonly publicKey: Uint8Array;
  /** Whether it is signed with the key that it is for. */
  isGenuine(): Promise<boolean>;
}

const KINDS = ['dns', 'email', 'ip', 'url'] as const;

/** From PEM in base64, as it stands in the object; undefined for what can not be read. */
export function parseCertificateRequest(base64: string): CertificateRequest | undefined {
  try {
    const request = new x509.Pkcs10CertificateRequest(Buffer.from(base64, 'base64').toString('latin1'));
    const extension = request.extensions.find((each) => each instanceof x509.SubjectAlternativeNameExtension);
    const names = extension?.names.items ?? [];
    return {
      commonName: request.subjectName.getField('CN')[0] ?? '',
      organizations: request.subjectName.getField('O'),
      alternativeNames: new Set(
        names.map(({ type }) => KINDS.find((kind) => kind === type) ?? ('other' as const)),
      ),
      publicKey: new Uint8Array(request.publicKey.rawData),
      isGenuine: () => request.verify(),
    };
  } catch {
    return undefined;
  }
}

/** Why a signer does not sign a request; undefined when it does. */
export function signingProblem(
  signer: string,
  request: CertificateRequest,
  usages: readonly string[],
): string | undefined {
  if (signer === CLIENT_SIGNER) return linkNameProblem(request) ?? clientProblem(usages);
  return nodeClientProblem(request, usages);
}

/** On the link, who a peer is follows from the name alone: what is good for the API must not be good for more. */
function linkNameProblem({ commonName }: CertificateRequest): string | undefined {
  if (commonName !== HUB_USER && nodeOfUser(commonName) === undefined) return undefined;
  return `subject common name ${JSON.stringify(commonName)} is reserved: for nodes, ${NODE_CLIENT_SIGNER} signs`;
}

const OPTIONAL_USAGES = ['digital signature', 'key encipherment'];

function clientProblem(usages: readonly string[]): string | undefined {
  const strange = usages.find((usage) => usage !== 'client auth' && !OPTIONAL_USAGES.includes(usage));
  if (strange !== undefined) return `invalid usage for client certificate: ${strange}`;
  if (!usages.includes('client auth')) return 'missing required usage for client certificate: client auth';
  return undefined;
}

const NAME_PROBLEMS = [
  ['dns', 'DNS subjectAltNames are not allowed'],
  ['email', 'email subjectAltNames are not allowed'],
  ['ip', 'IP subjectAltNames are not allowed'],
  ['url', 'URI subjectAltNames are not allowed'],
] as const;

function nodeClientProblem(
  { commonName, organizations, alternativeNames }: CertificateRequest,
  usages: readonly string[],
): string | undefined {
  if (organizations.length !== 1 || organizations[0] !== 'system:nodes')
    return 'subject organization is not system:nodes';
  const found = NAME_PROBLEMS.find(([kind]) => alternativeNames.has(kind));
  if (found) return found[1];
  if (!commonName.startsWith(userOfNode(''))) return 'subject common name does not begin with system:node:';
  const needed = usages.includes('client auth') && usages.includes('digital signature');
  const others = usages.filter((usage) => usage !== 'client auth' && !OPTIONAL_USAGES.includes(usage));
  if (!needed || others.length > 0)
    return 'usages did not match [client auth digital signature key encipherment]';
  return undefined;
}
