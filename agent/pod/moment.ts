/** A moment that can still be measured from when the agent, or the device, was started anew meanwhile. */
export interface Moment {
  /** Another one after each start of the device; empty where the kernel does not tell. */
  readonly bootId: string;
  /** Since that start; time asleep counts. */
  readonly uptimeMs: number;
  /** Of the wall clock, which may be wrong. */
  readonly wallMs: number;
}

/**
 * Ms between the two. While the device has not been restarted, its wall clock has no say. Undefined when it was, and its
 * clock cannot be right: it went on by less than the device has been running since.
 */
export function elapsedMs(since: Moment, now: Moment): number | undefined {
  if (since.bootId !== '' && since.bootId === now.bootId) return Math.max(0, now.uptimeMs - since.uptimeMs);
  const passedMs = now.wallMs - since.wallMs;
  return passedMs >= now.uptimeMs ? passedMs : undefined;
}
