import { createHash, X509Certificate } from 'node:crypto';

const PREFIX = 'system:node:';

/** The group of every device, as of every kubelet. */
export const NODES_GROUP = 'system:nodes';

/** On the Node object: SHA-256, hex, of the device's public key (SPKI DER). It is pinned by the first enrolment. */
export const KEY_ANNOTATION = 'holdfast.dev/public-key-sha256';
/** What stands in its place when nobody is to be the device of this node any more: no key has such a hash. */
const REVOKED = 'revoked';
/** On the Node object: the device's X25519 key, SPKI DER in base64, to which its secrets are sealed. */
export const SEALING_KEY_ANNOTATION = 'holdfast.dev/sealing-key';

/** The user name of the hub on its own broker. No enrolled node can have it: theirs begin with `system:node:`. */
export const HUB_USER = 'system:holdfast:hub';

type Annotated = { readonly metadata: { readonly annotations?: Readonly<Record<string, string>> } };

/** The value of KEY_ANNOTATION that takes a device its access. */
export function revokedKey(at: string): string {
  return `${REVOKED} ${at}`;
}

export function isRevoked({ metadata }: Annotated): boolean {
  return isRevokedKey(metadata.annotations?.[KEY_ANNOTATION]);
}

/** Whether a value of KEY_ANNOTATION is the one of `revokedKey`. */
export function isRevokedKey(value: string | undefined): boolean {
  return value?.startsWith(`${REVOKED} `) ?? false;
}

/** SPKI DER; undefined where no device has enrolled. */
export function sealingKeyOf(node: Annotated | undefined): Uint8Array | undefined {
  const key = node?.metadata.annotations?.[SEALING_KEY_ANNOTATION];
  return key ? Buffer.from(key, 'base64') : undefined;
}

export function userOfNode(node: string): string {
  return `${PREFIX}${node}`;
}

/** The node that a user is, or undefined for a user who is none. */
export function nodeOfUser(user: string | undefined): string | undefined {
  return user?.startsWith(PREFIX) ? user.slice(PREFIX.length) : undefined;
}

export function keyHash(publicKey: Uint8Array): string {
  return createHash('sha256').update(publicKey).digest('hex');
}

/** Whom a certificate names, and the hash of the key that it is for. */
export interface CertificateHolder {
  readonly user: string | undefined;
  readonly keyHash: string;
}

/** CN and the hash of the key of a certificate (DER) that TLS has verified. */
export function holderOf(der: Uint8Array): CertificateHolder {
  const certificate = new X509Certificate(der);
  const user = /(?:^|\n)CN=(.*)/.exec(certificate.subject)?.[1];
  return { user, keyHash: keyHash(certificate.publicKey.export({ format: 'der', type: 'spki' })) };
}
