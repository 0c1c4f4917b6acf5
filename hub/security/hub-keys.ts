import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CertificateAuthority, type KeyPair, newKey } from './certificate-authority.ts';
import { HUB_USER } from './node-identity.ts';

const SERVER_DAYS = 365;
const CLIENT_DAYS = 365;

/** Who the hub is: kept in its data directory, made when it first starts. */
export interface HubKeys {
  /** The cluster's id: random, never changed. */
  readonly cluster: string;
  readonly ca: CertificateAuthority;
  /** For all of the hub's TLS ports; made anew at each start, for the names that it has now. */
  readonly server: KeyPair;
  /** The certificate with which the hub is a client of its MQTT broker. */
  readonly brokerClient: KeyPair;
  /** Ed25519: signs snapshots. */
  readonly snapshotKey: KeyObject;
  /** SPKI DER of its public part. */
  readonly snapshotPublicKey: Uint8Array;
  /** P-256: signs the tokens of service accounts. */
  readonly accountKey: KeyObject;
}

/** Loads what is in `dir`, making what is missing. `hosts`: the names and addresses the hub is reached by. */
export async function loadHubKeys(dir: string, hosts: readonly string[]): Promise<HubKeys> {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const cluster = await kept(join(dir, 'cluster-id'), async () => randomBytes(8).toString('hex'));
  const ca = await loadCa(dir, cluster);
  const signing = await kept(join(dir, 'snapshot-signing.key'), async () => {
    const { privateKey } = generateKeyPairSync('ed25519');
    return privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
  });
  const snapshotKey = createPrivateKey(signing);
  const accountKey = await kept(join(dir, 'service-account.key'), async () => newKey().key);
  return {
    cluster,
    ca,
    server: await ca.issueServer(hosts, SERVER_DAYS),
    brokerClient: await clientPair(ca, HUB_USER, []),
    snapshotKey,
    snapshotPublicKey: createPublicKey(snapshotKey).export({ format: 'der', type: 'spki' }),
    accountKey: createPrivateKey(accountKey),
  };
}

/** A new key and a client certificate for it. */
export async function clientPair(
  ca: CertificateAuthority,
  user: string,
  groups: readonly string[],
): Promise<KeyPair> {
  const { key, publicKey } = newKey();
  return { key, certificate: await ca.issueClient({ user, groups }, publicKey, CLIENT_DAYS) };
}

async function loadCa(dir: string, cluster: string): Promise<CertificateAuthority> {
  // One file for both, so that no crash leaves a key without its certificate.
  const json = await kept(join(dir, 'ca.json'), async () =>
    JSON.stringify(await CertificateAuthority.create(`holdfast-ca-${cluster}`)),
  );
  return CertificateAuthority.load(JSON.parse(json) as KeyPair);
}

async function kept(path: string, make: () => Promise<string>): Promise<string> {
  if (existsSync(path)) return readFileSync(path, 'utf8');
  const content = await make();
  writeFileSync(`${path}.tmp`, content, { mode: 0o600, flush: true });
  renameSync(`${path}.tmp`, path);
  return content;
}
