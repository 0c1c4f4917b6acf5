const digits = (value: number, length = 2) => String(value).padStart(length, '0');

/**
 * A wall-clock time (ms since 1970) as Kubernetes' API writes it: RFC 3339, UTC, to the second. Not by `toISOString`: V8's
 * looks up what the device's time zone is called, and the tables and caches for that stay in memory (half a MiB, Node.js 24).
 * @throws RangeError of what is no time
 */
export function timeText(wallMs: number): string {
  const at = new Date(wallMs);
  if (Number.isNaN(at.getTime())) throw new RangeError(`${wallMs} is no time`);
  const date = [digits(at.getUTCFullYear(), 4), digits(at.getUTCMonth() + 1), digits(at.getUTCDate())];
  const time = [at.getUTCHours(), at.getUTCMinutes(), at.getUTCSeconds()].map((value) => digits(value));
  return `${date.join('-')}T${time.join(':')}Z`;
}
