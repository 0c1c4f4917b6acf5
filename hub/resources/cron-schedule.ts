import { Cron, CronPattern } from 'croner';

/*
 * Schedules as CronJobs have them: five fields, or a word like @daily, or @every with a duration. The library reads
 * the fields; what it understands beyond Kubernetes' syntax is refused here.
 */

const DESCRIPTORS = ['@yearly', '@annually', '@monthly', '@weekly', '@daily', '@midnight', '@hourly'];
const FIELD_COUNT = 5;
const MONTHS = 'jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec';
const DAYS = 'sun|mon|tue|wed|thu|fri|sat';
/** Numbers, and words, that may stand in each field. */
const FIELDS: readonly { readonly least: number; readonly most: number; readonly words?: string }[] = [
  { least: 0, most: 59 },
  { least: 0, most: 23 },
  { least: 1, most: 31 },
  { least: 1, most: 12, words: MONTHS },
  { least: 0, most: 6, words: DAYS },
];
const DURATION =
  /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h)(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))*$/;

/** What is wrong with a schedule (`a,b-c,*\/n` in each field); undefined when nothing is. */
export function scheduleError(schedule: string): string | undefined {
  const text = schedule.trim();
  if (text === '') return 'empty spec string';
  if (text.startsWith('@')) return descriptorError(text);
  const fields = text.split(/\s+/);
  if (fields.length !== FIELD_COUNT)
    return `expected exactly ${FIELD_COUNT} fields, found ${fields.length}: [${fields.join(' ')}]`;
  return fields.map((field, index) => fieldError(field, index)).find(Boolean) ?? patternError(fields);
}

function descriptorError(text: string): string | undefined {
  const [, duration] = /^@every (.*)$/.exec(text) ?? [];
  if (duration !== undefined)
    return DURATION.test(duration)
      ? undefined
      : `failed to parse duration ${text}: time: invalid duration ${JSON.stringify(duration)}`;
  return DESCRIPTORS.includes(text) ? undefined : `unrecognized descriptor: ${text}`;
}

function fieldError(field: string, index: number): string | undefined {
  const { words, least, most } = FIELDS[index] ?? { least: 0, most: 0 };
  const value = words ? `(?:\\d+|${words})` : '\\d+';
  const item = `(?:[*?]|${value}(?:-${value})?)(?:/\\d+)?`;
  if (!new RegExp(`^${item}(?:,${item})*$`, 'i').test(field))
    return `failed to parse ${field}: invalid syntax`;
  if (/\/0+(?!\d)/.test(field)) return `step of range should be a positive number: ${field}`;
  for (const part of field.split(',')) {
    const [, first, last = first] = /^(\d+)(?:-(\d+))?/.exec(part) ?? [];
    if (first === undefined) continue;
    const [begin, end] = [Number(first), Number(last)];
    if (begin < least) return `beginning of range (${begin}) below minimum (${least}): ${part}`;
    if (end > most) return `end of range (${end}) above maximum (${most}): ${part}`;
    if (begin > end) return `beginning of range (${begin}) beyond end of range (${end}): ${part}`;
  }
  return undefined;
}

function patternError(fields: readonly string[]): string | undefined {
  const pattern = fields.map((field) => field.replaceAll('?', '*')).join(' ');
  try {
    new CronPattern(pattern, undefined, { mode: '5-part', sloppyRanges: true });
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message.replace(/^CronPattern: /, '') : String(error);
  }
}

/** Whether it says a time zone itself, which Kubernetes has a field for. */
export function namesTimeZone(schedule: string): boolean {
  return schedule.includes('TZ');
}

/** What is wrong with an IANA time zone's name; undefined when nothing is. */
export function timeZoneError(zone: string): string | undefined {
  if (zone === '') return 'timeZone must be nil or non-empty string';
  if (zone.toLowerCase() === 'local')
    return 'timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones';
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
    return /^[+-]\d/.test(zone) ? `unknown time zone ${zone}` : undefined;
  } catch {
    return `unknown time zone ${zone}`;
  }
}

/** When a schedule is due. Times are milliseconds since the epoch. */
export interface Schedule {
  /** The first time after this one; undefined when there is none (the 31st of February). */
  next(afterMs: number): number | undefined;
  /** The last time after `afterMs` that is not later than `untilMs`. */
  latest(afterMs: number, untilMs: number): number | undefined;
}

const DESCRIBED: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};
const SECOND_MS = 1000;
const UNIT_SECONDS: Readonly<Record<string, number>> = {
  ns: 1e-9,
  us: 1e-6,
  µs: 1e-6,
  μs: 1e-6,
  ms: 1e-3,
  s: 1,
  m: 60,
  h: 3600,
};

/**
 * Reads a valid schedule. Without a time zone, in the hub's own. What falls into the hour that a clock skips in spring
 * is due when that is over; what falls into the hour that comes twice in autumn is due once, unless it is due each hour.
 */
export function readSchedule(text: string, timeZone: string | undefined): Schedule {
  const [, zone = timeZone, schedule = ''] = /^(?:(?:CRON_)?TZ=(\S+)\s+)?(.*)$/s.exec(text.trim()) ?? [];
  const [, duration] = /^@every (.*)$/.exec(schedule) ?? [];
  return duration === undefined
    ? patternSchedule(DESCRIBED[schedule] ?? schedule, zone)
    : everySchedule(duration);
}

/** Counted from the last time on. */
function everySchedule(duration: string): Schedule {
  const parts = [...duration.matchAll(/([\d.]+)(ns|us|µs|μs|ms|s|m|h)/g)];
  const seconds = parts.reduce(
    (sum, [, count, unit]) => sum + Number(count) * (UNIT_SECONDS[unit ?? ''] ?? 0),
    0,
  );
  const stepMs = Math.max(1, Math.floor(seconds)) * SECOND_MS;
  const wholeSecond = (atMs: number) => Math.floor(atMs / SECOND_MS) * SECOND_MS;
  return {
    next: (afterMs) => wholeSecond(afterMs) + stepMs,
    latest: (afterMs, untilMs) => {
      const steps = Math.floor((untilMs - wholeSecond(afterMs)) / stepMs);
      return steps > 0 ? wholeSecond(afterMs) + steps * stepMs : undefined;
    },
  };
}

function patternSchedule(pattern: string, timezone: string | undefined): Schedule {
  const fields = pattern.replaceAll('?', '*').split(/\s+/);
  // A day that is any day, also in steps, restricts nothing; two that restrict are alternatives.
  const domAndDow = [fields[2], fields[4]].some((field) => field?.includes('*'));
  const cron = new Cron(fields.join(' '), {
    mode: '5-part',
    sloppyRanges: true,
    domAndDow,
    ...(timezone && { timezone }),
  });
  const next = (afterMs: number) => cron.nextRun(new Date(afterMs))?.getTime();
  return { next, latest: (afterMs, untilMs) => latestBySearch(next, afterMs, untilMs) };
}

/** However much was missed: before the last time that is due, and only there, the next one is not later than `untilMs`. */
function latestBySearch(next: Schedule['next'], afterMs: number, untilMs: number): number | undefined {
  const isDueAfter = (atMs: number) => (next(atMs) ?? Number.POSITIVE_INFINITY) <= untilMs;
  if (!isDueAfter(afterMs)) return undefined;
  let [low, high] = [afterMs, untilMs];
  while (high - low > SECOND_MS) {
    const middle = Math.floor((low + high) / 2);
    if (isDueAfter(middle)) low = middle;
    else high = middle;
  }
  return next(low);
}
