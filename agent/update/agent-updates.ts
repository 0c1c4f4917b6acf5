import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { type AgentRelease, agentReleaseOf } from '../../proto/agent-release.ts';
import type { PodUpdate } from '../../proto/pod-update.ts';
import type { Wait } from '../pod/consent.ts';
import type { AgentState } from '../state/agent-state.ts';
import type { OwnNode } from '../state/desired-state.ts';
import type { Installation, Slot } from './installation.ts';
import type { TrialOutcome } from './slots.ts';
import { Slots } from './slots.ts';
import type { StagingAnswer } from './stage-command.ts';
import {
  NO_CONTACT,
  planUpdate,
  returnVerdict,
  type Staging,
  TRYING,
  toldOf,
  type UpdatePlan,
  type Verdict,
} from './update-plan.ts';
import { type UpdateReport, UpdateReporter, type UpdateReporterOptions } from './update-reporter.ts';

export interface AgentUpdatesOptions extends UpdateReporterOptions {
  /** Undefined: this agent cannot be put in another's place. */
  readonly installation: Installation | undefined;
  /** Without a `v`. */
  readonly version: string;
  readonly state: Pick<AgentState, 'agentUpdate' | 'saveAgentUpdate'>;
  readonly closed: (update: PodUpdate) => Wait | undefined;
  readonly isConnected: () => boolean;
  readonly hasEngine: () => boolean;
  /** Puts the version into a slot. Resolves with why it could not; undefined when it is there. */
  readonly stage: (release: AgentRelease, signal: AbortSignal) => Promise<StagingAnswer | undefined>;
  /** Resolves when the hub knows what was recorded, or cannot be told. */
  readonly told: () => Promise<void>;
  /** Ends this agent; who started it starts the launcher anew. */
  readonly end: () => void;
  readonly monotonicMs: () => number;
  readonly log: Logger;
}

/** A download that failed is tried again. */
const STAGING_RETRY_MS = { first: 10_000, longest: 300_000 };
/** What can not be stored (a full disk) is not acted on, and tried again. */
const STORE_RETRY_MS = 10_000;
/** How long a start of a version may take to prove itself, whatever a policy says. */
const TRIAL_SECONDS = { least: 20, most: 300 };
/** A version that came back reaches the hub within this, or it is the hub that was away. */
const CONTACT_MS = 60_000;
/** A hub that does not answer keeps nobody from what it asked for. */
const TELL_MS = 3_000;
/** A timer can not wait for longer. */
const LONGEST_TIMER_MS = 2_147_483_647;

/** Does what the hub asks of the agent itself: to be another version. Whatever happens, one that works runs in the end. */
export class AgentUpdates {
  readonly #options: AgentUpdatesOptions;
  readonly #slots: Slots | undefined;
  readonly #reporter: UpdateReporter;
  readonly #startedMs: number;
  #release: AgentRelease | undefined;
  #node: OwnNode | undefined;
  #staging: Staging = { state: 'none' };
  #abortStaging: AbortController | undefined;
  #retryMs = STAGING_RETRY_MS.first;
  #timer: NodeJS.Timeout | undefined;
  /** It has been decided that this process ends. */
  #isEnding = false;
  /** Of this process: what can not be stored is decided all the same. */
  readonly #verdicts = new Map<string, Verdict>();

  constructor(options: AgentUpdatesOptions) {
    this.#options = options;
    this.#slots = options.installation && new Slots(options.installation);
    this.#reporter = new UpdateReporter(options);
    this.#startedMs = options.monotonicMs();
  }

  /** What is asked by this Node; undefined when nothing is any more. */
  take(node: OwnNode | undefined): void {
    const release = node && agentReleaseOf(node);
    if (release?.id !== this.#release?.id) {
      this.#abortStaging?.abort();
      this.#staging = { state: 'none' };
      this.#retryMs = STAGING_RETRY_MS.first;
    }
    this.#release = release;
    this.#node = node;
    this.look();
  }

  /** Something that it follows from may be otherwise: the connection, a window, time. */
  look(): void {
    clearTimeout(this.#timer);
    if (this.#isEnding) return;
    try {
      const wakeAtMs = this.#settleReturn() ?? this.#pass();
      this.#wakeAt(wakeAtMs);
    } catch (error) {
      this.#options.log.error(
        { err: error },
        'an update of the agent could not go on: free space on its data directory',
      );
      this.#wakeAt(this.#options.monotonicMs() + STORE_RETRY_MS);
    }
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#abortStaging?.abort();
  }

  #wakeAt(atMs: number): void {
    const delayMs = atMs - this.#options.monotonicMs();
    if (delayMs < LONGEST_TIMER_MS) this.#timer = setTimeout(() => this.look(), Math.max(0, delayMs)).unref();
  }

  /**
   * A version was tried, and it is not what runs: it is remembered why before the trial is forgotten. Answers with when to
   * look again, where that is not clear yet; undefined when nothing is left of a trial.
   */
  #settleReturn(): number | undefined {
    const { installation, log, isConnected, monotonicMs } = this.#options;
    const trial = this.#slots?.trial;
    if (!trial || trial.slot === installation?.slot) return undefined;
    if (trial.failed === NO_CONTACT && !isConnected()) {
      this.#tell({ accepted: TRYING }, trial);
      return Number.POSITIVE_INFINITY; // a connection has it looked at again
    }
    const wasAway = trial.failed === NO_CONTACT && monotonicMs() - this.#startedMs > CONTACT_MS;
    if (wasAway) log.info({ request: trial.request }, 'the hub was away: the version may be tried again');
    else this.#settle(trial.request, returnVerdict(trial), 'AgentUpdateRejected');
    this.#slots?.endTrial();
    return undefined;
  }

  /** Answers with when to look again. */
  #pass(): number {
    const release = this.#release;
    if (!release) return Number.POSITIVE_INFINITY;
    const plan = planUpdate(release, this.#situation(release));
    this.#tell(plan);
    const { next } = plan;
    switch (next.type) {
      case 'wait':
        return next.wakeAtMs;
      case 'stage':
        void this.#stage(release);
        return Number.POSITIVE_INFINITY;
      case 'settle':
        this.#settle(
          release.id,
          next.verdict,
          next.verdict.outcome === 'accepted' ? undefined : 'AgentUpdateRejected',
        );
        this.#tell(toldOf(next.verdict, false));
        return Number.POSITIVE_INFINITY;
      case 'switch':
        void this.#switchTo(next.slot, release);
        return Number.POSITIVE_INFINITY;
    }
  }

  #situation(release: AgentRelease) {
    const { installation, version, closed, monotonicMs } = this.#options;
    return {
      version,
      verdict: this.#verdictOf(release.id),
      isInstalled: installation !== undefined,
      slot: this.#slots?.holding(release.version),
      staging: this.#staging,
      closed: closed(release.update),
      nowMs: monotonicMs(),
    };
  }

  #verdictOf(id: string): Verdict | undefined {
    const stored = this.#options.state.agentUpdate(id);
    return this.#verdicts.get(id) ?? (stored === undefined ? undefined : (JSON.parse(stored) as Verdict));
  }

  #settle(id: string, verdict: Verdict, event: string | undefined): void {
    const { state, log } = this.#options;
    state.saveAgentUpdate(id, JSON.stringify(verdict));
    this.#verdicts.set(id, verdict);
    log.info({ request: id, ...verdict }, `the version was ${verdict.outcome}`);
    if (event) this.#reporter.event(this.#node, 'Warning', event, `${verdict.reason}: ${verdict.message}`);
  }

  async #stage(release: AgentRelease): Promise<void> {
    const { stage, monotonicMs, log } = this.#options;
    this.#abortStaging = new AbortController();
    const { signal } = this.#abortStaging;
    this.#staging = { state: 'running' };
    const failure = await stage(release, signal).catch((error: Error) => ({
      reason: 'StagingFailed',
      message: `the update could not be prepared on this device: ${error.message}`,
      isFinal: false,
    }));
    if (signal.aborted) return;
    if (failure) {
      log.warn({ ...failure, version: release.version }, 'a version of the agent could not be fetched');
      this.#staging = { state: 'failed', ...failure, retryAtMs: monotonicMs() + this.#retryMs };
      this.#retryMs = Math.min(this.#retryMs * 2, STAGING_RETRY_MS.longest);
    } else this.#staging = { state: 'none' };
    this.look();
  }

  /** The trial is on the disk before this agent ends: from then on the launcher decides. */
  async #switchTo(slot: Slot, release: AgentRelease): Promise<void> {
    const { version, log, told, end, isConnected, hasEngine } = this.#options;
    this.#isEnding = true;
    this.#reporter.event(this.#node, 'Normal', 'AgentUpdating', `from ${version} to ${release.version}`);
    await Promise.race([told(), sleep(TELL_MS, undefined, { ref: false })]);
    try {
      this.#slots?.beginTrial({
        slot,
        request: release.id,
        from: version,
        hadContact: isConnected(),
        hadEngine: hasEngine(),
        seconds: trialSeconds(release.update),
        minHealthySeconds: release.update.minHealthySeconds,
      });
    } catch (error) {
      log.error({ err: error }, 'an update of the agent could not begin: free space on its data directory');
      this.#isEnding = false;
      this.#wakeAt(this.#options.monotonicMs() + STORE_RETRY_MS);
      return;
    }
    log.info({ slot, version: release.version }, 'the agent ends, to be started as another version');
    end();
  }

  #tell({ staged, accepted }: Pick<UpdatePlan, 'staged' | 'accepted'>, trial?: TrialOutcome): void {
    const id = trial?.request ?? this.#release?.id;
    if (id === undefined) return;
    const report: UpdateReport = { id, ...(staged && { staged }), ...(accepted && { accepted }) };
    this.#reporter.report(report);
  }
}

function trialSeconds({ deadlineSeconds, minHealthySeconds }: PodUpdate): number {
  const { least, most } = TRIAL_SECONDS;
  return Math.round(Math.max(least, minHealthySeconds + least, Math.min(deadlineSeconds, most)));
}
