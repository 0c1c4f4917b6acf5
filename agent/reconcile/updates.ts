import type { PodCondition, PodStatus } from 'kubernetes-types/core/v1.d.ts';
import type { Logger } from 'pino';
import { ACCEPTED_CONDITION, type PodUpdate, podUpdateOf, STAGED_CONDITION } from '../../proto/pod-update.ts';
import { isDeleted, type Pod } from '../pod/pod.ts';
import type { ProbeTarget } from '../pod/probe-attempt.ts';
import type { TrialCheck, TrialCheckOptions } from '../pod/trial-check.ts';
import {
  downloadsLater,
  planUpdate,
  type Turn,
  type UpdateInput,
  type UpdatePlan,
  type UpdateRecord,
} from '../pod/turn.ts';
import type { ObservedContainer, Runtime } from '../runtime/runtime.ts';
import type { AgentState } from '../state/agent-state.ts';
import type { DesiredState } from '../state/desired-state.ts';
import type { Images } from './images.ts';

export interface UpdatesOptions {
  readonly desired: Pick<DesiredState, 'pods'>;
  readonly state: Pick<AgentState, 'podUpdates' | 'savePodUpdate' | 'forgetPodUpdate'>;
  readonly images: Images;
  readonly runtime: Pick<Runtime, 'exec'>;
  /** Where checks of a pod's container go; undefined while it does not run. */
  readonly probeTargetOf: (pod: Pod, container: string) => ProbeTarget | undefined;
  readonly containersOf: (uid: string) => readonly ObservedContainer[];
  /** It runs, or the engine still takes down what it had: its ports are not free. */
  readonly isBusy: (container: ObservedContainer) => boolean;
  /** What the pod's containers say of it. */
  readonly statusOf: (pod: Pod) => PodStatus;
  /** When this agent first met the pod. */
  readonly firstSeenAtMs: (uid: string) => number;
  readonly monotonicMs: () => number;
  /** Ms of the wall clock. */
  readonly now: () => number;
  readonly log: Logger;
  /** The pod's turn is another than before. */
  readonly onTurn: (uid: string) => void;
  /** What windows are read with, or checks done, is there: all that wait for it must be looked at. */
  readonly onLoaded: () => void;
}

export interface TurnNow {
  readonly turn: Turn;
  /** When to look again although nothing happened. */
  readonly wakeAtMs: number;
}

interface Trial {
  record: UpdateRecord | undefined;
  /** Since when this agent has been trying it. */
  tryingSinceMs: number;
  readySinceMs: number | undefined;
  check: TrialCheck | undefined;
  /** Remembered from an agent that ran before. */
  isResumed: boolean;
}

/** How a pod's check is: whether it holds, why it does not, and why the pod is to be rejected for it. */
type Checked = Pick<TrialCheck, 'holds'> & {
  readonly trouble?: string | undefined;
  readonly failure?: string | undefined;
};

const ALWAYS: TurnNow = { turn: 'run', wakeAtMs: Number.POSITIVE_INFINITY };
/** Of two that have a say, who lets less happen. */
const RANK: Readonly<Record<Turn, number>> = { run: 0, hold: 1, yield: 2, clear: 3 };
/** A decision that could not be stored (a full disk) is not acted on, and made again. */
const STORE_RETRY_MS = 10_000;
/** Between hub and device; what is more is wrong. */
const CLOCK_TOLERANCE_MS = 60_000;
const CLOCK_RETRY_MS = 60_000;

/** Which pods may run while others take their place, and what the device has decided about those. */
export class Updates {
  readonly #options: UpdatesOptions;
  readonly #trials = new Map<string, Trial>();
  /** By candidate and side: whose turn was told. */
  readonly #turns = new Map<string, { readonly uid: string; readonly turn: Turn }>();
  #opensAt: typeof import('../pod/window.ts').opensAt | undefined;
  #loading: Promise<void> | undefined;
  #newCheck: ((options: TrialCheckOptions) => TrialCheck) | undefined;
  #loadingCheck: Promise<void> | undefined;
  #successors: { of: unknown; byUid: ReadonlyMap<string, readonly Pod[]> } | undefined;

  constructor(options: UpdatesOptions) {
    this.#options = options;
    for (const [uid, json] of options.state.podUpdates()) {
      const record = JSON.parse(json) as UpdateRecord;
      this.#trials.set(uid, {
        record,
        tryingSinceMs: options.monotonicMs(),
        readySinceMs: undefined,
        check: undefined,
        isResumed: true,
      });
    }
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
    const staged = this.#stagedCondition(pod, update, record);
    if (!record) return [staged];
    const status = { waiting: 'Unknown', trying: 'Unknown', accepted: 'True', rejected: 'False' }[
      record.phase
    ];
    const { reason, message } = record;
    return [staged, { type: ACCEPTED_CONDITION, status, reason, ...(message && { message }) }];
  }

  #stagedCondition(pod: Pod, update: PodUpdate, record: UpdateRecord | undefined): PodCondition {
    const { isStaged, trouble } = this.#downloadOf(pod);
    const type = STAGED_CONDITION;
    if (isStaged || record?.phase === 'accepted') return { type, status: 'True', reason: 'Downloaded' };
    if (downloadsLater(update)) return { type, status: 'True', reason: 'DownloadsLater' };
    return { type, status: 'False', reason: 'Downloading', ...(trouble && { message: trouble }) };
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
      const held = trial.record ? 'run' : 'yield';
      return {
        next: held,
        old: trial.record ? 'yield' : 'run',
        record: undefined,
        wakeAtMs: monotonicMs() + STORE_RETRY_MS,
      };
    }
  }

  #trialOf(candidate: Pod): Trial {
    const { uid } = candidate.metadata;
    const known = this.#trials.get(uid);
    const isApplied = podUpdateOf(candidate)?.step === 'apply';
    if (known?.isResumed && known.record?.phase === 'trying') {
      known.isResumed = false;
      const resumed = { ...known.record, starts: known.record.starts + 1 };
      known.record = resumed;
      this.#store(uid, resumed);
    }
    if (known) return known;
    const trial: Trial = {
      record: undefined,
      tryingSinceMs: this.#options.monotonicMs(),
      readySinceMs: undefined,
      check: undefined,
      isResumed: false,
    };
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
    const check = this.#checked(candidate, update, trial, isReady);
    trial.readySinceMs = isReady && check.holds ? (trial.readySinceMs ?? nowMs) : undefined;
    const before = containersOf(update.replaces ?? '');
    const { isStaged, trouble } = this.#downloadOf(candidate);
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
        isCleared: before.length === 0 && this.#isCleared(update.replaces),
      },
      closed: this.#closed(update, nowMs),
      tryingSinceMs: trial.tryingSinceMs,
      nowMs,
    };
  }

  /** How its check is. It is done while the pod is tried and ready, and what does it is loaded when the first is met. */
  #checked(candidate: Pod, { check, step }: PodUpdate, trial: Trial, isReady: boolean): Checked {
    const isTried = step === 'apply' && trial.record?.phase === 'trying';
    const name = check?.container ?? candidate.spec.containers[0]?.name ?? '';
    const target = check && isTried && isReady ? this.#options.probeTargetOf(candidate, name) : undefined;
    if (trial.check?.target.id !== target?.id) endCheck(trial);
    if (!check) return { holds: true };
    if (!candidate.spec.containers.some((container) => container.name === name))
      return { holds: false, failure: `it has no container ${name}, which its check is for` };
    if (!target) return { holds: false };
    const { runtime, onTurn, onLoaded } = this.#options;
    if (!this.#newCheck) {
      this.#loadingCheck ??= import('../pod/trial-check.ts').then(({ TrialCheck }) => {
        this.#newCheck = (options) => new TrialCheck(options);
        onLoaded();
      });
      return { holds: false };
    }
    const onChange = () => onTurn(candidate.metadata.uid);
    trial.check ??= this.#newCheck({ check, target, runtime, onChange });
    return trial.check;
  }

  /** Whether it has to wait for a window. What reads schedules is loaded when the first one is met. */
  #closed({ windows, clockUntrusted, saidAt }: PodUpdate, nowMs: number): UpdateInput['closed'] {
    const { now, onLoaded } = this.#options;
    if (!windows?.length) return undefined;
    const wallMs = now();
    if (saidAt !== undefined && wallMs < Date.parse(saidAt) - CLOCK_TOLERANCE_MS) {
      const message = 'the clock of this device is behind the time at which the hub asked: it is not trusted';
      return clockUntrusted === 'run' ? undefined : { message, untilMs: nowMs + CLOCK_RETRY_MS };
    }
    if (!this.#opensAt) {
      this.#loading ??= import('../pod/window.ts').then(({ opensAt }) => {
        this.#opensAt = opensAt;
        onLoaded();
      });
      return { message: 'its windows are looked at', untilMs: Number.POSITIVE_INFINITY };
    }
    const opensAtMs = this.#opensAt(windows, wallMs);
    if (opensAtMs === wallMs) return undefined;
    if (opensAtMs === undefined)
      return { message: 'none of its windows ever opens', untilMs: Number.POSITIVE_INFINITY };
    // The clock of the wall may be set meanwhile: it is looked at again before long.
    const waitMs = Math.min(opensAtMs - wallMs, CLOCK_RETRY_MS);
    return { message: `its window opens at ${new Date(opensAtMs).toISOString()}`, untilMs: nowMs + waitMs };
  }

  #downloadOf({ metadata: { uid }, spec }: Pod): { isStaged: boolean; trouble: string | undefined } {
    const { images, firstSeenAtMs } = this.#options;
    const states = spec.containers.map(({ image = '', imagePullPolicy }) => {
      const { present, failure, triedAtMs = Number.NEGATIVE_INFINITY } = images.get(image);
      const isFresh = imagePullPolicy !== 'Always' || triedAtMs >= firstSeenAtMs(uid);
      return { isThere: present && isFresh, failure };
    });
    return {
      isStaged: states.every(({ isThere }) => isThere),
      trouble: states.find(({ isThere, failure }) => !isThere && failure)?.failure?.message,
    };
  }

  #isCleared(uid: string | undefined): boolean {
    const pod = uid === undefined ? undefined : this.#options.desired.pods.get(uid);
    if (!pod) return true;
    const kept = this.imagesOfOthers(pod.metadata.uid);
    return pod.spec.containers.every(
      ({ image = '' }) => kept.has(image) || this.#options.images.get(image).absent,
    );
  }

  /** Images that another pod of this device uses or is to use. */
  imagesOfOthers(uid: string): ReadonlySet<string> {
    const others = [...this.#options.desired.pods.values()].filter(({ metadata }) => metadata.uid !== uid);
    return new Set(others.flatMap(({ spec }) => spec.containers.map(({ image = '' }) => image)));
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

function endCheck(trial: Trial): void {
  trial.check?.stop();
  trial.check = undefined;
}

function stricter(a: TurnNow, b: TurnNow): TurnNow {
  return { turn: RANK[b.turn] > RANK[a.turn] ? b.turn : a.turn, wakeAtMs: Math.min(a.wakeAtMs, b.wakeAtMs) };
}

function sameRecord(a: UpdateRecord, b: UpdateRecord | undefined): boolean {
  return a.phase === b?.phase && a.reason === b.reason && a.message === b.message && a.starts === b.starts;
}

/** What is in the way of a trial changes often and need not outlive the agent. */
function isWorthStoring(a: UpdateRecord, b: UpdateRecord | undefined): boolean {
  return a.phase !== 'waiting' && (a.phase !== b?.phase || a.starts !== b.starts);
}

/** The first thing that keeps a container from being ready. */
function troubleOf({ containerStatuses = [] }: PodStatus): string | undefined {
  for (const { name, ready, state } of containerStatuses) {
    if (ready) continue;
    const { waiting, terminated } = state ?? {};
    if (waiting) return `container ${name}: ${waiting.message ?? waiting.reason}`;
    if (terminated) return `container ${name} ended with exit code ${terminated.exitCode}`;
    return `container ${name} is not ready`;
  }
  return undefined;
}
