import { dump } from 'js-yaml';

export type Output = 'json' | 'yaml' | 'wide';

/** A column: its head, and each row's cell. */
export interface Table {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

const GAP = 3;
/** No column is cut to less. */
const LEAST_WIDTH = 8;

/** What a machine reads: the object as it is. */
export function dataText(output: 'json' | 'yaml', object: unknown): string {
  return output === 'json' ? JSON.stringify(object, undefined, 2) : dump(object, { noRefs: true }).trimEnd();
}

/**
 * A table as kubectl's, in lines of at most `columns` characters: the widest columns are cut, and end with …. Without
 * a width, as in a file, nothing is cut. Pure.
 */
export function tableText({ head, rows }: Table, columns?: number): string {
  const all = [head, ...rows].map((row) => row.map(oneLine));
  const natural = head.map((_, index) => Math.max(...all.map((row) => lengthOf(row[index] ?? ''))));
  const widths = columns === undefined ? natural : fitted(natural, columns - GAP * (head.length - 1));
  const lines = all.map((row) =>
    row.map((cell, index) => padded(cut(cell, widths[index] ?? 0), widths[index] ?? 0)).join(' '.repeat(GAP)),
  );
  return lines.map((line) => cut(line.trimEnd(), columns ?? line.length)).join('\n');
}

/** A text in so many characters: what is too long ends with …. */
export function cut(text: string, width: number): string {
  const characters = [...text];
  return characters.length <= width ? text : `${characters.slice(0, Math.max(0, width - 1)).join('')}…`;
}

/** Takes from the widest columns until all fit, or none can give any more. */
function fitted(natural: readonly number[], total: number): readonly number[] {
  const widths = [...natural];
  let over = widths.reduce((a, b) => a + b, 0) - total;
  while (over > 0) {
    const widest = Math.max(...widths);
    if (widest <= LEAST_WIDTH) break;
    const next = Math.max(LEAST_WIDTH, ...widths.filter((width) => width < widest));
    const at = widths.flatMap((width, index) => (width === widest ? [index] : []));
    for (const index of at) {
      const less = Math.min(widest - next || 1, Math.ceil(over / at.length), over);
      widths[index] = widest - less;
      over -= less;
    }
  }
  return widths;
}

/** What devices and people wrote may hold anything: no cell breaks a line or moves the cursor. */
export function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  return text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ').trim();
}

function lengthOf(text: string): number {
  return [...text].length;
}

function padded(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - lengthOf(text)));
}
