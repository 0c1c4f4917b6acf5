import type { Failure } from '../pod/observation.ts';

/** What the agent remembers of a pod between passes, in memory only: all of it can be lost without harm. */
export class PodMemory {
  readonly firstSeenAtMs: number;
  /** RFC 3339. */
  readonly startTime: string;
  readonly failures = new Map<string, Failure>();
  readonly killAtMs = new Map<string, number>();
  readonly lastAttempt = new Map<string, number>();
  prepared = false;

  constructor(monotonicMs: number, wallMs: number) {
    this.firstSeenAtMs = monotonicMs;
    this.startTime = `${new Date(wallMs).toISOString().slice(0, 19)}Z`;
  }

  fail(key: string, reason: string, message: string, atMs: number): void {
    const count = (this.failures.get(key)?.count ?? 0) + 1;
    this.failures.set(key, { count, atMs, reason, message });
  }

  /** The pod, or what it refers to, is another now: what failed may work, and files must be made again. */
  startOver(): void {
    this.failures.clear();
    this.prepared = false;
  }
}
