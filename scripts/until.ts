import { setTimeout } from 'node:timers/promises';

const FIRST_DELAY_MS = 5;
const LONGEST_DELAY_MS = 200;

/** Asks again, less and less often, until the answer is not undefined or false. Resolves with undefined when time is up. */
export async function until<T>(
  ask: () => T | Promise<T>,
  timeoutMs: number,
): Promise<Exclude<T, undefined | false> | undefined> {
  const endMs = performance.now() + timeoutMs;
  for (let delayMs = FIRST_DELAY_MS; ; delayMs = Math.min(delayMs * 1.5, LONGEST_DELAY_MS)) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer as Exclude<T, undefined | false>;
    if (performance.now() + delayMs > endMs) return undefined;
    await setTimeout(delayMs);
  }
}
