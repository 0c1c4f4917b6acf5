import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { pino } from 'pino';
import { ApiClient } from '../../hub/cli/api-client.ts';
import { HUB_SETTINGS, hubConfigOf, readHubSettings } from '../../hub/config.ts';
import { type HubPorts, startHub } from '../../hub/hub.ts';
import { fingerprintOf } from '../../hub/security/certificate-authority.ts';
import { newJoinToken } from '../../hub/security/join-tokens.ts';
import { formatJoinToken } from '../../proto/join-token.ts';

const TOKEN_TTL_MS = 3_600_000;

export interface HubInProcess {
  readonly ports: HubPorts;
  /** As the administrator. */
  readonly api: ApiClient;
  readonly kubeconfig: string;
  readonly dataDir: string;
  /** A new join token. */
  token(uses: number): Promise<string>;
  close(): Promise<void>;
}

/** A whole hub in this process, on free ports of the loopback and a directory of its own. */
export async function startHubInProcess(...flags: string[]): Promise<HubInProcess> {
  const dir = mkdtempSync(join(tmpdir(), 'hf-hub-'));
  const dataDir = join(dir, 'hub');
  const kubeconfig = join(dir, 'kubeconfig.yaml');
  const ports = ['api', 'grpc', 'mqtt'].flatMap((name) => [`--${name}-port`, '0']);
  const own = ['--data-dir', dataDir, '--bind-address', '127.0.0.1', '--write-kubeconfig', kubeconfig];
  const known = Object.values(HUB_SETTINGS).map(({ flag }) => [flag, { type: 'string' }] as const);
  const { values } = parseArgs({ args: [...own, ...ports, ...flags], options: Object.fromEntries(known) });
  const settings = await readHubSettings(values, {});
  const hub = await startHub(hubConfigOf(settings), pino({ level: 'silent' }));
  const api = ApiClient.fromKubeconfig(kubeconfig);
  return {
    ports: hub.ports,
    api,
    kubeconfig,
    dataDir,
    token: async (uses) => {
      const settings = { ttlMs: TOKEN_TTL_MS, uses, description: '' };
      const { credential, secret } = newJoinToken(settings, Date.now());
      await api.call('POST', '/api/v1/namespaces/kube-system/secrets', secret);
      return formatJoinToken({ caHash: fingerprintOf(api.caCertificate), credential });
    },
    close: async () => {
      await hub.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
