import { parseArgs } from 'node:util';
import { formatJoinToken } from '../../proto/join-token.ts';
import { fingerprintOf } from '../security/certificate-authority.ts';
import { newJoinToken } from '../security/join-tokens.ts';
import { ApiClient } from './api-client.ts';

export const TOKEN_USAGE = `  holdfast token create [--ttl 24h] [--uses 1] [--approval manual] [--description TEXT]
      [--kubeconfig FILE]
      prints a token with which devices join; it is shown this once. With --approval manual each device waits
      until somebody approves it: holdfast node pending, approve, deny
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
      approval: { type: 'string' },
      description: { type: 'string', default: '' },
      kubeconfig: { type: 'string', default: defaultKubeconfig },
    },
  });
  if (positionals.length !== 1 || positionals[0] !== 'create') throw new Error(`usage:\n${TOKEN_USAGE}`);
  if (!/^[1-9]\d*$/.test(values.uses))
    throw new Error(`--uses must be a whole number above 0, is "${values.uses}"`);
  const { approval } = values;
  if (approval !== undefined && approval !== 'manual')
    throw new Error(`--approval must be manual, or not be given, is "${approval}"`);
  const settings = {
    ...(approval && { approval: 'manual' as const }),
    ttlMs: parseTtl(values.ttl),
    uses: Number(values.uses),
    description: values.description,
  };
  const client = ApiClient.fromKubeconfig(values.kubeconfig);
  console.log(await storeToken(client, newJoinToken(settings, Date.now())));
}

/** Stores what the hub is to know of a new token; resolves with what is given out. */
export async function storeToken(
  client: ApiClient,
  { credential, secret }: ReturnType<typeof newJoinToken>,
): Promise<string> {
  await client.call('POST', '/api/v1/namespaces/kube-system/secrets', secret);
  return formatJoinToken({ caHash: fingerprintOf(client.caCertificate), credential });
}

/** `30m`, `24h`, `7d`: milliseconds. Throws. */
export function parseTtl(text: string): number {
  const [, amount, unit = ''] = /^(\d+)([smhd])$/.exec(text) ?? [];
  if (!amount) throw new Error(`--ttl must be a duration such as 30m, 24h or 7d, is "${text}"`);
  return Number(amount) * (UNITS[unit] ?? 0);
}
