import { timeText } from '../time-text.ts';
import { type Lease, leaseEndsAt, leaseLeftMs } from './lease.ts';
import { elapsedMs, type Moment } from './moment.ts';

/*
 * For how long a pod that is to take another's place is put off by leases. Pure.
 */

/** For how long an update was put off so far. Stored, so that nothing can put it off for ever. */
export interface Deferral {
  /** When `at` was. */
  readonly spentMs: number;
  readonly at: Moment;
  /** The lease that it was written for. */
  readonly lease: string;
}

/** Why an update may not begin yet, and when to look again, on the monotonic clock. */
export interface Wait {
  readonly reason: string;
  readonly message: string;
  readonly untilMs: number;
  readonly deferral?: Deferral;
}

export interface ConsentInput {
  /** Of the update: how long it lets itself be put off. */
  readonly maxDeferMs: number;
  /** The lease that is over the pod and stands longest. */
  readonly lease: Lease | undefined;
  readonly before: Deferral | undefined;
  readonly now: Moment;
  /** The same moment on the monotonic clock. */
  readonly nowMs: number;
}

/** What is waited for; undefined when nobody asks for it, or nobody may any more. */
export function consentWait(input: ConsentInput): Omit<Wait, 'reason'> | undefined {
  const { maxDeferMs, lease, now, nowMs } = input;
  if (!lease) return undefined;
  const spentMs = spentSoFarMs(input);
  const leftMs = Math.min(leaseLeftMs(lease, now), maxDeferMs - spentMs);
  if (leftMs <= 0) return undefined;
  const deferral = deferralBy(lease, input, spentMs);
  return { message: messageOf(lease, deferral, maxDeferMs), untilMs: nowMs + leftMs, deferral };
}

/** Over a restart of the device with a wrong clock, what is certain counts: for how long it has been running. */
function spentSoFarMs({ before, now }: ConsentInput): number {
  return before ? before.spentMs + (elapsedMs(before.at, now) ?? now.uptimeMs) : 0;
}

/** Written anew for each lease, not at each look: what is stored, and what is told, then stays the same for its time. */
function deferralBy(lease: Lease, { before, now }: ConsentInput, spentMs: number): Deferral {
  const key = `${lease.name} ${lease.at.bootId} ${lease.at.uptimeMs}`;
  return before?.lease === key ? before : { spentMs, at: now, lease: key };
}

function messageOf(lease: Lease, { spentMs, at }: Deferral, maxDeferMs: number): string {
  const mostAtMs = at.wallMs + maxDeferMs - spentMs;
  const isLess = mostAtMs < lease.at.wallMs + lease.seconds * 1000;
  const until = isLess ? `${timeText(mostAtMs)}, when it may be put off no more` : leaseEndsAt(lease);
  return `lease ${lease.name} puts it off until ${until}${lease.reason && `: ${lease.reason}`}`;
}
