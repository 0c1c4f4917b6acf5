import type { Probe } from 'kubernetes-types/core/v1.d.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { Health } from './observation.ts';
import { attempt, type ProbeTarget } from './probe-attempt.ts';

export interface ProbesOptions {
  readonly runtime: Pick<Runtime, 'exec'>;
  /** Called when a container's health is another than before. */
  readonly onChange: (id: string) => void;
  /** Called for each try that fails. */
  readonly onFailure: (id: string, kind: ProbeKind, why: string) => void;
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
  readonly #watched = new Map<string, ContainerProbes>();
  /** The containers that are to be replaced, and how many seconds they get to end, if not as many as usual. */
  readonly unhealthy = new Map<string, number | undefined>();

  constructor(options: ProbesOptions) {
    this.#options = options;
  }

  /** Begins to probe a container; one that is probed already, or has no probes, costs nothing. */
  watch(target: ProbeTarget): void {
    if (this.#watched.has(target.id)) return;
    const { livenessProbe, readinessProbe, startupProbe } = target.container;
    if (!livenessProbe && !readinessProbe && !startupProbe) return;
    this.#watched.set(
      target.id,
      new ContainerProbes(target, this.#options.runtime, {
        changed: () => this.#options.onChange(target.id),
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
  replace(graceSeconds: number | undefined): void;
}

class ContainerProbes {
  readonly #target: ProbeTarget;
  readonly #runtime: Pick<Runtime, 'exec'>;
  readonly #listener: Listener;
  readonly #abort = new AbortController();
  health: Health;

  constructor(target: ProbeTarget, runtime: Pick<Runtime, 'exec'>, listener: Listener) {
    this.#target = target;
    this.#runtime = runtime;
    this.#listener = listener;
    const { startupProbe, readinessProbe } = target.container;
    this.health = { started: !startupProbe, ready: !readinessProbe };
    if (startupProbe) this.#loop('startup', startupProbe);
    else this.#afterStart();
  }

  stop(): void {
    this.#abort.abort(new Error('the container is probed no more'));
  }

  #afterStart(): void {
    const { livenessProbe, readinessProbe } = this.#target.container;
    if (livenessProbe) this.#loop('liveness', livenessProbe);
    if (readinessProbe) this.#loop('readiness', readinessProbe);
  }

  #loop(kind: ProbeKind, probe: Probe): void {
    const settings = { ...DEFAULTS, ...probe };
    const { signal } = this.#abort;
    let successes = 0;
    let failures = 0;
    const runOnce = async () => {
      const timeoutMs = settings.timeoutSeconds * 1000;
      const failure = await attempt(probe, this.#target, this.#runtime, timeoutMs, signal);
      if (signal.aborted) return;
      const ok = failure === undefined;
      if (!ok) this.#listener.failed(kind, failure);
      successes = ok ? successes + 1 : 0;
      failures = ok ? 0 : failures + 1;
      const settled = ok ? successes >= settings.successThreshold : failures >= settings.failureThreshold;
      if (settled && this.#settle(kind, ok, probe)) return;
      timer(settings.periodSeconds * 1000);
    };
    let timeout: NodeJS.Timeout;
    const timer = (delayMs: number) => {
      timeout = setTimeout(() => void runOnce(), delayMs);
    };
    signal.addEventListener('abort', () => clearTimeout(timeout), { once: true });
    timer(settings.initialDelaySeconds * 1000);
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
