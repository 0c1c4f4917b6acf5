import type { Logger } from 'pino';
import type { AgentState } from '../state/agent-state.ts';
import type { Installation } from './installation.ts';
import { Slots, type TrialOutcome } from './slots.ts';
import { decideTrial } from './trial-plan.ts';
import { TRYING, toldOf, type Verdict } from './update-plan.ts';
import { UpdateReporter, type UpdateReporterOptions } from './update-reporter.ts';

export interface TrialRunOptions extends UpdateReporterOptions {
  readonly installation: Installation;
  readonly version: string;
  readonly state: Pick<AgentState, 'saveAgentUpdate'>;
  readonly isConnected: () => boolean;
  /** The engine answers, and its containers have been looked at. */
  readonly hasLooked: () => boolean;
  readonly told: () => Promise<void>;
  readonly end: () => void;
  /** It stays. */
  readonly onConfirmed: () => void;
  readonly monotonicMs: () => number;
  readonly log: Logger;
}

/** What can not be stored (a full disk) is tried again: until it is stored, nothing is confirmed. */
const STORE_RETRY_MS = 1_000;

/** This agent is a version that is tried: it proves itself, or gives its place back. */
export class TrialRun {
  readonly #options: TrialRunOptions;
  readonly #slots: Slots;
  readonly #reporter: UpdateReporter;
  readonly #trial: TrialOutcome;
  readonly #startedMs: number;
  #healthySinceMs: number;
  #hasContact = false;
  #isOver = false;
  #timer: NodeJS.Timeout | undefined;

  /** Undefined when nothing is tried, or another version than this one was. */
  static of(options: TrialRunOptions): TrialRun | undefined {
    const { trial } = new Slots(options.installation);
    return trial?.slot === options.installation.slot ? new TrialRun(options, trial) : undefined;
  }

  private constructor(options: TrialRunOptions, trial: TrialOutcome) {
    this.#options = options;
    this.#slots = new Slots(options.installation);
    this.#reporter = new UpdateReporter(options);
    this.#trial = trial;
    this.#startedMs = options.monotonicMs();
    this.#healthySinceMs = this.#startedMs;
    this.#reporter.report({ id: trial.request, accepted: TRYING });
  }

  /** The connection or the engine is otherwise than before. */
  changed(): void {
    const { isConnected, hasLooked, monotonicMs, told } = this.#options;
    if (!hasLooked() && this.#trial.hadEngine) this.#healthySinceMs = monotonicMs();
    if (!isConnected()) this.#hasContact = false;
    else if (!this.#hasContact) {
      // A hub that lets it in and then does not listen is none.
      void Promise.resolve()
        .then(told)
        .then(() => {
          this.#hasContact = isConnected();
          this.#look();
        });
    }
    this.#look();
  }

  close(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }

  #look(): void {
    clearTimeout(this.#timer);
    if (this.#isOver) return;
    const { installation, hasLooked, monotonicMs } = this.#options;
    const nowMs = monotonicMs();
    const decision = decideTrial(this.#trial, {
      slot: installation.slot,
      isCurrent: this.#slots.isCurrent(installation.slot),
      hasContact: this.#hasContact,
      hasLooked: hasLooked(),
      healthySinceMs: this.#healthySinceMs,
      startedMs: this.#startedMs,
      nowMs,
    });
    if (decision.type === 'wait') this.#lookIn(decision.wakeAtMs - nowMs);
    else if (decision.type === 'give-up') this.#giveUp(decision.reason);
    else this.#confirm(decision.reason, decision.message);
  }

  #lookIn(delayMs: number): void {
    this.#timer = setTimeout(() => this.#look(), Math.max(0, delayMs));
  }

  /** First the slot: an agent that ends in between is confirmed, and the next one tells of it. */
  #confirm(reason: string, message: string): void {
    const { installation, state, version, log, onConfirmed } = this.#options;
    const verdict: Verdict = { outcome: 'accepted', reason, message };
    try {
      this.#slots.makeCurrent(installation.slot);
      state.saveAgentUpdate(this.#trial.request, JSON.stringify(verdict));
      this.#slots.endTrial();
      this.#slots.removeLeftovers(true);
    } catch (error) {
      log.error({ err: error }, 'the new version could not be confirmed: free space on its data directory');
      this.#lookIn(STORE_RETRY_MS);
      return;
    }
    this.#isOver = true;
    log.info({ version, slot: installation.slot, reason }, 'the new version is confirmed');
    this.#reporter.event(
      undefined,
      'Normal',
      'AgentUpdated',
      `from ${this.#trial.from} to ${version}: ${message}`,
    );
    this.#reporter.report({ id: this.#trial.request, ...toldOf(verdict, true) });
    onConfirmed();
  }

  #giveUp(reason: string): void {
    this.#isOver = true;
    this.#options.log.error({ reason }, 'the new version does not prove itself: the device goes back');
    this.#slots.failTrial(reason);
    this.#options.end();
  }
}
