const EVERY_MS = 25;

/** Waits until `check` returns something true, and returns it. Rejects with what was waited for and the last error. */
export async function until<T>(
  what: string,
  check: () => T | Promise<T>,
  timeoutMs = 60_000,
  everyMs = EVERY_MS,
): Promise<NonNullable<T>> {
  const endsAt = performance.now() + timeoutMs;
  let last: unknown;
  while (performance.now() < endsAt) {
    try {
      const found = await check();
      if (found) return found;
      last = found;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
  throw new Error(`waited ${timeoutMs} ms until ${what}`, { cause: last });
}
