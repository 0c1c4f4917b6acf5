import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { enrol } from '../../agent/link/enrol.ts';
import type { Identity } from '../../agent/state/agent-state.ts';
import { CertificateAuthority, type KeyPair } from '../../hub/security/certificate-authority.ts';
import {
  KEY_ANNOTATION,
  keyHash,
  NODES_GROUP,
  SEALING_KEY_ANNOTATION,
  userOfNode,
} from '../../hub/security/node-identity.ts';
import { parseJoinToken } from '../../proto/join-token.ts';
import { Limit } from '../../proto/limit.ts';
import { newSealingKey } from '../../proto/seal.ts';
import { HubApi } from '../bench/hub-api.ts';

/** Who is to become a node. */
export interface NewDevice {
  readonly node: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface IdentityOptions {
  /** The hub's gRPC port. */
  readonly hub: { readonly host: string; readonly port: number };
  /** A join token, good for all of the devices; for one, when there is a `caFile`. */
  readonly token: string;
  /** The administrator's: for labels, and with a `caFile`. */
  readonly kubeconfig: string | undefined;
  /**
   * The hub's `ca.json`. With it, only the first device enrols; the Nodes of the others are created through the API with
   * their keys, and their certificates are signed here.
   */
  readonly caFile: string | undefined;
  readonly onProgress: (done: number) => void;
}

/** More at once do not make the hub faster, and must all be answered before their calls time out. */
const AT_ONCE = 32;
const CERTIFICATE_DAYS = 3650;

/** Makes devices nodes of the hub, and says who they are to it. */
export async function identitiesOf(
  devices: readonly NewDevice[],
  options: IdentityOptions,
): Promise<Identity[]> {
  const api = options.kubeconfig === undefined ? undefined : new HubApi(options.kubeconfig);
  try {
    const [first, ...others] = devices;
    if (!first) return [];
    let done = 0;
    const limit = new Limit(AT_ONCE);
    const counted = (make: () => Promise<Identity>) =>
      limit.run(async () => {
        const identity = await make();
        done += 1;
        options.onProgress(done);
        return identity;
      });
    const pattern = await counted(() => enrolled(first, options, api));
    const make = options.caFile === undefined ? undefined : await maker(options.caFile, pattern, api);
    const rest = others.map((device) =>
      counted(() => (make ? make(device) : enrolled(device, options, api))),
    );
    return [pattern, ...(await Promise.all(rest))];
  } finally {
    api?.close();
  }
}

/** As every device joins; what its labels are, an operator says afterwards. */
async function enrolled(
  { node, labels }: NewDevice,
  { hub, token }: IdentityOptions,
  api: HubApi | undefined,
): Promise<Identity> {
  const identity = await enrol({ ...hub, node, token: parseJoinToken(token) });
  if (Object.keys(labels).length === 0) return identity;
  if (!api)
    throw new Error('the scenario has labels: they need the kubeconfig of somebody who may patch nodes');
  await api.call('PATCH', `/api/v1/nodes/${node}`, { metadata: { labels } });
  return identity;
}

/** What the enrolment service does, with the hub's own key and without asking it. */
async function maker(
  caFile: string,
  pattern: Identity,
  api: HubApi | undefined,
): Promise<(device: NewDevice) => Promise<Identity>> {
  if (!api)
    throw new Error("the hub's CA is of use only with a kubeconfig: the Nodes are created through the API");
  const ca = await CertificateAuthority.load(JSON.parse(readFileSync(caFile, 'utf8')) as KeyPair);
  return async ({ node, labels }) => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const publicKey = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
    const sealing = newSealingKey();
    const annotations = {
      [KEY_ANNOTATION]: keyHash(publicKey),
      [SEALING_KEY_ANNOTATION]: Buffer.from(sealing.publicKey).toString('base64'),
    };
    const metadata = { name: node, labels, annotations };
    const [certificate] = await Promise.all([
      ca.issueClient({ user: userOfNode(node), groups: [NODES_GROUP] }, publicKey, CERTIFICATE_DAYS),
      api.call('POST', '/api/v1/nodes', { apiVersion: 'v1', kind: 'Node', metadata, spec: {} }),
    ]);
    const key = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
    return { ...pattern, node, certificate, key, sealingKey: sealing.key };
  };
}
