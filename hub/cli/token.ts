import { parseArgs } from 'node:util';
import { formatJoinToken } from '../../proto/join-token.ts';
import { fingerprintOf } from '../security/certificate-authority.ts';
import { newJoinToken } from '../security/join-tokens.ts';
import { ApiClient } from './api-client.ts';

export const TOKEN_USAGE = `  holdfast token create [--ttl 24h] [--uses 1] [--description TEXT] [--kubeconfig FILE]
      prints a token with which devices join; it is shown this once
      (kubectl -n kube-system get secrets --field-selector type=holdfast.dev/join-token lists them)`;

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Prints the new token, and nothing else, on stdout. */
export async function token(args: readonly string[], defaultKubeconfig: string): Promise<void> {
  const { positionals, values } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      ttl: { type: 'string', default: '24h' },
      uses: { type: 'string', default: '1' },
      description: { type: 'string', default: '' },
      kubeconfig: { type: 'string', default: defaultKubeconfig },
    },
  });
  if (positionals.length !== 1 || positionals[0] !== 'create') throw new Error(`usage:\n${TOKEN_USAGE}`);
  if (!/^[1-9]\d*$/.test(values.uses))
    throw new Error(`--uses must be a whole number above 0, is "${values.uses}"`);
  const settings = {
    ttlMs: parseTtl(values.ttl),
    uses: Number(values.uses),
    description: values.description,
  };
  const { credential, secret } = newJoinToken(settings, Date.now());
  const client = ApiClient.fromKubeconfig(values.kubeconfig);
  await client.call('POST', '/api/v1/namespaces/kube-system/secrets', secret);
  console.log(formatJoinToken({ caHash: fingerprintOf(client.caCertificate), credential }));
}

function parseTtl(text: string): number {
  const [, amount, unit = ''] = /^(\d+)([smhd])$/.exec(text) ?? [];
  if (!amount) throw new Error(`--ttl must be a duration such as 30m, 24h or 7d, is "${text}"`);
  return Number(amount) * (UNITS[unit] ?? 0);
}
