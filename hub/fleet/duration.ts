const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** `1h30m`, `90s`, `250ms`: the durations of Kubernetes' newer kinds, in whole units, without days. */
export const DURATION_PATTERN = '^([0-9]+(ms|s|m|h))+$';

/** Milliseconds of a duration that matches the pattern; 0 for none. */
export function durationMs(text: string | undefined): number {
  let totalMs = 0;
  for (const [, count, unit = ''] of (text ?? '').matchAll(/(\d+)(ms|s|m|h)/g))
    totalMs += Number(count) * (UNITS_MS[unit] ?? 0);
  return totalMs;
}
