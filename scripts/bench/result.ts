/** What a measurement must reach. */
export type Goal =
  | { readonly type: 'ratio'; readonly most: number }
  | { readonly type: 'value'; readonly most: number }
  | { readonly type: 'at-least'; readonly least: number };

export type Unit = 'ms' | 's' | 'MiB' | 'MB' | 'B' | '%' | '/s' | 'x' | '';

/** Samples of one thing and of its floor, taken in turns. */
export interface Measurement {
  /** As in the table. */
  readonly name: string;
  /** Which transport; empty when that makes no difference. */
  readonly variant: string;
  readonly unit: Unit;
  readonly samples: readonly number[];
  /** What nobody gets below; empty where there is no such thing. */
  readonly floor: readonly number[];
  /** Undefined: for information only. */
  readonly goal: Goal | undefined;
}

export interface Result extends Measurement {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly floorMedian: number | undefined;
  readonly ratio: number | undefined;
  /** Undefined when there is no goal. */
  readonly isReached: boolean | undefined;
}

export function resultOf(measurement: Measurement): Result {
  const { samples, floor, goal } = measurement;
  const median = medianOf(samples);
  const floorMedian = floor.length > 0 ? medianOf(floor) : undefined;
  const ratio = floorMedian ? median / floorMedian : undefined;
  return {
    ...measurement,
    median,
    min: Math.min(...samples),
    max: Math.max(...samples),
    floorMedian,
    ratio,
    isReached: goal && reaches(goal, median, ratio),
  };
}

function reaches(goal: Goal, median: number, ratio: number | undefined): boolean | undefined {
  if (goal.type === 'at-least') return median >= goal.least;
  const compared = goal.type === 'ratio' ? ratio : median;
  return compared === undefined ? undefined : compared <= goal.most;
}

export function medianOf(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

const HEADER = ['measured', 'over', 'median', 'min - max', 'n', 'floor', 'ratio', 'goal', ''];

/** A table for a terminal. Pure. */
export function tableOf(results: readonly Result[]): string {
  const rows = [HEADER, ...results.map(rowOf)];
  const widths = HEADER.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const pad = (cell: string, column: number) =>
    column < 2 || column > 6 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0);
  return rows.map((row) => row.map(pad).join('  ').trimEnd()).join('\n');
}

function rowOf(result: Result): string[] {
  const { name, variant, unit, median, min, max, samples, floorMedian, ratio, isReached } = result;
  const text = (value: number) => format(value, unit);
  return [
    name,
    variant,
    `${text(median)} ${unit}`,
    `${text(min)} - ${text(max)}`,
    String(samples.length),
    floorMedian === undefined ? '' : `${text(floorMedian)} ${unit}`,
    ratio === undefined || unit === '%' ? '' : ratio.toFixed(2),
    goalText(result),
    isReached === undefined ? '' : isReached ? 'pass' : 'MISS',
  ];
}

const DECIMALS = { ms: 0, s: 1, MiB: 1, MB: 1, B: 0, '%': 2, '/s': 0, x: 2, '': 0 } as const satisfies Record<
  Unit,
  number
>;

const format = (value: number, unit: Unit) => value.toFixed(DECIMALS[unit]);

function goalText({ goal, unit }: Result): string {
  if (!goal) return '';
  if (goal.type === 'at-least') return `>= ${goal.least} ${unit}`;
  return goal.type === 'ratio' ? `<= ${goal.most} x` : `<= ${goal.most} ${unit}`;
}
