import type { PodCondition, PodStatus } from 'kubernetes-types/core/v1.d.ts';
import type { Logger } from 'pino';
import { type PodUpdate, podUpdateOf, WAITING_FOR_CONSENT } from '../../proto/pod-update.ts';
import { consentWait, type Wait } from '../pod/consent.ts';
import type { Moment } from '../pod/moment.ts';
import { isDeleted, type Pod } from '../pod/pod.ts';
import { planUpdate, type Turn, type UpdateInput, type UpdatePlan, type UpdateRecord } from '../pod/turn.ts';
import type { ObservedContainer } from '../runtime/runtime.ts';
import type { AgentState } from '../state/agent-state.ts';
import type { Leases } from './leases.ts';
import { endCheck, isWorthStoring, newTrial, sameRecord, type Trial } from './trial.ts';
import { TrialChecks, type TrialChecksOptions } from './trial-checks.ts';
import { troubleOf, updateConditions } from './update-conditions.ts';
import { type DownloadsView, downloadOf, isCleared } from './update-downloads.ts';
import { UpdateWindows, type UpdateWindowsOptions } from './update-windows.ts';

export interface UpdatesOptions extends DownloadsView, TrialChecksOptions, UpdateWindowsOptions {
  readonly state: Pick<AgentState, 'podUpdates' | 'savePodUpdate' | 'forgetPodUpdate'>;
  readonly leases: Pick<Leases, 'over'>;
  readonly moment: () => Moment;
  readonly containersOf: (uid: string) => readonly ObservedContainer[];
  /** It runs, or the engine still takes down what it had: its ports are not free. */
  readonly isBusy: (container: ObservedContainer) => boolean;
  /** What the pod's containers say of it. */
  readonly statusOf: (pod: Pod) => PodStatus;
  readonly log: Logger;
  /** The pod's turn is another than before, or what it follows from. */
  readonly onTurn: (uid: string) => void;
}

export interface TurnNow {
  readonly turn: Turn;
  /** When to look again although nothing happened. */
  readonly wakeAtMs: number;
}

const ALWAYS: TurnNow = { turn: 'run', wakeAtMs: Number.POSITIVE_INFINITY };
/** Of two that have a say, who lets less happen. */
const RANK: Readonly<Record<Turn, number>> = { run: 0, hold: 1, yield: 2, clear: 3 };
/** A decision that could not be stored (a full disk) is not acted on, and made again. */
const STORE_RETRY_MS = 10_000;

/** Which pods may run while others take their place, and what the device has decided about those. */
export class Updates {
  readonly #options: UpdatesOptions;
  readonly #trials = new Map<string, Trial>();
  /** By candidate and side: whose turn was told. */
  readonly #turns = new Map<string, { readonly uid: string; readonly turn: Turn }>();
  readonly #windows: UpdateWindows;
  readonly #checks: TrialChecks;
  #successors: { of: unknown; byUid: ReadonlyMap<string, readonly Pod[]> } | undefined;

  constructor(options: UpdatesOptions) {
    this.#options = options;
    this.#windows = new UpdateWindows(options);
    this.#checks = new TrialChecks(options);
    for (const [uid, json] of options.state.podUpdates())
      this.#trials.set(uid, newTrial(options.monotonicMs(), JSON.parse(json) as UpdateRecord));
  }

  /** Whose turn it is, by what is seen now; what is decided about a new pod is stored before it counts. */
  turnOf(uid: string): TurnNow {
    const pod = this.#options.desired.pods.get(uid);
    if (!pod) return ALWAYS;
    const says = [
      ...(podUpdateOf(pod) && !isDeleted(pod) ? [this.#judged(pod, 'next')] : []),
      ...this.#successorsOf(uid).map((successor) => this.#judged(successor, 'old')),
    ];
    return says.reduce(stricter, ALWAYS);
  }

  /** What the hub is told of a new pod. */
  conditionsOf(pod: Pod): PodCondition[] {
    const update = podUpdateOf(pod);
    if (!update) return [];
    const record = this.#trials.get(pod.metadata.uid)?.record;
    const closed = this.#windows.closed(update);
    return updateConditions(update, record, downloadOf(this.#options, pod), closed);
  }

  /** Nothing is left of the pod. Who waited for its place may go on. */
  forget(uid: string): void {
    const old = this.#turns.get(`${uid} old`);
    for (const side of ['next', 'old']) this.#turns.delete(`${uid} ${side}`);
    if (old && old.turn !== 'run') this.#options.onTurn(old.uid);
    const trial = this.#trials.get(uid);
    if (!trial) return;
    this.#trials.delete(uid);
    endCheck(trial);
    if (trial.record) this.#options.state.forgetPodUpdate(uid);
  }

  /** Leases are others than before. */
  leasesChanged(): void {
    const { desired, onTurn } = this.#options;
    for (const [uid, pod] of desired.pods) if (podUpdateOf(pod)?.consent) onTurn(uid);
  }

  close(): void {
    for (const trial of this.#trials.values()) endCheck(trial);
  }

  #judged(candidate: Pod, side: 'next' | 'old'): TurnNow {
    const plan = isDeleted(candidate) ? this.#withdrawn(candidate) : this.#judge(candidate);
    const { uid } = candidate.metadata;
    const replaces = podUpdateOf(candidate)?.replaces;
    this.#tell(uid, 'next', uid, plan.next);
    if (replaces !== undefined) this.#tell(uid, 'old', replaces, plan.old);
    return { turn: plan[side], wakeAtMs: plan.wakeAtMs };
  }

  /**
   * Who has another turn by what was seen of the other must be looked at. Remembered for each candidate: a pod that has
   * taken a place can be asked to leave it by the next.
   */
  #tell(candidate: string, side: 'next' | 'old', uid: string, turn: Turn): void {
    const key = `${candidate} ${side}`;
    const before = this.#turns.get(key)?.turn ?? 'run';
    this.#turns.set(key, { uid, turn });
    if (before !== turn) this.#options.onTurn(uid);
  }

  /** The hub has taken it back: what was there before goes on once its place is free. */
  #withdrawn(candidate: Pod): UpdatePlan {
    const { containersOf, isBusy } = this.#options;
    const replaces = podUpdateOf(candidate)?.replaces ?? '';
    const trial = this.#trials.get(candidate.metadata.uid);
    if (trial) endCheck(trial);
    const isFree = !containersOf(candidate.metadata.uid).some(isBusy) || containersOf(replaces).some(isBusy);
    return {
      next: 'run',
      old: isFree ? 'run' : 'yield',
      record: undefined,
      wakeAtMs: Number.POSITIVE_INFINITY,
    };
  }

  #judge(candidate: Pod): UpdatePlan {
    const { uid } = candidate.metadata;
    const { state, log, monotonicMs } = this.#options;
    const trial = this.#trialOf(candidate);
    const plan = planUpdate(this.#inputOf(candidate, trial));
    const { record } = plan;
    if (!record || sameRecord(record, trial.record)) return plan;
    try {
      if (isWorthStoring(record, trial.record)) state.savePodUpdate(uid, JSON.stringify(record));
      if (trial.record?.phase === 'waiting') trial.tryingSinceMs = monotonicMs();
      trial.record = record;
      if (record.phase === 'accepted' || record.phase === 'rejected') {
        endCheck(trial);
        log.info({ pod: uid, ...record }, `the new pod was ${record.phase}`);
      }
      return plan;
    } catch (error) {
      log.warn({ err: error, pod: uid }, 'a decision could not be stored: free space on the data directory');
      const turns = hasTakenPlace(trial, candidate)
        ? ({ next: 'run', old: 'yield' } as const)
        : ({ next: 'yield', old: 'run' } as const);
      return { ...turns, record: undefined, wakeAtMs: monotonicMs() + STORE_RETRY_MS };
    }
  }

  #trialOf(candidate: Pod): Trial {
    const { uid } = candidate.metadata;
    const known = this.#trials.get(uid);
    const isApplied = podUpdateOf(candidate)?.step === 'apply';
    const isResumed = known?.isResumed ?? false;
    if (known) known.isResumed = false;
    if (known && isResumed && known.record?.phase === 'trying') {
      const resumed = { ...known.record, starts: known.record.starts + 1 };
      known.record = resumed;
      this.#store(uid, resumed);
    }
    if (known) return known;
    const trial = newTrial(this.#options.monotonicMs());
    if (isApplied) this.#trials.set(uid, trial);
    return trial;
  }

  /** A start that could not be counted (a full disk) is counted by this agent alone. */
  #store(uid: string, record: UpdateRecord): void {
    try {
      this.#options.state.savePodUpdate(uid, JSON.stringify(record));
    } catch (error) {
      this.#options.log.warn({ err: error, pod: uid }, 'the start of a trial could not be stored');
    }
  }

  #inputOf(candidate: Pod, trial: Trial): UpdateInput {
    const { containersOf, isBusy, statusOf, monotonicMs } = this.#options;
    const update = podUpdateOf(candidate);
    if (!update) throw new Error('a pod without an update was judged');
    const nowMs = monotonicMs();
    const own = containersOf(candidate.metadata.uid);
    const status = statusOf(candidate);
    const isReady =
      status.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') ?? false;
    const check = this.#checks.checked(candidate, update, trial, isReady);
    trial.readySinceMs = isReady && check.holds ? (trial.readySinceMs ?? nowMs) : undefined;
    const before = containersOf(update.replaces ?? '');
    const { isStaged, trouble } = downloadOf(this.#options, candidate);
    return {
      update,
      record: trial.record,
      next: {
        isStaged,
        hasBegun: own.length > 0,
        isRunning: own.some(isBusy),
        readySinceMs: trial.readySinceMs,
        restarts: Math.max(0, ...(status.containerStatuses ?? []).map(({ restartCount }) => restartCount)),
        failedCheck: check.failure,
        trouble: trouble ?? troubleOf(status) ?? (check.trouble && `its check failed: ${check.trouble}`),
      },
      old: {
        isRunning: before.some(isBusy),
        isCleared: before.length === 0 && isCleared(this.#options, update.replaces),
      },
      closed: this.#windows.closed(update),
      deferred: this.#deferred(update, trial),
      tryingSinceMs: trial.tryingSinceMs,
      nowMs,
    };
  }

  /** Whether somebody on the device puts it off. Where nothing runs yet there is nobody to ask. */
  #deferred({ consent, replaces = '' }: PodUpdate, { record }: Trial): Wait | undefined {
    const { desired, leases, moment, monotonicMs } = this.#options;
    const old = consent && desired.pods.get(replaces);
    if (!old) return undefined;
    const wait = consentWait({
      maxDeferMs: consent.maxDeferSeconds * 1000,
      lease: leases.over(old),
      before: record?.deferral,
      now: moment(),
      nowMs: monotonicMs(),
    });
    return wait && { reason: WAITING_FOR_CONSENT, ...wait };
  }

  /** Who is to take the pod's place: the newest, and those that the hub is taking back. Looked up once for a snapshot. */
  #successorsOf(uid: string): readonly Pod[] {
    const { pods } = this.#options.desired;
    if (this.#successors?.of !== pods) {
      const byUid = Map.groupBy(pods.values(), (pod) => podUpdateOf(pod)?.replaces ?? '');
      this.#successors = { of: pods, byUid };
    }
    return this.#successors.byUid.get(uid) ?? [];
  }
}

/** By what is stored: so it stays while nothing more can be. */
function hasTakenPlace({ record }: Trial, candidate: Pod): boolean {
  if (!record || record.phase === 'waiting') return false;
  return record.isSwitching === true || podUpdateOf(candidate)?.consent === undefined;
}

function stricter(a: TurnNow, b: TurnNow): TurnNow {
  return { turn: RANK[b.turn] > RANK[a.turn] ? b.turn : a.turn, wakeAtMs: Math.min(a.wakeAtMs, b.wakeAtMs) };
}
