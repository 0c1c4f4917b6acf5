import { askAgent } from './client.ts';
import type { ToldLease } from './lease-requests.ts';
import { table } from './table.ts';

/** What was written after `holdfast-agent lease`. */
export interface LeaseWords {
  readonly words: readonly string[];
  readonly values: Readonly<Record<string, string | undefined>>;
}

const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 };
const DURATION = /^(\d{1,6}[smh])+$/;
const USAGE =
  'say "lease hold NAME --for 10m [--pod NAMESPACE/NAME] [--reason TEXT]", "lease release NAME" or "lease list"';

/** Resolves with what to print. Rejects with what the agent does not accept, or what is wrong with the words. */
export async function leaseCommand(
  runDir: string,
  { words, values }: LeaseWords,
  output: 'text' | 'json',
): Promise<string> {
  const [verb, name, ...more] = words;
  if (more.length > 0) throw new Error(`"${more[0]}" is too much: ${USAGE}`);
  if (verb === 'list' && name === undefined) return list(runDir, output);
  if ((verb !== 'hold' && verb !== 'release') || !name) throw new Error(USAGE);
  const path = `/v1/leases/${encodeURIComponent(name)}`;
  if (verb === 'release') {
    await ask(runDir, 'DELETE', path);
    return `lease ${name} is given back`;
  }
  const { pod, reason } = values;
  const body = { seconds: secondsOf(values['for']), ...(pod && { pod }), ...(reason && { reason }) };
  const lease = JSON.parse(await ask(runDir, 'PUT', path, body)) as ToldLease;
  if (output === 'json') return JSON.stringify(lease, undefined, 2);
  return `lease ${name} stands until ${lease.until}`;
}

async function list(runDir: string, output: 'text' | 'json'): Promise<string> {
  const { leases } = JSON.parse(await ask(runDir, 'GET', '/v1/leases')) as { leases: readonly ToldLease[] };
  if (output === 'json') return JSON.stringify(leases, undefined, 2);
  const rows = leases.map(({ name, pod, until, reason }) => [name, pod ?? '(all)', until, reason]);
  return table([['NAME', 'POD', 'UNTIL', 'REASON'], ...rows]).join('\n');
}

async function ask(runDir: string, method: string, path: string, body?: object): Promise<string> {
  const { code, text } = await askAgent(runDir, method, path, body);
  if (code < 300) return text;
  throw new Error((JSON.parse(text) as { error: string }).error);
}

function secondsOf(text: string | undefined): number {
  if (text === undefined || !DURATION.test(text))
    throw new Error(`--for must be a duration such as 90s, 10m or 1h30m, is "${text ?? ''}"`);
  const parts = [...text.matchAll(/(\d+)([smh])/g)];
  return parts.reduce((sum, [, count, unit = '']) => sum + Number(count) * (UNIT_SECONDS[unit] ?? 0), 0);
}
