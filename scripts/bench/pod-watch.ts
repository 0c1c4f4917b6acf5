import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import type { HubApi } from './hub-api.ts';

export const PODS = '/api/v1/namespaces/default/pods';

interface PodEvent {
  readonly type: string;
  readonly object: Pod;
}

interface Waiter {
  readonly isMet: () => boolean;
  readonly resolve: (atMs: number) => void;
}

const TIMEOUT_MS = 60_000;

/** The pods of a hub as an open watch sees them. */
export class PodWatch {
  readonly #pods = new Map<string, Pod>();
  #waiting: Waiter[] = [];
  #stop: () => void = () => {};

  static async open(api: HubApi): Promise<PodWatch> {
    const watch = new PodWatch();
    const { stop } = await api.watch<PodEvent>(`${PODS}?watch=true`, (event) => watch.#take(event));
    watch.#stop = stop;
    return watch;
  }

  /** Those whose label `app` is this. */
  of(app: string): Pod[] {
    return [...this.#pods.values()].filter(({ metadata }) => metadata?.labels?.['app'] === app);
  }

  /** Resolves with the moment at which the watch told what makes this true of the application's pods. */
  until(
    app: string,
    what: string,
    isMet: (pods: readonly Pod[]) => boolean,
    timeoutMs = TIMEOUT_MS,
  ): Promise<number> {
    if (isMet(this.of(app))) return Promise.resolve(performance.now());
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`waited ${timeoutMs / 1000} s until "${app}" ${what}`)),
        timeoutMs,
      );
      this.#waiting.push({
        isMet: () => isMet(this.of(app)),
        resolve: (atMs) => {
          clearTimeout(timer);
          resolve(atMs);
        },
      });
    });
  }

  stop(): void {
    this.#stop();
  }

  #take({ type, object }: PodEvent): void {
    const atMs = performance.now();
    const uid = object.metadata?.uid ?? '';
    if (type === 'DELETED') this.#pods.delete(uid);
    else if (type === 'ADDED' || type === 'MODIFIED') this.#pods.set(uid, object);
    const met = this.#waiting.filter(({ isMet }) => isMet());
    this.#waiting = this.#waiting.filter((waiter) => !met.includes(waiter));
    for (const { resolve } of met) resolve(atMs);
  }
}

export function isRunning(pod: Pod): boolean {
  return pod.status?.phase === 'Running';
}

export function isReady({ status }: Pod): boolean {
  return status?.conditions?.some((each) => each.type === 'Ready' && each.status === 'True') ?? false;
}
