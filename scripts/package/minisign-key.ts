import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
} from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ROOT } from '../local-files.ts';

/** Where a key is made when no other is named: good for packages that one tries oneself. */
const OWN_KEY = join(ROOT, 'build/signing/holdfast.pem');
const RAW_KEY_BYTES = 32;

/**
 * A key that signs packages as minisign does (https://jedisct1.github.io/minisign/, "ED": Ed25519 over the BLAKE2b-512
 * of the file). The secret key is a PEM of PKCS #8, as of `openssl genpkey -algorithm ed25519`.
 */
export class SigningKey {
  readonly #key: KeyObject;
  readonly #raw: Buffer;
  readonly #id: Buffer;

  constructor(pem: string) {
    this.#key = createPrivateKey(pem);
    if (this.#key.asymmetricKeyType !== 'ed25519')
      throw new Error(`a key for packages must be Ed25519, is ${this.#key.asymmetricKeyType}`);
    const spki = createPublicKey(this.#key).export({ type: 'spki', format: 'der' });
    this.#raw = spki.subarray(-RAW_KEY_BYTES);
    this.#id = createHash('sha256').update(this.#raw).digest().subarray(0, 8);
  }

  /** minisign's file of a public key. */
  get publicKey(): string {
    const text = Buffer.concat([Buffer.from('Ed'), this.#id, this.#raw]).toString('base64');
    return `untrusted comment: Holdfast's packages, key ${this.#id.toString('hex').toUpperCase()}\n${text}\n`;
  }

  /** The `.minisig` of a content. `about` is signed as well: what the content is called. */
  sign(content: Buffer, about: string): string {
    const signature = sign(null, createHash('blake2b512').update(content).digest(), this.#key);
    const global = sign(null, Buffer.concat([signature, Buffer.from(about)]), this.#key);
    const text = Buffer.concat([Buffer.from('ED'), this.#id, signature]).toString('base64');
    return [
      'untrusted comment: signature of a package of Holdfast',
      text,
      `trusted comment: ${about}`,
      global.toString('base64'),
      '',
    ].join('\n');
  }
}

/** The key in the file, or the one of this checkout, which is made when there is none. Throws. */
export function signingKey(file = process.env['HOLDFAST_SIGNING_KEY']): SigningKey {
  if (file) return new SigningKey(readFileSync(file, 'utf8'));
  try {
    return new SigningKey(readFileSync(OWN_KEY, 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  mkdirSync(dirname(OWN_KEY), { recursive: true, mode: 0o700 });
  const { privateKey } = generateKeyPairSync('ed25519');
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  writeFileSync(OWN_KEY, pem, { mode: 0o600, flag: 'wx' });
  return new SigningKey(pem);
}
