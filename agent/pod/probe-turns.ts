/*
 * When probes have their turns. A device that wakes up for each of them uses more for waking than for asking, so those whose
 * containers are well have theirs together.
 */

const TOGETHER_MS = 1000;

/** The next time at which probes have their turns together, on a monotonic clock. A period of whole seconds stays what it is. */
export function sharedTurnMs(dueMs: number): number {
  return Math.ceil(dueMs / TOGETHER_MS) * TOGETHER_MS;
}

const GOLDEN_RATIO = (Math.sqrt(5) - 1) / 2;

/**
 * Numbers from 0 to 1, each in one of the largest gaps that those before it have left: the golden ratio's multiples, without
 * what is before the point (by the three-gap theorem).
 */
export function* evenShares(): Generator<number, never, unknown> {
  for (let share = GOLDEN_RATIO; ; share = (share + GOLDEN_RATIO) % 1) yield share;
}
