import type { Scenario } from './scenario.ts';

/** What is wrong with a value, each with where it is; empty when nothing is. */
type Check = (value: unknown, path: string) => string[];

/** Longer timers than this fire at once in Node. */
const MOST_MS = 2 ** 31 - 1;

/** Throws with everything that is wrong with it. */
export function parseScenario(text: string): Scenario {
  const value: unknown = JSON.parse(text);
  const problems = SCENARIO(value, 'scenario');
  if (problems.length > 0) throw new Error(problems.join('\n'));
  return value as Scenario;
}

const number =
  (least: number, most: number, what: string): Check =>
  (value, path) =>
    typeof value === 'number' && value >= least && value <= most ? [] : [`${path} must be ${what}`];
const range =
  (check: Check): Check =>
  (value, path) => {
    if (!Array.isArray(value)) return check(value, path);
    const [least, greatest] = value as unknown[];
    if (value.length !== 2 || Number(least) > Number(greatest))
      return [`${path} must be a number, or the least and the greatest`];
    return [...check(least, `${path}[0]`), ...check(greatest, `${path}[1]`)];
  };
const list =
  (check: Check): Check =>
  (value, path) =>
    Array.isArray(value)
      ? value.flatMap((each, index) => check(each, `${path}[${index}]`))
      : [`${path} must be a list`];
const record =
  (check: Check): Check =>
  (value, path) =>
    isObject(value)
      ? Object.entries(value).flatMap(([key, each]) => check(each, `${path}["${key}"]`))
      : [`${path} must be an object`];
const fields =
  (known: Readonly<Record<string, Check>>, required: readonly string[] = []): Check =>
  (value, path) => {
    if (!isObject(value)) return [`${path} must be an object`];
    const missing = required.filter((key) => !(key in value)).map((key) => `${path}.${key} is missing`);
    const found = Object.entries(value).flatMap(([key, each]) => {
      const check = known[key];
      return check
        ? check(each, `${path}.${key}`)
        : [`${path}.${key} is not known: ${Object.keys(known).join(', ')}`];
    });
    return [...missing, ...found];
  };
const oneOf =
  (...values: readonly string[]): Check =>
  (value, path) =>
    values.includes(value as string) ? [] : [`${path} must be one of ${values.join(', ')}`];
const text: Check = (value, path) => (typeof value === 'string' ? [] : [`${path} must be a text`]);
const flag: Check = (value, path) => (typeof value === 'boolean' ? [] : [`${path} must be true or false`]);

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const oneMs = number(0, MOST_MS, `milliseconds from 0 to ${MOST_MS} (24 days)`);
const ms = range(oneMs);
const count = number(0, Number.MAX_SAFE_INTEGER, 'a number from 0 on');
const share = number(0, 1, 'a share from 0 to 1');
const signedMs = range(number(-Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, 'milliseconds'));
const periods = list(fields({ fromMs: oneMs, toMs: oneMs }, ['fromMs']));

const BEHAVIOUR: Readonly<Record<string, Check>> = {
  dark: periods,
  flapping: fields({ connectedMs: ms, disconnectedMs: ms }, ['connectedMs', 'disconnectedMs']),
  diskFull: periods,
  bytesPerSecond: range(number(1, Number.MAX_SAFE_INTEGER, 'a number from 1 on')),
  clockOffsetMs: signedMs,
  lost: fields({ atMs: ms, image: text }),
  reboots: list(fields({ atMs: ms, downMs: ms, containers: oneOf('running', 'ended', 'gone') }, ['atMs'])),
  createMs: ms,
  startMs: ms,
  stopMs: ms,
};

const IMAGE = fields({
  absent: flag,
  present: flag,
  sizeBytes: count,
  pullMs: ms,
  exit: fields({ afterMs: ms, code: number(0, 255, 'an exit code from 0 to 255') }, ['afterMs']),
  memoryBytes: range(count),
  cpuMilli: range(count),
  ignoresTerm: flag,
  commands: list(fields({ contains: text, okFromMs: ms, okUntilMs: ms, tookMs: ms })),
});

const GROUP = fields({ ...BEHAVIOUR, name: text, share, count, devices: list(count), labels: record(text) }, [
  'name',
]);

const SPREAD: Check = (value, path) =>
  isObject(value) && 'weights' in value
    ? fields({ weights: record(count) })(value, path)
    : fields({ prefix: text, count: number(1, Number.MAX_SAFE_INTEGER, 'a number from 1 on') }, [
        'prefix',
        'count',
      ])(value, path);

const SCENARIO = fields({
  all: fields(BEHAVIOUR),
  images: record(IMAGE),
  groups: list(GROUP),
  labels: record(SPREAD),
});
