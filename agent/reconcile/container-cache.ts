import type { ObservedContainer, Runtime } from '../runtime/runtime.ts';

/** This node's containers as they were last seen. Filled once, then kept up to date one container at a time. */
export class ContainerCache {
  readonly #runtime: Runtime;
  readonly #messageOf: (ended: ObservedContainer) => Promise<string | undefined>;
  readonly #containers = new Map<string, ObservedContainer>();
  readonly #byPod = new Map<string, Set<string>>();
  /** Ended by the engine's word, and not looked at since. */
  readonly #ending = new Set<string>();

  constructor(
    runtime: Runtime,
    /** What one that has ended left to say. */
    messageOf: (ended: ObservedContainer) => Promise<string | undefined>,
  ) {
    this.#runtime = runtime;
    this.#messageOf = messageOf;
  }

  /** Looks at all of them. Returns the uids of their pods, and of pods that had containers before. */
  async refreshAll(): Promise<Set<string>> {
    const found = await Promise.all((await this.#runtime.list()).map((each) => this.#withMessage(each)));
    const pods = new Set(this.#byPod.keys());
    for (const id of [...this.#containers.keys()]) this.#remove(id);
    this.#ending.clear();
    for (const container of found) {
      this.#put(container);
      pods.add(container.podUid);
    }
    return pods;
  }

  /**
   * Looks at all of them after nobody did for a while: the engine, the agent or the whole device was away. Containers
   * that ended meanwhile most likely ended with it, so none of them has to wait before it may run again.
   */
  async refreshAfterAbsence(): Promise<Set<string>> {
    const pods = await this.refreshAll();
    for (const container of [...this.#containers.values()]) {
      if (container.state === 'exited') this.#put({ ...container, exitedAtMs: Number.NEGATIVE_INFINITY });
    }
    return pods;
  }

  /** Looks at one. Returns its pod's uid; undefined when it is none of ours. */
  async refresh(id: string): Promise<string | undefined> {
    const known = this.#containers.get(id);
    const seen = await this.#runtime.inspect(id);
    const container = seen && (await this.#withMessage(seen));
    this.#ending.delete(id);
    if (container) this.#put(container);
    else this.#remove(id);
    return container?.podUid ?? known?.podUid;
  }

  /** Takes the engine's word that a container has ended. Returns its pod's uid; undefined when nothing is new in that. */
  markEnded(id: string, exitCode: number, finishedAtMs: number, exitedAtMs: number): string | undefined {
    const known = this.#containers.get(id);
    if (known?.state !== 'running') return undefined;
    this.#ending.add(id);
    this.#put({ ...known, state: 'exited', exitCode, finishedAtMs, exitedAtMs });
    return known.podUid;
  }

  /** How it ended is not all known yet. */
  isEnding(uid: string): boolean {
    return this.ofPod(uid).some(({ id }) => this.#ending.has(id));
  }

  /** Whether it runs, or has just ended: the engine answers for it once it has taken down its network. */
  isBusy({ id, state }: ObservedContainer): boolean {
    return state === 'running' || this.#ending.has(id);
  }

  get(id: string): ObservedContainer | undefined {
    return this.#containers.get(id);
  }

  ofPod(uid: string): ObservedContainer[] {
    return [...(this.#byPod.get(uid) ?? [])].flatMap((id) => this.#containers.get(id) ?? []);
  }

  all(): ObservedContainer[] {
    return [...this.#containers.values()];
  }

  podUids(): string[] {
    return [...this.#byPod.keys()];
  }

  async #withMessage(container: ObservedContainer): Promise<ObservedContainer> {
    if (container.role === 'infra' || container.state !== 'exited') return container;
    const message = await this.#messageOf(container);
    return message === undefined ? container : { ...container, message };
  }

  #put(container: ObservedContainer): void {
    this.#containers.set(container.id, container);
    const ids = this.#byPod.get(container.podUid) ?? new Set();
    this.#byPod.set(container.podUid, ids.add(container.id));
  }

  #remove(id: string): void {
    const container = this.#containers.get(id);
    if (!container) return;
    this.#containers.delete(id);
    const ids = this.#byPod.get(container.podUid);
    ids?.delete(id);
    if (ids?.size === 0) this.#byPod.delete(container.podUid);
  }
}
