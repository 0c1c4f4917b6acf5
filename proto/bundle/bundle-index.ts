import { createHash, verify, X509Certificate } from 'node:crypto';

/*
 * A bundle: all that a site without a network needs, in one file. It is a tar archive that begins with an index and its
 * signature; the rest is an OCI image layout that `docker load` reads as it is, and packages and manifests beside it.
 */

export const INDEX = 'holdfast-bundle.json';
export const SIGNATURE = 'holdfast-bundle.json.sig';
export const MOST_INDEX_BYTES = 4 * 1024 * 1024;
/** Tells bundles from all else that the CA's key may ever sign. */
const SIGNED_HEAD = 'holdfast bundle v1\n';

export interface BundledImage {
  /** With a tag: what pods call it. */
  readonly name: string;
  readonly architecture: string;
  /** Of its configuration: what the engine calls it. */
  readonly id: string;
}

export interface BundleIndex {
  readonly apiVersion: 'holdfast.dev/v1';
  readonly kind: 'Bundle';
  /** RFC 3339. */
  readonly created: string;
  readonly images: readonly BundledImage[];
  /** Every other file in the archive: path → SHA-256, hex. */
  readonly files: Readonly<Record<string, string>>;
}

/** What the CA's key signs for an index of these bytes. */
export function signedBytes(index: Buffer): Buffer {
  return Buffer.concat([Buffer.from(SIGNED_HEAD), index]);
}

/** An index whose signature is right. Throws, with what is wrong. `ca`: PEM of the hub's CA. */
export function readIndex(index: Buffer, signature: Buffer, ca: string): BundleIndex {
  const { publicKey } = new X509Certificate(ca);
  if (!verify('sha256', signedBytes(index), publicKey, signature))
    throw new Error(
      'the bundle is not signed by the hub of this device: make it there, with "holdfast bundle create"',
    );
  const found = JSON.parse(index.toString('utf8')) as BundleIndex;
  if (found.apiVersion !== 'holdfast.dev/v1' || found.kind !== 'Bundle')
    throw new Error(
      `the bundle is of a version that this program does not know: ${found.apiVersion} ${found.kind}`,
    );
  return found;
}

export const sha256 = (content: Buffer) => createHash('sha256').update(content).digest('hex');
