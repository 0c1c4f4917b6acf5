import type { Probe } from 'kubernetes-types/core/v1.d.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { Stop } from '../runtime/stop-signal.ts';
import type { Health } from './observation.ts';
import { attempt, type ProbeTarget } from './probe-attempt.ts';
import { evenShares, sharedTurnMs } from './probe-turns.ts';

export interface ProbesOptions {
  readonly runtime: Pick<Runtime, 'exec'>;
  readonly monotonicMs: () => number;
  /** Called when a container's health is another than before. */
  readonly onChange: (id: string) => void;
  /** Called for each try that fails. */
  readonly onFailure: (id: string, kind: ProbeKind, why: string) => void;
  /** Called for each try that succeeds, and perhaps should not. */
  readonly onWarning: (id: string, kind: ProbeKind, text: string) => void;
}

export type ProbeKind = 'startup' | 'liveness' | 'readiness';

/** Kubernetes' defaults, for pods that did not pass an API server. */
const DEFAULTS = {
  initialDelaySeconds: 0,
  periodSeconds: 10,
  timeoutSeconds: 1,
  successThreshold: 1,
  failureThreshold: 3,
};

/**
 * Runs the probes of running containers. A container is unhealthy once its startup or liveness probe has failed as
 * often as it may; it then stays so, for it is to be replaced.
 */
export class Probes {
  readonly #options: ProbesOptions;
  readonly #shares = evenShares();
  readonly #watched = new Map<string, ContainerProbes>();
  /** The containers that are to be replaced, and how many seconds they get to end, if not as many as usual. */
  readonly unhealthy = new Map<string, number | undefined>();

  constructor(options: ProbesOptions) {
    this.#options = options;
  }

  /**
   * Begins to probe a container; one that is probed already, or has no probes, costs nothing. Those that ran before this agent
   * have their turns all over the period: what all of them ask at once, a slow device answers too late.
   */
  watch(target: ProbeTarget, ranBefore = false): void {
    if (this.#watched.has(target.id)) return;
    const { livenessProbe, readinessProbe, startupProbe } = target.container;
    if (!livenessProbe && !readinessProbe && !startupProbe) return;
    const share = ranBefore ? this.#shares.next().value : undefined;
    this.#watched.set(
      target.id,
      new ContainerProbes(target, this.#options, share, {
        changed: () => this.#options.onChange(target.id),
        warned: (kind, text) => this.#options.onWarning(target.id, kind, text),
        failed: (kind, why) => this.#options.onFailure(target.id, kind, why),
        replace: (graceSeconds) => this.replace(target.id, graceSeconds),
      }),
    );
  }

  /** The container is not what it should be, and is to be replaced. */
  replace(id: string, graceSeconds?: number): void {
    this.unhealthy.set(id, graceSeconds);
    this.#options.onChange(id);
  }

  forget(id: string): void {
    this.#watched.get(id)?.stop();
    this.#watched.delete(id);
    this.unhealthy.delete(id);
  }

  health(id: string): Health {
    return this.#watched.get(id)?.health ?? { started: true, ready: true };
  }

  close(): void {
    for (const id of [...this.#watched.keys()]) this.forget(id);
  }
}

interface Listener {
  changed(): void;
  failed(kind: ProbeKind, why: string): void;
  warned(kind: ProbeKind, text: string): void;
  replace(graceSeconds: number | undefined): void;
}

class ContainerProbes {
  readonly #target: ProbeTarget;
  readonly #with: Pick<ProbesOptions, 'runtime' | 'monotonicMs'>;
  /** Of its period, after which its turns are; undefined: they follow its start. */
  readonly #share: number | undefined;
  readonly #listener: Listener;
  readonly #stop = new Stop();
  health: Health;

  constructor(
    target: ProbeTarget,
    options: Pick<ProbesOptions, 'runtime' | 'monotonicMs'>,
    share: number | undefined,
    listener: Listener,
  ) {
    this.#target = target;
    this.#with = options;
    this.#share = share;
    this.#listener = listener;
    const { startupProbe, readinessProbe } = target.container;
    this.health = { started: !startupProbe, ready: !readinessProbe };
    if (startupProbe) this.#loop('startup', startupProbe);
    else this.#afterStart();
  }

  stop(): void {
    this.#stop.abort(new Error('the container is probed no more'));
  }

  #afterStart(): void {
    const { livenessProbe, readinessProbe } = this.#target.container;
    if (livenessProbe) this.#loop('liveness', livenessProbe);
    if (readinessProbe) this.#loop('readiness', readinessProbe);
  }

  #loop(kind: ProbeKind, probe: Probe): void {
    const settings = { ...DEFAULTS, ...probe };
    const signal = this.#stop;
    const { runtime, monotonicMs } = this.#with;
    const periodMs = settings.periodSeconds * 1000;
    let share = this.#share ?? 1;
    let successes = 0;
    let failures = 0;
    let dueMs = monotonicMs();
    const runOnce = async () => {
      const timeoutMs = settings.timeoutSeconds * 1000;
      const warn = (text: string) => this.#listener.warned(kind, text);
      const tried = attempt(probe, this.#target, runtime, timeoutMs, signal, warn);
      const result = await tried.then(
        (failure) => ({ failure }),
        () => undefined, // it says nothing: the kubelet forgets such a one as well
      );
      if (signal.aborted || (result && take(result.failure))) return;
      const nextMs = Math.max(dueMs + periodMs * share, monotonicMs());
      wait(result && result.failure === undefined ? sharedTurnMs(nextMs) : nextMs);
      share = 1;
    };
    /** True when the probe's work is done. */
    const take = (failure: string | undefined): boolean => {
      const ok = failure === undefined;
      if (!ok) this.#listener.failed(kind, failure);
      successes = ok ? successes + 1 : 0;
      failures = ok ? 0 : failures + 1;
      const settled = ok ? successes >= settings.successThreshold : failures >= settings.failureThreshold;
      return settled && this.#settle(kind, ok, probe);
    };
    let timeout: NodeJS.Timeout;
    const wait = (untilMs: number) => {
      dueMs = untilMs;
      timeout = setTimeout(() => void runOnce(), Math.max(0, untilMs - monotonicMs()));
    };
    signal.addEventListener('abort', () => clearTimeout(timeout));
    // Whether it is ready must be known at once; how long it needs to begin with holds for each agent.
    const isSpread = kind === 'liveness' && this.#share !== undefined;
    const delayMs = settings.initialDelaySeconds * 1000;
    wait(isSpread ? sharedTurnMs(dueMs + delayMs + periodMs * share) : dueMs + delayMs);
    if (isSpread) share = 1;
  }

  /** Takes a probe's verdict on; true when the probe's work is done. */
  #settle(kind: ProbeKind, ok: boolean, { terminationGracePeriodSeconds }: Probe): boolean {
    if (kind === 'readiness') {
      if (this.health.ready !== ok) {
        this.health = { ...this.health, ready: ok };
        this.#listener.changed();
      }
      return false;
    }
    if (!ok) {
      this.#listener.replace(terminationGracePeriodSeconds);
      return true;
    }
    if (kind === 'liveness') return false;
    this.health = { ...this.health, started: true };
    this.#listener.changed();
    this.#afterStart();
    return true;
  }
}
