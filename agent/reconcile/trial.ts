import type { TrialCheck } from '../pod/trial-check.ts';
import type { UpdateRecord } from '../pod/turn.ts';

/** What this agent knows of a pod that is to take another's place. */
export interface Trial {
  record: UpdateRecord | undefined;
  /** Since when this agent has been trying it. */
  tryingSinceMs: number;
  readySinceMs: number | undefined;
  check: TrialCheck | undefined;
  /** Remembered from an agent that ran before. */
  isResumed: boolean;
}

/** `record`: what an agent that ran before has stored of it. */
export function newTrial(nowMs: number, record?: UpdateRecord): Trial {
  return {
    record,
    tryingSinceMs: nowMs,
    readySinceMs: undefined,
    check: undefined,
    isResumed: record !== undefined,
  };
}

export function endCheck(trial: Trial): void {
  trial.check?.stop();
  trial.check = undefined;
}

export function sameRecord(a: UpdateRecord, b: UpdateRecord | undefined): boolean {
  return (
    a.phase === b?.phase &&
    a.reason === b.reason &&
    a.message === b.message &&
    a.starts === b.starts &&
    a.isSwitching === b.isSwitching &&
    a.deferral?.lease === b.deferral?.lease
  );
}

/**
 * What is in the way of a trial changes often and need not outlive the agent. That it was put off must: the time for
 * which it may be does not begin again.
 */
export function isWorthStoring(a: UpdateRecord, b: UpdateRecord | undefined): boolean {
  if (a.phase === 'waiting') return a.deferral?.lease !== b?.deferral?.lease;
  return a.phase !== b?.phase || a.starts !== b.starts || a.isSwitching !== b.isSwitching;
}
