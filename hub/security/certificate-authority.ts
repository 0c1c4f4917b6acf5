import 'reflect-metadata'; // the x509 package needs it loaded first
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  webcrypto,
} from 'node:crypto';
import * as x509 from '@peculiar/x509';

/*
 * The hub's own CA. Keys are ECDSA P-256: small handshakes, and within what every TLS stack and secure element does.
 */

x509.cryptoProvider.set(webcrypto);

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const CA_YEARS = 20; // longer than the life of a device: it pins this certificate by hash
const DAY_MS = 86_400_000;
const SECOND_MS = 1_000;
const DAY_SECONDS = 86_400;
/** Devices without a clock battery may be behind: a certificate is valid from an hour before it was made. */
const SKEW_MS = 3_600_000;

/** A certificate and its key, PEM. */
export interface KeyPair {
  readonly certificate: string;
  readonly key: string;
}

export interface Subject {
  /** User name: the certificate's CN. */
  readonly user: string;
  /** Each an O. */
  readonly groups: readonly string[];
}

export class CertificateAuthority {
  readonly #issuer: x509.X509Certificate;
  readonly #key: webcrypto.CryptoKey;
  readonly #textKey: KeyObject;
  /** The CA's certificate, PEM. */
  readonly certificate: string;

  private constructor(keys: KeyPair, key: webcrypto.CryptoKey) {
    this.#issuer = new x509.X509Certificate(keys.certificate);
    this.#key = key;
    this.#textKey = createPrivateKey(keys.key);
    this.certificate = keys.certificate;
  }

  /** A new CA: its certificate and key, to be kept and given to `load`. */
  static async create(commonName: string): Promise<KeyPair> {
    const { privateKey, publicKey } = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
    const now = Date.now();
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      name: [{ CN: [commonName] }],
      keys: { privateKey, publicKey },
      signingAlgorithm: ALGORITHM,
      notBefore: new Date(now - SKEW_MS),
      notAfter: new Date(now + CA_YEARS * 365 * DAY_MS),
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        await x509.SubjectKeyIdentifierExtension.create(publicKey),
      ],
    });
    const key = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', privateKey));
    return {
      certificate: `${certificate.toString('pem')}\n`,
      key: createPrivateKey({ key, format: 'der', type: 'pkcs8' })
        .export({ format: 'pem', type: 'pkcs8' })
        .toString(),
    };
  }

  static async load(keys: KeyPair): Promise<CertificateAuthority> {
    const der = createPrivateKey(keys.key).export({ format: 'der', type: 'pkcs8' });
    const signer = await webcrypto.subtle.importKey('pkcs8', new Uint8Array(der), ALGORITHM, false, ['sign']);
    return new CertificateAuthority(keys, signer);
  }

  /** SHA-256 of the certificate's DER, hex: what a join token pins. */
  get fingerprint(): string {
    return fingerprintOf(this.certificate);
  }

  /**
   * ECDSA over SHA-256, DER, as `openssl dgst -sha256 -verify` checks it. The text must begin with "# holdfast" and say what
   * it is: nothing that is signed as a certificate begins so. Throws.
   */
  sign(text: string): Buffer {
    if (!text.startsWith('# holdfast ')) throw new Error('the CA signs only texts that say what they are');
    return sign('sha256', Buffer.from(text), this.#textKey);
  }

  /** A certificate with which the holder of `publicKey` (SPKI DER) is `subject`. PEM. */
  issueClient(subject: Subject, publicKey: Uint8Array, days: number): Promise<string> {
    return this.issueClientFor(subject, publicKey, days * DAY_SECONDS);
  }

  /** The same, for a time in seconds. The key may be of any kind (EC, RSA, Ed25519). */
  issueClientFor(subject: Subject, publicKey: Uint8Array, lifeSeconds: number): Promise<string> {
    const name = [{ CN: [subject.user] }, ...subject.groups.map((group) => ({ O: [group] }))];
    return this.#issue(name, publicKey, lifeSeconds * SECOND_MS, [x509.ExtendedKeyUsage.clientAuth], []);
  }

  /** A certificate for a server that answers on these names and addresses, on a new key. */
  async issueServer(hosts: readonly string[], days: number): Promise<KeyPair> {
    const { publicKey, key } = newKey();
    const names = hosts.map((value) => ({ type: isAddress(value) ? 'ip' : 'dns', value }) as const);
    const usages = [x509.ExtendedKeyUsage.serverAuth];
    const certificate = await this.#issue([{ CN: ['holdfast-hub'] }], publicKey, days * DAY_MS, usages, [
      new x509.SubjectAlternativeNameExtension(names),
    ]);
    // The CA goes along, so that a device that knows only its hash can fetch it in the handshake.
    return { certificate: certificate + this.certificate, key };
  }

  async #issue(
    name: x509.JsonName,
    publicKey: Uint8Array,
    lifeMs: number,
    usages: readonly string[],
    extensions: readonly x509.Extension[],
  ): Promise<string> {
    const now = Date.now();
    const certificate = await x509.X509CertificateGenerator.create({
      subject: name,
      issuer: this.#issuer.subject,
      publicKey: new x509.PublicKey(new Uint8Array(publicKey)),
      signingKey: this.#key,
      signingAlgorithm: ALGORITHM,
      notBefore: new Date(now - SKEW_MS),
      notAfter: new Date(now + lifeMs),
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([...usages]),
        await x509.AuthorityKeyIdentifierExtension.create(this.#issuer.publicKey),
        ...extensions,
      ],
    });
    return `${certificate.toString('pem')}\n`;
  }
}

/** SHA-256 of a PEM certificate's DER, hex. */
export function fingerprintOf(certificate: string): string {
  return createHash('sha256')
    .update(new Uint8Array(new x509.X509Certificate(certificate).rawData))
    .digest('hex');
}

/** A new P-256 key: the private part as PEM, the public one as SPKI DER. */
export function newKey(): { key: string; publicKey: Uint8Array } {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    key: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
    publicKey: spkiOf(privateKey),
  };
}

function spkiOf(privateKey: KeyObject): Uint8Array {
  return createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
}

function isAddress(host: string): boolean {
  return /^[\d.]+$/.test(host) || host.includes(':');
}
