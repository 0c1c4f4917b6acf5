import type { PodUpdate } from '../../proto/pod-update.ts';
import type { Deferral, Wait } from './consent.ts';

/*
 * Two pods that want one place: a new one, and the one whose place it takes. Which of them may run now is decided here,
 * on the device and from what is stored there, so that it is decided without a connection as well. Pure; all times are
 * milliseconds on the monotonic clock.
 */

/**
 * What a pod may do. `run`: what its spec says. `hold`: download, no more. `yield`: end its containers and keep them,
 * to go on with them later. `clear`: leave nothing on the disk, its images neither.
 */
export type Turn = 'run' | 'hold' | 'yield' | 'clear';

/** What is remembered of a new pod, in the device's database: nothing of it may be lost when the power goes. */
export interface UpdateRecord {
  readonly phase: 'waiting' | 'trying' | 'accepted' | 'rejected';
  /** One word, and a sentence. */
  readonly reason: string;
  readonly message: string;
  /** How often an agent has begun to try it: a revision that takes its device down with it must end some time. */
  readonly starts: number;
  /** It has begun to take the place: nobody can put it off any more. Written where somebody could. */
  readonly isSwitching?: true;
  /** How long it was put off so far. */
  readonly deferral?: Deferral;
}

export interface UpdateInput {
  readonly update: PodUpdate;
  readonly record: UpdateRecord | undefined;
  readonly next: {
    /** All its images are there. */
    readonly isStaged: boolean;
    /** It has containers already. */
    readonly hasBegun: boolean;
    readonly isRunning: boolean;
    /** Since when it has been ready, and its check has held, without a break. */
    readonly readySinceMs: number | undefined;
    readonly restarts: number;
    /** Its check has failed as often as it may, and why. */
    readonly failedCheck: string | undefined;
    /** What is in its way, as far as that is known. */
    readonly trouble: string | undefined;
  };
  readonly old: { readonly isRunning: boolean; readonly isCleared: boolean };
  /** Its window to download, or to switch, is closed; undefined when it may begin. What has begun to switch goes on. */
  readonly closed: Wait | undefined;
  /** Somebody puts it off; undefined when nobody does. What has begun to take the place goes on. */
  readonly deferred: Wait | undefined;
  /** Since when this agent has been trying it. */
  readonly tryingSinceMs: number;
  readonly nowMs: number;
}

export interface UpdatePlan {
  readonly next: Turn;
  readonly old: Turn;
  /** To be stored before it is acted on. */
  readonly record: UpdateRecord | undefined;
  /** When to look again although nothing happened; Infinity when there is no need. */
  readonly wakeAtMs: number;
}

/** An agent that has begun so often and never came to an end will not this time. */
const MOST_STARTS = 4;

export function planUpdate(input: UpdateInput): UpdatePlan {
  const { update, closed, nowMs } = input;
  if (update.step === 'stage' && !input.record) {
    return {
      next: closed || downloadsLater(update) ? 'yield' : 'hold',
      old: 'run',
      record: undefined,
      wakeAtMs: closed?.untilMs ?? Number.POSITIVE_INFINITY,
    };
  }
  const wait = waitOf(input);
  if (wait) return planWait(input, wait);
  // The time that it waited is not its own.
  const trial = hasBegun(input) ? input : { ...input, tryingSinceMs: nowMs };
  const record = judge(trial, begun(input));
  const wakeAtMs = record.phase === 'trying' ? nextJudgementAtMs(trial) : Number.POSITIVE_INFINITY;
  return { ...turns(input, record), record, wakeAtMs: wakeAtMs <= nowMs ? nowMs + 1 : wakeAtMs };
}

function hasBegun({ record }: UpdateInput): boolean {
  return record !== undefined && record.phase !== 'waiting';
}

function waitOf(input: UpdateInput): Wait | undefined {
  const { record, next, closed, deferred } = input;
  if (closed && !hasBegun(input)) return closed;
  const isDownloading = record?.phase === 'trying' && !record.isSwitching && !next.hasBegun;
  return !hasBegun(input) || isDownloading ? deferred : undefined;
}

/** What is remembered of it from now on, before it is judged. */
function begun({ update, record, next }: UpdateInput): UpdateRecord {
  const trial = record && record.phase !== 'waiting' ? record : { ...TRYING, starts: 1 };
  const switches = next.isStaged || next.hasBegun || downloadsLater(update);
  return update.consent && switches && trial.phase === 'trying' ? { ...trial, isSwitching: true } : trial;
}

/** Where there is no room for both, nothing can be downloaded ahead of time. */
export function downloadsLater({ order }: PodUpdate): boolean {
  return order === 'stop-then-download' || order === 'delete-then-download';
}

/** Until it may begin it may download, where there is room for that. */
function planWait({ update, record }: UpdateInput, { reason, message, untilMs, ...more }: Wait): UpdatePlan {
  const deferral = more.deferral ?? record?.deferral;
  return {
    next: downloadsLater(update) ? 'yield' : 'hold',
    old: 'run',
    record: { phase: 'waiting', reason, message, starts: 0, ...(deferral && { deferral }) },
    wakeAtMs: untilMs,
  };
}

const TRYING = { phase: 'trying', reason: 'Trying', message: '' } as const;

/** Whether the device takes the new pod. What has been decided stays. */
function judge({ update, next, tryingSinceMs, nowMs }: UpdateInput, record: UpdateRecord): UpdateRecord {
  if (record.phase !== 'trying') return record;
  const { minHealthySeconds, maxRestarts, deadlineSeconds, rollback } = update;
  if (next.readySinceMs !== undefined && nowMs - next.readySinceMs >= minHealthySeconds * 1000)
    return {
      ...record,
      phase: 'accepted',
      reason: 'Healthy',
      message: `it was ready for ${minHealthySeconds} s`,
    };
  const why = next.trouble ? `: ${next.trouble}` : '';
  const reject = (reason: string, message: string): UpdateRecord => ({
    ...record,
    // Who has nowhere to go back to tries on, and tells.
    phase: rollback ? 'rejected' : 'trying',
    reason,
    message,
  });
  if (next.restarts > maxRestarts)
    return reject(
      'Restarts',
      `its containers restarted ${next.restarts} times, ${maxRestarts} are allowed${why}`,
    );
  if (next.failedCheck !== undefined) return reject('CheckFailed', next.failedCheck);
  if (record.starts > MOST_STARTS)
    return reject(
      'DeviceRestarts',
      `the agent was restarted ${record.starts - 1} times while it was tried${why}`,
    );
  if (nowMs - tryingSinceMs >= deadlineSeconds * 1000)
    return reject(
      'DeadlineExceeded',
      `it was not ready for ${minHealthySeconds} s within ${deadlineSeconds} s${why}`,
    );
  return { ...record, message: next.trouble ?? '' };
}

function nextJudgementAtMs({ update, next, tryingSinceMs }: UpdateInput): number {
  const healthyAtMs =
    next.readySinceMs === undefined
      ? Number.POSITIVE_INFINITY
      : next.readySinceMs + update.minHealthySeconds * 1000;
  const lateAtMs = tryingSinceMs + update.deadlineSeconds * 1000;
  return update.rollback ? Math.min(healthyAtMs, lateAtMs) : healthyAtMs;
}

function turns(
  { update, next, old }: UpdateInput,
  { phase }: UpdateRecord,
): Pick<UpdatePlan, 'next' | 'old'> {
  if (phase === 'accepted') return { next: 'run', old: 'yield' };
  // What ran before comes back when the place is free again, if it ever left it.
  if (phase === 'rejected') return { next: 'yield', old: next.isRunning && !old.isRunning ? 'yield' : 'run' };
  const { order } = update;
  if (!downloadsLater(update) && !next.hasBegun && !next.isStaged) return { next: 'hold', old: 'run' };
  if (order === 'start-first') return { next: 'run', old: 'run' };
  const clears = order === 'delete-then-download';
  const isFree = next.hasBegun || (!old.isRunning && (!clears || old.isCleared));
  return { next: isFree ? 'run' : 'yield', old: clears ? 'clear' : 'yield' };
}
