import { durationMs } from '../../fleet/duration.ts';
import type { MeasuredGate } from '../../fleet/measured-gate.ts';
import type { GateResult, GateStatus } from '../../fleet/rollout.ts';
import { sooner } from '../../resources/time.ts';
import { atMs, isoTime } from './device-plan.ts';

/*
 * When gates are asked, and what their answers mean for a wave. Pure: who is asked, and how, is in `gate-measurements/`.
 */

/** Somebody is to be asked about a wave. The same question has the same `askedAt`, also after a restart of the hub. */
export interface Question {
  readonly wave: string;
  readonly gate: string;
  readonly askedAt: string;
}

export interface Finding {
  readonly result: GateResult;
  /** What was measured, in a sentence. */
  readonly message: string;
}

export interface Answer extends Question, Finding {}

/**
 * Where a gate is with a wave. `waits`: for an answer, or for its time. `passed`: nothing more is asked of it. `stuck`:
 * it has been inconclusive for too long, and somebody must look.
 */
export type Standing = 'waits' | 'passed' | 'failed' | 'stuck';

export interface GateStep {
  readonly status: GateStatus;
  readonly standing: Standing;
  /** It is to be asked now, or was and the answer is awaited. */
  readonly isAsked: boolean;
  /** When time alone makes something else of it; undefined when it cannot. */
  readonly wakeInMs: number | undefined;
}

export interface GateTime {
  readonly nowMs: number;
  /** When the wave has baked. Only who is asked from then on has the last word. */
  readonly bakedAtMs: number;
}

/** An inconclusive gate is asked again after the first, then after twice as long, and so on up to its interval. */
const RETRY_MS = { first: 5_000, longest: 300_000 };
const MOST_MESSAGE = 1024;

/** Takes one gate one step on. */
export function stepGate(
  gate: MeasuredGate,
  before: GateStatus | undefined,
  answer: Answer | undefined,
  time: GateTime,
): GateStep {
  const now = isoTime(time.nowMs);
  const known = before && answer ? withAnswer(before, answer, now) : before;
  const status = !known || isDue(gate, known, time) ? asked(gate, known, now) : known;
  const standing = standingOf(gate, status, time);
  if (standing !== 'waits') return { status, standing, isAsked: false, wakeInMs: undefined };
  const isAsked = status.answeredAt === undefined;
  const wakeAtMs = [time.bakedAtMs, lateAtMs(gate, status), isAsked ? 0 : nextQuestionMs(gate, status, time)]
    .filter((ms) => ms > time.nowMs)
    .reduce<number | undefined>(sooner, undefined);
  const wakeInMs = wakeAtMs === undefined ? undefined : wakeAtMs - time.nowMs;
  return { status, standing, isAsked, wakeInMs };
}

/** What it found last stays until there is something newer. */
function asked({ name }: MeasuredGate, known: GateStatus | undefined, now: string): GateStatus {
  const first = { name, result: 'inconclusive', message: 'it has not answered yet', askedAt: now } as const;
  const { answeredAt: _, ...rest }: GateStatus = known ?? first;
  return { openSince: now, ...rest, askedAt: now };
}

/** Only an answer to the last question counts. */
function withAnswer(before: GateStatus, answer: Answer, answeredAt: string): GateStatus {
  const { name, askedAt, openSince, failures = 0, tries = 0 } = before;
  if (answer.askedAt !== askedAt || before.answeredAt !== undefined) return before;
  const { result } = answer;
  const known = { name, result, message: answer.message.slice(0, MOST_MESSAGE), askedAt, answeredAt };
  if (result === 'pass') return known;
  if (result === 'fail') return { ...known, failures: failures + 1 };
  return { ...known, openSince: openSince ?? askedAt, tries: tries + 1, ...(failures > 0 && { failures }) };
}

function isDue(gate: MeasuredGate, status: GateStatus, time: GateTime): boolean {
  return (
    status.answeredAt !== undefined &&
    standingOf(gate, status, time) === 'waits' &&
    nextQuestionMs(gate, status, time) <= time.nowMs
  );
}

function standingOf(gate: MeasuredGate, status: GateStatus, { nowMs, bakedAtMs }: GateTime): Standing {
  const { result, askedAt, answeredAt, failures = 0, accepted } = status;
  const isLast = answeredAt !== undefined && atMs(askedAt) >= bakedAtMs;
  const isLate = nowMs >= lateAtMs(gate, status);
  const isBaked = nowMs >= bakedAtMs;
  if (accepted) return 'passed';
  if (gate.dryRun) return isLast || (isLate && isBaked) ? 'passed' : 'waits';
  if (answeredAt !== undefined && result === 'fail' && failures > gate.failureLimit) return 'failed';
  if (isLast && result === 'pass') return 'passed';
  if (!isLate) return 'waits';
  switch (gate.onInconclusive) {
    case 'pause':
      return 'stuck';
    case 'fail':
      return 'failed';
    case 'continue':
      return isBaked ? 'passed' : 'waits';
  }
}

function lateAtMs({ deadline }: MeasuredGate, { openSince }: GateStatus): number {
  return openSince === undefined ? Number.POSITIVE_INFINITY : atMs(openSince) + durationMs(deadline);
}

/** When it is asked again that has answered. The end of the bake is a time to ask in any case. */
function nextQuestionMs(
  { interval }: MeasuredGate,
  { result, askedAt, answeredAt, tries = 1 }: GateStatus,
  { bakedAtMs }: GateTime,
): number {
  const askedMs = atMs(askedAt);
  const intervalMs = durationMs(interval);
  const retryMs = Math.min(RETRY_MS.first * 2 ** (tries - 1), RETRY_MS.longest, intervalMs);
  const nextMs = result === 'inconclusive' ? atMs(answeredAt) + retryMs : askedMs + intervalMs;
  return askedMs < bakedAtMs ? Math.min(nextMs, bakedAtMs) : nextMs;
}

/** After somebody had it go on: what stopped the rollout is accepted, what else was open is asked anew. */
export function resumed(gates: readonly GateStatus[]): GateStatus[] {
  return gates.flatMap(({ stopped, ...gate }) => {
    if (stopped) return { ...gate, accepted: true };
    return gate.accepted || (gate.result === 'pass' && gate.answeredAt !== undefined) ? gate : [];
  });
}
