import type { RolloutPolicySpec } from '../../fleet/rollout-policy.ts';
import { counted } from '../../resources/counted.ts';
import { DECIDED, type Tracked } from './device-plan.ts';

/** How the devices of a wave, or of a fleet, stand. */
export interface Outcome {
  readonly members: number;
  /** Neither decided nor lost, and to be reached: the wave waits for them. */
  readonly undecided: number;
  /** Decided, or lost. */
  readonly attempted: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly lost: number;
  readonly dark: number;
  /** Of those that succeeded: what does not do well with the revision. */
  readonly unhealthy: number;
  /** Told to switch, and not yet decided. */
  readonly updating: number;
  /** Hold all images: staged, or further. */
  readonly staged: number;
}

export function outcomeOf(members: readonly Tracked[]): Outcome {
  const outcome = {
    members: members.length,
    undecided: 0,
    attempted: 0,
    succeeded: 0,
    failed: 0,
    lost: 0,
    dark: 0,
    unhealthy: 0,
    updating: 0,
    staged: 0,
  };
  for (const { row, isUnhealthy } of members) {
    if (row.step !== 'Waiting' && row.step !== 'Staging') outcome.staged += 1;
    if (row.step === 'Succeeded') outcome.succeeded += 1;
    else if (DECIDED.includes(row.step)) outcome.failed += 1;
    else if (row.class === 'lost') outcome.lost += 1;
    else if (row.class === 'dark') outcome.dark += 1;
    else outcome.undecided += 1;
    if (row.step === 'Applying' && row.class === 'reachable') outcome.updating += 1;
    if (isUnhealthy) outcome.unhealthy += 1;
  }
  outcome.attempted = outcome.succeeded + outcome.failed + outcome.lost;
  return outcome;
}

export interface Verdict {
  readonly result: 'pass' | 'fail' | 'inconclusive';
  readonly message: string;
}

const PASS: Verdict = { result: 'pass', message: '' };

/** What the gates must know of a wave besides its outcome. */
export interface WaveTraits {
  /** How many devices it is to have. */
  readonly size: number;
  readonly isLast: boolean;
  readonly acceptedFailures: number;
}

/**
 * What the gates make of a wave so far. `acceptedFailures` are those that somebody has seen and gone on from. Pure.
 * Shares are of the devices that attempted the change: who is away is neither for nor against it.
 */
export function evaluateGates(
  gates: RolloutPolicySpec['gates'],
  outcome: Outcome,
  { size, isLast, acceptedFailures }: WaveTraits,
): Verdict {
  const { health, lost } = gates;
  const unaccepted = { ...outcome, attempted: Math.max(0, outcome.attempted - acceptedFailures) };
  const needed = neededAttempts(health.minAttempted, size, unaccepted, isLast);
  if (outcome.attempted < needed) {
    return {
      result: 'inconclusive',
      message: `${outcome.attempted} of the ${counted(needed, 'device that it takes to decide has', 'devices that it takes to decide have')} attempted the change (${counted(outcome.dark, 'is dark', 'are dark')})`,
    };
  }
  const verdicts = [
    { ...healthVerdict(health.successThreshold, unaccepted, acceptedFailures), dryRun: health.dryRun },
    { ...lostVerdict(lost.maxLost, unaccepted), dryRun: lost.dryRun },
  ];
  const failed = verdicts.find(({ result, dryRun }) => result === 'fail' && !dryRun);
  if (failed) return { result: 'fail', message: failed.message };
  const told = verdicts.filter(({ result }) => result === 'fail').map(({ message }) => `dry run: ${message}`);
  return { ...PASS, message: told.join('; ') };
}

/**
 * One failure of one says nothing about a fleet, nor does one success: but a wave that has fewer devices than that must
 * decide by those it has. The last wave is not held up by devices that are all away.
 */
function neededAttempts(
  minAttempted: number,
  size: number,
  { members, dark }: Outcome,
  isLast: boolean,
): number {
  return Math.min(minAttempted, isLast ? members - dark : size);
}

function healthVerdict(
  successThreshold: string,
  { attempted, failed, lost, unhealthy }: Outcome,
  acceptedFailures: number,
): Verdict {
  const bad = Math.max(0, failed + lost + unhealthy - acceptedFailures);
  const allowedPercent = 100 - Number.parseInt(successThreshold, 10);
  if (bad * 100 <= allowedPercent * attempted) return PASS;
  const parts = [
    `${failed} failed`,
    ...(lost ? [`${lost} lost`] : []),
    ...(unhealthy ? [`${unhealthy} unhealthy`] : []),
  ];
  return {
    result: 'fail',
    message: `gate health: ${bad} of ${counted(attempted, 'device', 'devices')} did not take the revision (${parts.join(', ')}), successThreshold is ${successThreshold}`,
  };
}

function lostVerdict(maxLost: number | string, { attempted, lost }: Outcome): Verdict {
  const isOver =
    typeof maxLost === 'number' ? lost > maxLost : lost * 100 > Number.parseInt(maxLost, 10) * attempted;
  if (!isOver) return PASS;
  return {
    result: 'fail',
    message: `gate lost: ${lost} of ${counted(attempted, 'device was', 'devices were')} not heard of any more, maxLost is ${maxLost}`,
  };
}
