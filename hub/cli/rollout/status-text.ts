import type { DeviceCounts, RolloutObject, Transition, WaveStatus } from '../../fleet/rollout.ts';
import { counted } from '../../resources/counted.ts';
import { since } from '../../resources/human-duration.ts';
import { cut, oneLine, type Table, tableText } from '../print.ts';
import { gateChanges, gatesText } from './gates-text.ts';
import { workloadText } from './workload.ts';

/*
 * What people see of a rollout that is on its way. Pure.
 */

const BAR_WIDTH = 12;
const BAR_COLUMN = 2;
/** Lines of the picture besides the waves. */
const OTHER_LINES = 9;
const LEAST_WAVES_SHOWN = 3;
/** Reasons to be paused that no person gave. */
const STOPPED_BY_ITSELF = ['GateFailed', 'GateInconclusive', 'NoProgress', 'CatchUpFailed'];

export type Verdict = 'done' | 'failed' | 'open';

/** Who waits for a rollout: whether it is over, and how. One that somebody has paused is still open. */
export function verdictOf({ status = {} }: RolloutObject): Verdict {
  switch (status.phase) {
    case 'Succeeded':
      return 'done';
    case 'Aborted':
    case 'Undone':
    case 'Superseded':
      return 'failed';
    case 'Paused':
      return STOPPED_BY_ITSELF.includes(status.transitions?.at(-1)?.reason ?? '') ? 'failed' : 'open';
    default:
      return 'open';
  }
}

export interface Picture {
  readonly nowMs: number;
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
}

/** Everything about where it is. */
export function statusText(rollout: RolloutObject, { nowMs, columns, rows }: Picture): string {
  const { spec, status = {} } = rollout;
  const details = [
    `revision ${spec.to.number}, from ${spec.from.number}`,
    `policy ${spec.policyName}`,
    `made ${since(rollout.metadata.creationTimestamp, nowMs)} ago`,
    ...(spec.type === 'undo' ? ['an undo: straight to all devices'] : []),
    ...(spec.cause ? [`cause: ${oneLine(spec.cause)}`] : []),
  ];
  const gates = gatesText(rollout, nowMs, columns);
  const free = rows === undefined || gates.length === 0 ? rows : rows - gates.length - 1;
  const lines = [
    `${rollout.metadata.name}: ${headline(rollout)}`,
    `  ${workloadText(spec.workload)}, ${details.join(', ')}`,
    ...(status.message ? [`  ${oneLine(status.message)}`] : []),
    '',
    wavesText(rollout, columns, free),
    ...(gates.length > 0 ? ['', ...gates] : []),
    ...hints(rollout).map((hint, index) => `${index === 0 ? '\n' : ''}${hint}`),
  ];
  return fitted(lines.join('\n'), columns);
}

/** `Progressing, wave pilot (2 of 3)` */
export function headline({ spec, status = {} }: RolloutObject): string {
  const { phase = 'Pending', wave, waves = [] } = status;
  const number = waves.findIndex(({ name }) => name === wave) + 1;
  const last = status.transitions?.at(-1);
  const by = last?.by && last.phase === phase ? ` by ${last.by}` : '';
  const isAtWave = !['Pending', 'Succeeded'].includes(phase) && number > 0 && spec.type === 'change';
  return `${phase}${by}${isAtWave ? `, wave ${wave} (${number} of ${waves.length})` : ''}`;
}

const HEADS: Readonly<Record<keyof Counts, string>> = {
  devices: 'DEVICES',
  succeeded: 'DONE',
  unhealthy: 'UNHEALTHY',
  updating: 'UPDATING',
  pending: 'PENDING',
  failed: 'FAILED',
  lost: 'LOST',
  dark: 'DARK',
};
const COUNTS = Object.keys(HEADS) as (keyof Counts)[];

function wavesText({ status = {} }: RolloutObject, columns?: number, rows?: number): string {
  const { waves = [] } = status;
  const shown = window(waves, status.wave, rows === undefined ? waves.length : rows - OTHER_LINES);
  const all = [...shown, { ...status, name: 'all', phase: '' }].map(countedOf);
  const table = countsText(all, columns);
  const hidden = waves.length - shown.length;
  return hidden > 0 ? `${table}\n… and ${counted(hidden, 'more wave', 'more waves')}` : table;
}

/** Who is unhealthy has a column where somebody is. What is 0 everywhere gives way to what is not. */
function countsText(all: readonly Counted[], columns?: number): string {
  const any = (count: keyof Counts) => all.some((row) => row[count] > 0);
  const usual = COUNTS.filter((count) => count !== 'unhealthy' || any(count));
  const table = tableOf(all, usual);
  if (headOf(tableText(table)).length <= (columns ?? Number.POSITIVE_INFINITY)) return tableText(table);
  // The counts tell more than the bars.
  const text = tableText(withoutBars(table), columns);
  if (!headOf(text).endsWith('…')) return text;
  return tableText(withoutBars(tableOf(all, usual.filter(any))), columns);
}

const headOf = (text: string) => text.split('\n', 1)[0] ?? '';

function tableOf(all: readonly Counted[], counts: readonly (keyof Counts)[]): Table {
  return {
    head: ['WAVE', 'PHASE', '', ...counts.map((count) => HEADS[count])],
    rows: all.map((row) => {
      const { name, phase, devices, succeeded, unhealthy, failed, lost } = row;
      const bars = bar(succeeded - unhealthy, failed + lost + unhealthy, devices);
      return [name, phase, bars, ...counts.map((count) => `${row[count]}`)];
    }),
  };
}

function withoutBars({ head, rows }: Table): Table {
  const [top = [], ...body] = [head, ...rows].map((row) => row.toSpliced(BAR_COLUMN, 1));
  return { head: top, rows: body };
}

type Counts = Required<DeviceCounts>;

interface Counted extends Counts {
  readonly name: string;
  readonly phase: string;
}

function countedOf(row: Partial<DeviceCounts> & { readonly name: string; readonly phase: string }): Counted {
  return { name: row.name, phase: row.phase, ...countsOf(row) };
}

function countsOf(status: Partial<DeviceCounts>): Counts {
  const { devices = 0, pending = 0, updating = 0, succeeded = 0, unhealthy = 0 } = status;
  const { failed = 0, lost = 0, dark = 0 } = status;
  return { devices, succeeded, unhealthy, updating, pending, failed, lost, dark };
}

/** As much of it as is well, and is not: `█████▒░░░░░░`. */
export function bar(succeeded: number, failed: number, devices: number): string {
  const share = (count: number) => (devices === 0 ? 0 : Math.floor((count * BAR_WIDTH) / devices));
  const good = share(succeeded);
  const bad = Math.min(BAR_WIDTH - good, failed > 0 ? Math.max(1, share(failed)) : 0);
  return '█'.repeat(good) + '▒'.repeat(bad) + '░'.repeat(BAR_WIDTH - good - bad);
}

/** So many of the waves, the present one among them. */
function window(
  waves: readonly WaveStatus[],
  present: string | undefined,
  room: number,
): readonly WaveStatus[] {
  const most = Math.max(LEAST_WAVES_SHOWN, room);
  const at = Math.max(
    0,
    waves.findIndex(({ name }) => name === present),
  );
  const from = Math.max(0, Math.min(at - 1, waves.length - most));
  return waves.slice(from, from + most);
}

/** What somebody could do now. */
function hints({ metadata: { name }, spec, status = {} }: RolloutObject): string[] {
  switch (status.phase) {
    case 'Pending':
      return [`It waits until it is started: holdfast rollout start ${name}`];
    case 'AwaitingApproval':
      return [`It waits for approval: holdfast rollout approve ${name} --wave ${status.wave}`];
    case 'Paused':
      return [
        `Go on: holdfast rollout resume ${name}`,
        `Go back to revision ${spec.from.number}: holdfast rollout undo ${name}`,
      ];
    case 'Succeeded':
      return status.dark
        ? [
            `${counted(status.dark, 'device is away: it follows when it is', 'devices are away: they follow when they are')} back.`,
          ]
        : [];
    default:
      return [];
  }
}

/** No line is longer than the terminal, so that what is drawn can be drawn over. */
export function fitted(text: string, columns: number | undefined): string {
  if (columns === undefined) return text;
  return text
    .split('\n')
    .map((line) => cut(line, columns))
    .join('\n');
}

/*
 * For those who read no terminal: a line for each thing that happened.
 */

/** The lines that say how `next` is other than `before`: transitions, and progress by tenths of a wave. */
export function changeLines(before: RolloutObject | undefined, next: RolloutObject): string[] {
  const name = next.metadata.name ?? '';
  if (!before) {
    const { message } = next.status ?? {};
    return [
      `${name}: ${headline(next)}${progress(next)}`,
      ...(message ? [`${name}: ${oneLine(message)}`] : []),
    ];
  }
  const seen = before.status?.transitions?.at(-1);
  const all = next.status?.transitions ?? [];
  // The record keeps the newest only: what was seen may be gone from it.
  const from = seen ? all.findLastIndex((each) => isSame(each, seen)) + 1 : 0;
  const lines = all.slice(from).map((transition) => `${name}: ${transitionText(transition)}`);
  const isFurther = tenthsOf(before) !== tenthsOf(next);
  const found = gateChanges(before, next).map((text) => `${name}: ${text}`);
  return [...found, ...lines, ...(isFurther ? [`${name}: ${headline(next)}${progress(next)}`] : [])];
}

function isSame(a: Transition, b: Transition): boolean {
  return a.at === b.at && a.reason === b.reason && a.wave === b.wave;
}

export function transitionText({ phase, wave, reason, message, by }: Transition): string {
  const where = wave ? `, wave ${wave}` : '';
  const who = by ? ` by ${by}` : '';
  return `${phase}${where} (${reason}${who})${message ? `: ${oneLine(message)}` : ''}`;
}

function tenthsOf({ status = {} }: RolloutObject): string {
  const { waves = [], wave } = status;
  const { devices = 0, succeeded = 0, failed = 0, lost = 0 } = waves.find(({ name }) => name === wave) ?? {};
  return `${wave} ${Math.floor(((succeeded + failed + lost) * 10) / Math.max(1, devices))}`;
}

function progress({ status = {} }: RolloutObject): string {
  const present = status.waves?.find(({ name }) => name === status.wave);
  const counts = countsOf(status.phase === 'Succeeded' || !present ? status : present);
  if (counts.devices === 0) return '';
  const others = (['unhealthy', 'updating', 'failed', 'lost', 'dark'] as const)
    .filter((key) => counts[key] > 0)
    .map((key) => `, ${counts[key]} ${key}`);
  return `: ${counts.succeeded} of ${counted(counts.devices, 'device', 'devices')}${others.join('')}`;
}
