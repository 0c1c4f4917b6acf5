import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
} from 'node:crypto';

/*
 * A sealed box: only the holder of an X25519 private key can open what was sealed to its public key. Made of parts that
 * Node has: an ephemeral X25519 key, HKDF-SHA256 over both public keys (as in RFC 9180's design), AES-256-GCM.
 * Layout: ephemeral public key (SPKI DER, 44 bytes), GCM tag (16 bytes), ciphertext. The nonce is fixed, for each box
 * has a key of its own.
 */

const SPKI_BYTES = 44;
const TAG_BYTES = 16;
const NONCE = Buffer.alloc(12);
const CONTEXT = 'holdfast/v1/seal';

/** Seals to a public key (SPKI DER). */
export function seal(plaintext: Uint8Array, recipient: Uint8Array): Uint8Array {
  const ephemeral = generateKeyPairSync('x25519');
  const ephemeralSpki = ephemeral.publicKey.export({ format: 'der', type: 'spki' });
  const publicKey = createPublicKey({ key: Buffer.from(recipient), format: 'der', type: 'spki' });
  const cipher = createCipheriv(
    'aes-256-gcm',
    boxKey(ephemeral.privateKey, publicKey, ephemeralSpki, recipient),
    NONCE,
  );
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  return Buffer.concat([ephemeralSpki, cipher.getAuthTag(), ciphertext]);
}

/** Throws when the box is not intact or not for this key. */
export function unseal(box: Uint8Array, privateKey: KeyObject): Buffer {
  if (box.length < SPKI_BYTES + TAG_BYTES) throw new Error('the sealed box is cut short');
  const bytes = Buffer.from(box.buffer, box.byteOffset, box.byteLength);
  const ephemeralSpki = bytes.subarray(0, SPKI_BYTES);
  const ephemeral = createPublicKey({ key: ephemeralSpki, format: 'der', type: 'spki' });
  const recipient = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  const key = boxKey(privateKey, ephemeral, ephemeralSpki, recipient);
  const decipher = createDecipheriv('aes-256-gcm', key, NONCE);
  decipher.setAuthTag(bytes.subarray(SPKI_BYTES, SPKI_BYTES + TAG_BYTES));
  return Buffer.concat([decipher.update(bytes.subarray(SPKI_BYTES + TAG_BYTES)), decipher.final()]);
}

/** A new X25519 key: the private part as PEM, the public one as SPKI DER. */
export function newSealingKey(): { key: string; publicKey: Uint8Array } {
  const { privateKey, publicKey } = generateKeyPairSync('x25519');
  return {
    key: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
    publicKey: publicKey.export({ format: 'der', type: 'spki' }),
  };
}

export function readSealingKey(pem: string): KeyObject {
  return createPrivateKey(pem);
}

function boxKey(
  privateKey: KeyObject,
  publicKey: KeyObject,
  ephemeralSpki: Uint8Array,
  recipientSpki: Uint8Array,
): Buffer {
  const shared = diffieHellman({ privateKey, publicKey });
  const salt = Buffer.concat([ephemeralSpki, recipientSpki]);
  return Buffer.from(hkdfSync('sha256', shared, salt, CONTEXT, 32));
}
