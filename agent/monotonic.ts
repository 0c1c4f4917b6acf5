/** Milliseconds of a clock that nobody sets. Not `performance.now()`: to name it loads all of perf_hooks. */
export function monotonicMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e3 + nanoseconds / 1e6;
}
