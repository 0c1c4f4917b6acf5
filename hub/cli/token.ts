import { formatJoinToken } from '../../proto/join-token.ts';
import { fingerprintOf } from '../security/certificate-authority.ts';
import { newJoinToken } from '../security/join-tokens.ts';
import type { ApiClient } from './api-client.ts';
import { type Command, type CommandGroup, numberFlag } from './command.ts';

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

const LONGEST_TTL_MS = 3650 * 86_400_000;

const create: Command = {
  arguments: '',
  takes: [0, 0],
  about: 'prints a token with which devices join; it is shown this once',
  flags: {
    ttl: { type: 'string', value: 'TIME', about: 'how long it is good for: 30m, 24h, 7d (24h)' },
    uses: { type: 'string', value: 'NUMBER', about: 'how many devices may join with it (1)' },
    approval: {
      type: 'string',
      value: 'manual',
      about: 'each device waits until somebody approves it: "node pending", "node approve", "node deny"',
    },
    description: { type: 'string', value: 'TEXT', about: 'what it is for, for whoever finds it later' },
  },
  examples: ['', '--uses 500 --ttl 7d --description "gateways of the north"', '--approval manual'],
  isClusterWide: true,
  run: async (call) => {
    const approval = call.text('approval');
    if (approval !== undefined && approval !== 'manual')
      throw new Error(`--approval must be manual, or not be given, is "${approval}"`);
    const settings = {
      ...(approval && { approval: 'manual' as const }),
      ttlMs: parseTtl(call.text('ttl') ?? '24h'),
      uses: numberFlag(call, 'uses') ?? 1,
      description: call.text('description') ?? '',
    };
    call.print(await storeToken(call.client, newJoinToken(settings, call.now)));
    return undefined;
  },
};

/** `holdfast token …` */
export const token: CommandGroup = {
  name: 'token',
  about:
    'Tokens with which devices join. Those that there are: kubectl -n kube-system get secrets --field-selector type=holdfast.dev/join-token',
  commands: { create },
};

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
  const ms = Number(amount) * (UNITS[unit] ?? 0);
  if (ms > 0 && ms <= LONGEST_TTL_MS) return ms;
  throw new Error(`--ttl must be a duration such as 30m, 24h or 7d, of at most 3650d, is "${text}"`);
}
