import { Budget } from '../../controllers/rollout/budget.ts';
import type { Tracked } from '../../controllers/rollout/device-plan.ts';
import { joining, wavesOf } from '../../controllers/rollout/waves.ts';
import { durationMs } from '../../fleet/duration.ts';
import type { RolloutPolicySpec, Wave } from '../../fleet/rollout-policy.ts';
import { counted } from '../../resources/counted.ts';
import { matchesLabelSelector } from '../../resources/selector.ts';

/** A device as it is now. */
export interface ForecastDevice {
  readonly node: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly isOnline: boolean;
  /** It runs the revision already. */
  readonly hasRevision: boolean;
}

export interface ForecastInput {
  /** The name that the rollout will have: which devices a wave chooses follows from it. */
  readonly rollout: string;
  readonly policy: RolloutPolicySpec;
  readonly type: 'change' | 'undo';
  readonly devices: readonly ForecastDevice[];
}

export interface ForecastWave {
  readonly name: string;
  readonly devices: readonly string[];
  readonly dark: readonly string[];
  /** Of them, those that have the revision already. */
  readonly there: number;
  readonly bake?: string;
  readonly approve: Wave['approve'];
}

export interface Forecast {
  readonly waves: readonly ForecastWave[];
  readonly warnings: readonly string[];
}

const GROUPS_TOLD = 3;

/** Who would be in which wave if all went well and no device went or came, and what does not look right. Pure. */
export function forecast({ rollout, policy, type, devices }: ForecastInput): Forecast {
  const members = devices.map((device) => memberOf(rollout, device));
  const warnings: string[] = [];
  const waves = wavesOf(policy, type).map((wave, index, all) => {
    const joined = joining(rollout, wave, members) as readonly Member[];
    for (const member of joined) member.row = { ...member.row, wave: wave.name };
    const isLast = index === all.length - 1;
    if (!isLast) warnings.push(...waveWarnings(wave, joined, members, policy));
    return waveOf(wave, joined);
  });
  return { waves, warnings: [...warnings, ...budgetWarnings(policy, members)] };
}

type Asked = Pick<Tracked, 'node' | 'labels' | 'isOnline' | 'row' | 'isUnhealthy'>;
type Member = { -readonly [Key in keyof Asked]: Asked[Key] } & Pick<ForecastDevice, 'hasRevision'>;

function memberOf(rollout: string, device: ForecastDevice): Member {
  const { node, isOnline, hasRevision } = device;
  return {
    ...device,
    isUnhealthy: false,
    row: {
      workload: '',
      node,
      rollout,
      wave: '',
      class: isOnline ? 'reachable' : 'dark',
      step: hasRevision ? 'Succeeded' : 'Waiting',
      since: '',
    },
  };
}

function waveOf({ name, bake, approve }: Wave, joined: readonly Member[]): ForecastWave {
  return {
    name,
    devices: joined.map(({ node }) => node),
    dark: joined.filter(({ isOnline }) => !isOnline).map(({ node }) => node),
    there: joined.filter(({ hasRevision }) => hasRevision).length,
    approve,
    ...(bake && { bake }),
  };
}

function waveWarnings(
  { name, selector, limit, bake, approve }: Wave,
  joined: readonly Member[],
  members: readonly Member[],
  { gates }: RolloutPolicySpec,
): string[] {
  const wave = `wave ${name}`;
  const matching = members.filter(({ labels }) => matchesLabelSelector(selector ?? {}, labels));
  const then = passing(bake, approve);
  if (members.length === 0) return [`${wave} selects nobody: there are no devices; ${then}`];
  if (matching.length === 0) return [`${wave} selects nobody: no device matches its selector; ${then}`];
  const reachable = joined.filter(({ isOnline }) => isOnline).length;
  if (joined.length === 0) {
    const isTaken = matching.every(({ row }) => row.wave !== '');
    const why = isTaken ? 'earlier waves have all that match' : 'all that are left of it are dark';
    return [`${wave} selects nobody: ${why}; ${then}`];
  }
  if (reachable === 0)
    return [
      `${wave}: ${joined.length === 1 ? 'its only device is' : `all of its ${joined.length} devices are`} dark: nothing is tried there`,
    ];
  const wanted = typeof limit === 'number' ? limit : undefined;
  return [
    ...(wanted !== undefined && joined.length < wanted
      ? [`${wave} is to have ${wanted} devices, and only ${joined.length} can be reached`]
      : []),
    ...(reachable < gates.health.minAttempted
      ? [
          `${wave}: ${counted(reachable, 'device decides', 'devices decide')} alone, fewer than gates.health.minAttempted (${gates.health.minAttempted}): one that fails counts for much`,
        ]
      : []),
  ];
}

/** What becomes of a wave that has nobody. */
function passing(bake: string | undefined, approve: Wave['approve']): string {
  const isBaked = durationMs(bake) > 0;
  if (approve === 'manual') return `it asks for approval all the same${isBaked ? `, after ${bake}` : ''}`;
  return isBaked ? `it tries nothing, and passes after ${bake}` : 'it tries nothing, and passes at once';
}

/** Groups in which not even the first device may go out of service. */
function budgetWarnings({ budget: policy }: RolloutPolicySpec, members: readonly Member[]): string[] {
  if (!policy) return [];
  const budget = new Budget(policy, members);
  const groupOf = ({ labels }: Member) => policy.groupBy.map((label) => `${label}=${labels[label] ?? ''}`);
  const groups = Map.groupBy(members, (member) => groupOf(member).join(', '));
  const starved = [...groups].filter(([, of]) => {
    const first = of.find(({ isOnline, hasRevision }) => isOnline && !hasRevision);
    return first !== undefined && !budget.take(first);
  });
  const told = starved.slice(0, GROUPS_TOLD).map(([group, of]) => {
    const dark = of.filter(({ isOnline }) => !isOnline).length;
    return `the budget starves ${group}: of its ${counted(of.length, 'device', 'devices')} ${counted(dark, 'is', 'are')} dark, maxUnavailable is ${policy.maxUnavailable}; nobody there is updated until ${dark === 1 ? 'it is' : 'they are'} back`;
  });
  const more = starved.length - told.length;
  return more > 0 ? [...told, `the budget starves ${counted(more, 'more group', 'more groups')}`] : told;
}
