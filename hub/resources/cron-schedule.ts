import { CronPattern } from 'croner';

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
