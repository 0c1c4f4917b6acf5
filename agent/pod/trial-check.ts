import type { UpdateCheck } from '../../proto/pod-update.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { attempt, type ProbeAction, type ProbeTarget } from './probe-attempt.ts';

export interface TrialCheckOptions {
  readonly check: UpdateCheck;
  readonly target: ProbeTarget;
  readonly runtime: Pick<Runtime, 'exec'>;
  /** It holds, or does not, or has failed too often: other than before. */
  readonly onChange: () => void;
}

/** Tries on a new pod what its policy asks for, at once and then again and again, until it is stopped. */
export class TrialCheck {
  readonly target: ProbeTarget;
  readonly #options: TrialCheckOptions;
  readonly #abort = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #failures = 0;
  /** Whether the last try was well. */
  holds = false;
  /** Why the last try was not. */
  trouble: string | undefined;

  constructor(options: TrialCheckOptions) {
    this.target = options.target;
    this.#options = options;
    void this.#try();
  }

  /** Why the pod is to be rejected; undefined while it is not. */
  get failure(): string | undefined {
    const { failureThreshold: most } = this.#options.check;
    return this.#failures >= most ? `its check failed ${most} times in a row: ${this.trouble}` : undefined;
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#abort.abort(new Error('the check is over'));
  }

  async #try(): Promise<void> {
    const { check, runtime, onChange } = this.#options;
    const { signal } = this.#abort;
    const trouble = await attempt(actionOf(check), this.target, runtime, check.timeoutSeconds * 1000, signal);
    if (signal.aborted) return;
    const before = { holds: this.holds, failure: this.failure };
    this.trouble = trouble;
    this.holds = trouble === undefined;
    this.#failures = this.holds ? 0 : this.#failures + 1;
    this.#timer = setTimeout(() => void this.#try(), check.periodSeconds * 1000);
    if (before.holds !== this.holds || before.failure !== this.failure) onChange();
  }
}

function actionOf({ exec, httpGet }: UpdateCheck): ProbeAction {
  if (exec) return { exec: { command: [...exec.command] } };
  if (!httpGet) return {};
  const { port, path, scheme, headers = [] } = httpGet;
  return { httpGet: { port, path, scheme, httpHeaders: headers.map((header) => ({ ...header })) } };
}
