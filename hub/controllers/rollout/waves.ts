import { createHash } from 'node:crypto';
import { REST, type RolloutPolicySpec, type Wave } from '../../fleet/rollout-policy.ts';
import { matchesLabelSelector } from '../../resources/selector.ts';
import { resolveAmount } from '../amounts.ts';
import type { Tracked } from './device-plan.ts';

/** The policy's waves and, last, that of those who are in none. An undo has only the last. */
export function wavesOf({ waves = [] }: RolloutPolicySpec, type: 'change' | 'undo'): readonly Wave[] {
  const rest: Wave = { name: REST, approve: 'automatic' };
  return type === 'undo' ? [rest] : [...waves, rest];
}

/** What is in a wave, or could be. */
type Candidate = Pick<Tracked, 'node' | 'labels' | 'isOnline' | 'row'>;

/**
 * Who joins a wave now. A wave with a limit takes devices that can be reached, as many as are missing: who goes dark
 * before being asked is replaced. One without takes all that match, dark ones too: they follow when they are back.
 * Which devices is the same for the same rollout and fleet, and different for the next rollout. Pure.
 */
export function joining(rollout: string, wave: Wave, devices: readonly Candidate[]): readonly Candidate[] {
  const matching = devices.filter(
    ({ labels }) => wave.name === REST || matchesLabelSelector(wave.selector ?? {}, labels),
  );
  const free = matching.filter(({ row }) => row.wave === '');
  if (wave.limit === undefined) return free;
  const limit = resolveAmount(wave.limit, matching.length, 'up');
  const members = matching.filter(({ row }) => row.wave === wave.name && row.class !== 'dark');
  const missing = limit - members.length;
  if (missing <= 0) return [];
  const reachable = free.filter(({ isOnline }) => isOnline);
  return spread(rollout, wave.spreadBy ?? [], reachable, members).slice(0, missing);
}

/** How many devices the wave is to have: those that match and are in no other, dark ones too, up to its limit. */
export function sizeOf(wave: Wave, devices: readonly Candidate[]): number {
  const matching = devices.filter(
    ({ labels }) => wave.name === REST || matchesLabelSelector(wave.selector ?? {}, labels),
  );
  const own = matching.filter(({ row }) => row.wave === '' || row.wave === wave.name);
  return wave.limit === undefined
    ? own.length
    : Math.min(own.length, resolveAmount(wave.limit, matching.length, 'up'));
}

/** In an order in which each group of devices has had its turn before one has its next. */
function spread(
  rollout: string,
  labels: readonly string[],
  devices: readonly Candidate[],
  members: readonly Candidate[],
): readonly Candidate[] {
  const shuffled = devices
    .map((device) => ({ device, key: shuffleKey(rollout, device.node) }))
    .toSorted((a, b) => (a.key < b.key ? -1 : 1))
    .map(({ device }) => device);
  if (labels.length === 0) return shuffled;
  const groupOf = (device: Candidate) => labels.map((label) => device.labels[label] ?? '').join('\0');
  const turns = new Map<string, number>();
  for (const member of members) turns.set(groupOf(member), (turns.get(groupOf(member)) ?? 0) + 1);
  return shuffled
    .map((device) => {
      const group = groupOf(device);
      const turn = turns.get(group) ?? 0;
      turns.set(group, turn + 1);
      return { device, turn };
    })
    .toSorted((a, b) => a.turn - b.turn)
    .map(({ device }) => device);
}

/** Not always the same devices are the first to meet what is new. */
function shuffleKey(rollout: string, node: string): string {
  return createHash('sha1').update(rollout).update('\0').update(node).digest('hex');
}
