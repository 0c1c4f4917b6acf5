import type { DeviceUpdateSpec } from '../../fleet/device-update.ts';
import type {
  DeviceCounts,
  RolloutPhase,
  RolloutSpec,
  RolloutStatus,
  Transition,
  WaveStatus,
} from '../../fleet/rollout.ts';
import type { Wave } from '../../fleet/rollout-policy.ts';
import { sooner } from '../../resources/time.ts';
import { type Device, isoTime, observe, type Tracked } from './device-plan.ts';
import { type Outcome, outcomeOf } from './gates.ts';
import type { Answer, Question } from './measured-gates.ts';
import { wavesOf } from './waves.ts';

export interface RolloutInput {
  readonly name: string;
  readonly workload: string;
  readonly spec: RolloutSpec;
  readonly status: RolloutStatus;
  readonly devices: readonly Device[];
  readonly nowMs: number;
  /** Somebody has paused the workload itself, as with `kubectl rollout pause`. */
  readonly isPaused?: boolean;
  /** Of measured gates, since the pass before. */
  readonly answers?: readonly Answer[];
}

export interface RolloutPlan {
  readonly status: RolloutStatus;
  readonly devices: readonly Tracked[];
  /** The workload is to go back to the last stable revision, if it has not yet. */
  readonly goBack: boolean;
  /** What is to be asked of measured gates, or has been and is not answered. */
  readonly questions: readonly Question[];
  /** When to look again although nothing happened. */
  readonly wakeInMs: number | undefined;
}

/** Who asked for something, and why. */
interface Because {
  readonly message?: string | undefined;
  readonly by?: string | undefined;
}

type Draft<T> = { -readonly [Key in keyof T]: T[Key] };

export type DraftDevice = Draft<Tracked>;

/** A wave as the policy has it, and where it is. */
export interface DraftWave {
  readonly policy: Wave;
  readonly status: Draft<WaveStatus>;
  readonly isLast: boolean;
}

const TRANSITIONS_KEPT = 200;
/** Nothing changes any more but devices that catch up. */
const OVER: readonly RolloutPhase[] = ['Succeeded', 'Aborted', 'Undone', 'Superseded'];

/** Why a rollout is over whose workload refers to no policy any more, until it refers to one again. */
export const POLICY_REMOVED = 'PolicyRemoved';

export function isOver({ phase }: RolloutStatus): boolean {
  return phase !== undefined && OVER.includes(phase);
}

/** A plan in the making: the status and the rows as they will be, and the few ways in which they change. */
export class RolloutDraft {
  readonly input: RolloutInput;
  readonly status: Draft<RolloutStatus>;
  readonly waves: readonly DraftWave[];
  readonly devices: readonly DraftDevice[];
  readonly questions: Question[] = [];
  #wakeInMs: number | undefined;

  constructor(input: RolloutInput) {
    const { spec, status, devices } = input;
    this.input = input;
    this.status = { ...status };
    this.waves = wavesOf(spec.policy, spec.type).map((policy, index, all) => ({
      policy,
      status: {
        ...countsOf(outcomeOf([])),
        phase: 'Pending',
        ...status.waves?.find(({ name }) => name === policy.name),
        name: policy.name,
      },
      isLast: index === all.length - 1,
    }));
    this.devices = devices.map((device) => observe(input, device));
    for (const { wakeInMs } of this.devices)
      if (wakeInMs !== undefined && wakeInMs > 0) this.wakeAfter(wakeInMs);
  }

  get isActive(): boolean {
    const { phase } = this.status;
    return phase === 'Progressing' || phase === 'Baking' || phase === 'AwaitingApproval';
  }

  /** The wave whose turn it is. */
  get present(): DraftWave | undefined {
    return this.waves.find(({ status: { phase } }) => phase !== 'Done' && phase !== 'Skipped');
  }

  get now(): string {
    return isoTime(this.input.nowMs);
  }

  membersOf(wave: string): readonly DraftDevice[] {
    return this.devices.filter(({ row }) => row.wave === wave);
  }

  /** Goes to a phase, and remembers when and why. */
  enter(phase: RolloutPhase, reason: string, { message, by }: Because = {}): void {
    const { wave, transitions = [] } = this.status;
    const transition: Transition = {
      at: this.now,
      phase,
      reason,
      ...(wave && { wave }),
      ...(message && { message }),
      ...(by && { by }),
    };
    this.status.phase = phase;
    this.status.message = message ?? '';
    this.status.transitions = [...transitions, transition].slice(-TRANSITIONS_KEPT);
    if (OVER.includes(phase)) this.status.finishedAt = this.now;
  }

  begin(by: string | undefined): void {
    this.status.progressAt = this.now;
    this.enter('Progressing', 'Started', { by });
  }

  /** The workload refers to a policy again: who does not have the revision yet gets it. */
  takeUp(): void {
    delete this.status.finishedAt;
    this.status.progressAt = this.now;
    this.enter('Progressing', 'PolicyReturned', { message: 'the workload refers to a policy again' });
  }

  finishWave({ status: wave }: DraftWave, reason: string, because: Because = {}): void {
    wave.phase = 'Done';
    wave.finishedAt = this.now;
    this.status.wave = wave.name;
    this.enter('Progressing', reason, because);
  }

  /** Back to the last stable revision. Devices that have not decided stay with what they run. */
  undo(reason: string, because: Because): void {
    this.letGo();
    this.enter('Undone', reason, because);
  }

  letGo(): void {
    for (const device of this.devices) {
      const { step } = device.row;
      if (step === 'Staging' || step === 'Staged' || step === 'Applying')
        this.change(device, { step: 'Waiting' });
    }
  }

  change(device: DraftDevice, change: Partial<DeviceUpdateSpec>): void {
    const isOtherStep = change.step !== undefined && change.step !== device.row.step;
    device.row = { ...device.row, ...change, ...(isOtherStep && { since: this.now }) };
  }

  wakeAfter(ms: number): void {
    this.#wakeInMs = sooner(this.#wakeInMs, Math.max(1, ms));
  }

  plan(): RolloutPlan {
    const total = outcomeOf(this.devices);
    const waves = this.waves.map(({ status }) => ({
      ...status,
      ...countsOf(outcomeOf(this.membersOf(status.name))),
    }));
    return {
      status: { ...this.status, ...countsOf(total), staged: total.staged, waves },
      devices: this.devices,
      goBack: this.status.phase === 'Undone',
      questions: this.isActive ? this.questions : [],
      wakeInMs: this.#wakeInMs,
    };
  }
}

function countsOf({ members, undecided, updating, ...counts }: Outcome): DeviceCounts {
  const { succeeded, unhealthy, failed, lost, dark } = counts;
  return {
    devices: members,
    pending: undecided - updating,
    updating,
    succeeded,
    unhealthy,
    failed,
    lost,
    dark,
  };
}
