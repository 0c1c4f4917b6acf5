import type { Failure } from '../pod/observation.ts';

/** What the agent remembers of a pod between passes, in memory only: all of it can be lost without harm. */
export class PodMemory {
  readonly firstSeenAtMs: number;
  /** Since when the pod has been on this device: on the monotonic clock, and on the wall's. */
  startedAtMs: number;
  sinceMs: number;
  /** By when all of it is to have ended, from when that has begun. */
  stopByMs: number | undefined;
  /** Whether what it wrote has been removed. */
  discarded = false;
  readonly failures = new Map<string, Failure>();
  readonly killAtMs = new Map<string, number>();
  readonly lastAttempt = new Map<string, number>();
  /** Grows with each change of what is wanted. */
  #wanted = 0;
  #prepared = -1;

  constructor(monotonicMs: number, wallMs: number) {
    this.firstSeenAtMs = monotonicMs;
    this.startedAtMs = monotonicMs;
    this.sinceMs = wallMs;
  }

  /** An agent before this one met the pod at that time of the wall clock. */
  metBefore(sinceMs: number): void {
    if (sinceMs <= 0 || sinceMs >= this.sinceMs) return;
    this.startedAtMs -= this.sinceMs - sinceMs;
    this.sinceMs = sinceMs;
  }

  fail(key: string, reason: string, message: string, atMs: number): void {
    const count = (this.failures.get(key)?.count ?? 0) + 1;
    this.failures.set(key, { count, atMs, reason, message });
  }

  /** The pod, or what it refers to, is another now: what failed may work, and files must be made again. */
  startOver(): void {
    this.failures.clear();
    this.#wanted++;
  }

  /** Whether the pod's files are as they are wanted now. */
  get prepared(): boolean {
    return this.#prepared === this.#wanted;
  }

  /** Called when the files' content is looked up. What it returns is called when they are made, which takes a while. */
  preparing(): () => void {
    const wanted = this.#wanted;
    return () => {
      this.#prepared = wanted;
    };
  }
}
