import type { PodUpdate } from '../../proto/pod-update.ts';
import type { Pod } from '../pod/pod.ts';
import type { ProbeTarget } from '../pod/probe-attempt.ts';
import type { TrialCheck, TrialCheckOptions } from '../pod/trial-check.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { endCheck, type Trial } from './trial.ts';

export interface TrialChecksOptions {
  readonly runtime: Pick<Runtime, 'exec'>;
  /** Where checks of a pod's container go; undefined while it does not run. */
  readonly probeTargetOf: (pod: Pod, container: string) => ProbeTarget | undefined;
  /** What a pod's check has found is another than before. */
  readonly onTurn: (uid: string) => void;
  /** What does checks is there: all that wait for it must be looked at. */
  readonly onLoaded: () => void;
}

/** How a pod's check is: whether it holds, why it does not, and why the pod is to be rejected for it. */
type Checked = Pick<TrialCheck, 'holds'> & {
  readonly trouble?: string | undefined;
  readonly failure?: string | undefined;
};

/** The checks that policies want of new pods. */
export class TrialChecks {
  readonly #options: TrialChecksOptions;
  #newCheck: ((options: TrialCheckOptions) => TrialCheck) | undefined;
  #loading: Promise<void> | undefined;

  constructor(options: TrialChecksOptions) {
    this.#options = options;
  }

  /** How its check is. It is done while the pod is tried and ready, and what does it is loaded when the first is met. */
  checked(candidate: Pod, { check, step }: PodUpdate, trial: Trial, isReady: boolean): Checked {
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
      this.#loading ??= import('../pod/trial-check.ts').then(({ TrialCheck }) => {
        this.#newCheck = (options) => new TrialCheck(options);
        onLoaded();
      });
      return { holds: false };
    }
    const onChange = () => onTurn(candidate.metadata.uid);
    trial.check ??= this.#newCheck({ check, target, runtime, onChange });
    return trial.check;
  }
}
