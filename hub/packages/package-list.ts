import type { CertificateAuthority } from '../security/certificate-authority.ts';
import type { StoredPackage } from './package-store.ts';

/** The list of packages, and the proof that it is the hub's. */
export interface SignedList {
  readonly text: string;
  /** ECDSA over SHA-256, DER. */
  readonly signature: Buffer;
}

/** Tells these lists from all else that the CA's key may ever sign. */
const HEAD = '# holdfast packages v1';

/**
 * What `sha256sum --check` reads, signed by the CA: that is what a device's token pins, so that the token is all that a
 * device needs to know whether a package is what the hub has checked. Signed anew only when it changes.
 */
export function packageLists(
  ca: Pick<CertificateAuthority, 'sign'>,
): (all: readonly StoredPackage[]) => SignedList {
  let last: SignedList | undefined;
  return (all) => {
    const text = [HEAD, ...all.map(({ sha256, name }) => `${sha256}  ${name}`), ''].join('\n');
    if (last?.text !== text) last = { text, signature: ca.sign(text) };
    return last;
  };
}
