import { setTimeout as sleep } from 'node:timers/promises';
import type { LifecycleHandler } from 'kubernetes-types/core/v1.d.ts';
import { attempt, type ProbeTarget } from '../pod/probe-attempt.ts';
import type { Runtime } from '../runtime/runtime.ts';

/** No hook takes longer: whoever waits for it is bounded by the pod's grace, or ends the container. */
const LONGEST_MS = 2 ** 31 - 1;

/** https://kubernetes.io/docs/concepts/containers/container-lifecycle-hooks/; the types that we build on do not have `sleep` yet. */
export type Hook = LifecycleHandler & { readonly sleep?: { readonly seconds: number } };

/** The hooks of containers that are under way: pods do not wait for each other's, nor does what heals them. */
export class Hooks {
  readonly #runtime: Pick<Runtime, 'exec'>;
  readonly #abort = new Map<string, AbortController>();
  /** Ids of containers whose hook after the start has not ended. */
  readonly starting = new Set<string>();

  constructor(runtime: Pick<Runtime, 'exec'>) {
    this.#runtime = runtime;
  }

  /** Runs what comes after the start. Resolves with why it failed, undefined when it did not or is of no use any more. */
  async afterStart(hook: Hook, target: ProbeTarget): Promise<string | undefined> {
    this.starting.add(target.id);
    const failure = await this.#run(hook, target, LONGEST_MS);
    return this.starting.delete(target.id) ? failure : undefined;
  }

  /** Runs what comes before the end, in the time that there is for it. Resolves with why it failed, as above. */
  async beforeEnd(hook: Hook, target: ProbeTarget, graceMs: number): Promise<string | undefined> {
    this.forget(target.id);
    return this.#run(hook, target, Math.min(Math.ceil(graceMs), LONGEST_MS));
  }

  /** The container is gone or ends. */
  forget(id: string): void {
    this.starting.delete(id);
    this.#abort.get(id)?.abort();
  }

  close(): void {
    for (const id of [...this.#abort.keys()]) this.forget(id);
  }

  async #run(hook: Hook, target: ProbeTarget, timeoutMs: number): Promise<string | undefined> {
    const abort = new AbortController();
    this.#abort.set(target.id, abort);
    try {
      if (hook.sleep) {
        await sleep(Math.min(hook.sleep.seconds * 1000, timeoutMs), undefined, {
          signal: abort.signal,
        }).catch(() => {});
        return undefined;
      }
      const failure = await attempt(hook, target, this.#runtime, timeoutMs, abort.signal).catch(
        ({ message }: Error) => message,
      );
      return abort.signal.aborted ? undefined : failure;
    } finally {
      if (this.#abort.get(target.id) === abort) this.#abort.delete(target.id);
    }
  }
}
