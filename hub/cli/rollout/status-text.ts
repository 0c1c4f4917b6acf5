import type { RolloutObject, Transition, WaveStatus } from '../../fleet/rollout.ts';
import { since } from '../../resources/human-duration.ts';
import { cut, oneLine, tableText } from '../print.ts';
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

function wavesText({ status = {} }: RolloutObject, columns?: number, rows?: number): string {
  const { waves = [] } = status;
  const shown = window(waves, status.wave, rows === undefined ? waves.length : rows - OTHER_LINES);
  const head = ['WAVE', 'PHASE', '', 'DEVICES', 'DONE', 'UPDATING', 'PENDING', 'FAILED', 'LOST', 'DARK'];
  const total = { name: 'all', phase: '', ...countsOf(status) };
  const all = [head, ...[...shown, total].map(rowOf)];
  const isTooWide = tableText({ head, rows: all }).indexOf('\n') > (columns ?? Number.POSITIVE_INFINITY);
  // The counts tell more than the bars.
  const [top = [], ...body] = isTooWide ? all.map((row) => row.toSpliced(BAR_COLUMN, 1)) : all;
  const table = tableText({ head: top, rows: body }, columns);
  const hidden = waves.length - shown.length;
  return hidden > 0 ? `${table}\n… and ${hidden} more waves` : table;
}

type Counted = Pick<WaveStatus, keyof ReturnType<typeof countsOf>> & {
  readonly name: string;
  readonly phase: string;
};

function countsOf(status: NonNullable<RolloutObject['status']>) {
  const { devices = 0, succeeded = 0, updating = 0, pending = 0, failed = 0, lost = 0, dark = 0 } = status;
  return { devices, succeeded, updating, pending, failed, lost, dark };
}

function rowOf(wave: Counted): string[] {
  const { name, phase, devices, succeeded, updating, pending, failed, lost, dark } = wave;
  const counts = [devices, succeeded, updating, pending, failed, lost, dark];
  return [name, phase, bar(succeeded, failed + lost, devices), ...counts.map(String)];
}

/** As much of it as has succeeded, and failed: `█████▒░░░░░░`. */
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
      return status.dark ? [`${devicesText(status.dark)} away: they follow when they are back.`] : [];
    default:
      return [];
  }
}

function devicesText(count: number): string {
  return count === 1 ? '1 device is' : `${count} devices are`;
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
      `${name}: ${headline(next)}${counted(next)}`,
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
  return [...found, ...lines, ...(isFurther ? [`${name}: ${headline(next)}${counted(next)}`] : [])];
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

function counted({ status = {} }: RolloutObject): string {
  const present = status.waves?.find(({ name }) => name === status.wave);
  const counts = status.phase === 'Succeeded' || !present ? countsOf(status) : present;
  if (counts.devices === 0) return '';
  const others = (['updating', 'failed', 'lost', 'dark'] as const)
    .filter((key) => counts[key] > 0)
    .map((key) => `, ${counts[key]} ${key}`);
  return `: ${counts.succeeded} of ${counts.devices} devices${others.join('')}`;
}
