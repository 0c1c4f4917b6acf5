import type { Slot } from './installation.ts';
import type { Trial } from './slots.ts';
import { NO_CONTACT, UNHEALTHY } from './update-plan.ts';

/* Whether a version of the agent that is tried has proved itself. Pure; times are milliseconds on the monotonic clock. */

/** What the version that is tried sees of itself. */
export interface TrialSituation {
  readonly slot: Slot;
  /** It was confirmed before: an agent may have ended in the middle of that. */
  readonly isCurrent: boolean;
  /** The hub has answered its first report. */
  readonly hasContact: boolean;
  /** The engine answers, and its containers have been looked at. */
  readonly hasLooked: boolean;
  /** Since when it has been doing without the hub what it can do without it. */
  readonly healthySinceMs: number;
  readonly startedMs: number;
  readonly nowMs: number;
}

export type TrialDecision =
  | { readonly type: 'confirm'; readonly reason: 'Connected' | 'LocallyHealthy'; readonly message: string }
  | { readonly type: 'give-up'; readonly reason: string }
  | { readonly type: 'wait'; readonly wakeAtMs: number };

/** Sooner than whoever watches from outside, for whom it would look as if it hung. */
const MARGIN_MS = 3_000;

export function decideTrial(trial: Trial, situation: TrialSituation): TrialDecision {
  const { isCurrent, hasContact, hasLooked, startedMs, nowMs } = situation;
  const isLocallyWell = hasLooked || !trial.hadEngine;
  if (isCurrent || (hasContact && isLocallyWell))
    return {
      type: 'confirm',
      reason: 'Connected',
      message: 'it has reached the hub, and looks after its pods',
    };
  const givesUpAtMs = startedMs + trial.seconds * 1000 - MARGIN_MS;
  const wellAtMs = situation.healthySinceMs + trial.minHealthySeconds * 1000;
  const mayDoWithout = isLocallyWell && !trial.hadContact;
  if (mayDoWithout && nowMs >= wellAtMs)
    return {
      type: 'confirm',
      reason: 'LocallyHealthy',
      message: 'it looks after its pods; the hub was away before as well',
    };
  if (nowMs >= givesUpAtMs) return { type: 'give-up', reason: isLocallyWell ? NO_CONTACT : UNHEALTHY };
  return { type: 'wait', wakeAtMs: mayDoWithout ? Math.min(wellAtMs, givesUpAtMs) : givesUpAtMs };
}
