import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto';

/*
 * Signatures of packages, in minisign's form (https://jedisct1.github.io/minisign/): Ed25519 over the file's BLAKE2b-512,
 * and over that signature with a trusted comment, which names the file.
 */

const ALGORITHM = 'ED'; // over the hash of the file: a file of any size is signed in little memory
const KEY_ALGORITHM = 'Ed';
const [KEY_ID_BYTES, KEY_BYTES, SIGNATURE_BYTES] = [8, 32, 64];
/** What stands before 32 raw bytes in an Ed25519 SubjectPublicKeyInfo (RFC 8410). */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

export interface PublicKey {
  readonly id: Buffer;
  readonly key: KeyObject;
}

/** The digest of a content, as a signature needs it: for files that are read in parts. */
export function newFileHash(): ReturnType<typeof createHash> {
  return createHash('blake2b512');
}

/** Of a public key's file. Throws. */
export function parsePublicKey(text: string): PublicKey {
  const bytes = Buffer.from(text.trim().split('\n').at(-1) ?? '', 'base64');
  const isKey =
    bytes.length === 2 + KEY_ID_BYTES + KEY_BYTES && bytes.toString('latin1', 0, 2) === KEY_ALGORITHM;
  if (!isKey)
    throw new Error(
      `a public key must be minisign's: two lines, the second 42 bytes in base64, is ${bytes.length}`,
    );
  const raw = bytes.subarray(2 + KEY_ID_BYTES);
  const key = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, raw]), format: 'der', type: 'spki' });
  return { id: bytes.subarray(2, 2 + KEY_ID_BYTES), key };
}

/**
 * What is wrong with the signature of the file that hashes to `fileHash` (`newFileHash`); undefined when it is right.
 * `name`: what the file must have been called when it was signed.
 */
export function signatureProblem(
  minisig: string,
  { id, key }: PublicKey,
  fileHash: Buffer,
  name: string,
): string | undefined {
  const [, text = '', comment = '', global = ''] = minisig.split('\n');
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length !== 2 + KEY_ID_BYTES + SIGNATURE_BYTES || bytes.toString('latin1', 0, 2) !== ALGORITHM)
    return 'the signature is malformed: it must be the .minisig file that came with the package';
  const signedBy = bytes.subarray(2, 2 + KEY_ID_BYTES);
  if (!signedBy.equals(id))
    return `it is signed with the key ${hex(signedBy)}, and only ${hex(id)} is trusted`;
  const signature = bytes.subarray(2 + KEY_ID_BYTES);
  if (!verify(null, fileHash, key, signature))
    return 'the content is not what was signed: it is damaged, or somebody changed it';
  const about = comment.replace(/^trusted comment: /, '');
  const isOwn = verify(
    null,
    Buffer.concat([signature, Buffer.from(about)]),
    key,
    Buffer.from(global, 'base64'),
  );
  if (!isOwn) return 'the comment of the signature is not what was signed';
  return about === name ? undefined : `it was signed as "${about}", and not as "${name}"`;
}

const hex = (id: Buffer) => id.toString('hex').toUpperCase();
