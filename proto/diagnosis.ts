/** What a doctor found in one place. */
export interface Finding {
  /** Where it looked: `engine`, `clock`. */
  readonly check: string;
  readonly level: 'ok' | 'warning' | 'problem';
  readonly found: string;
  /** What to do about it; for what is no problem there is nothing to do. */
  readonly advice?: string;
}

export const ok = (check: string, found: string): Finding => ({ check, level: 'ok', found });
export const warning = (check: string, found: string, advice: string): Finding => ({
  ...{ check, level: 'warning', found },
  advice,
});
export const problem = (check: string, found: string, advice: string): Finding => ({
  ...{ check, level: 'problem', found },
  advice,
});

/** A line for each, and what to do about it in the next. Pure. */
export function formatFindings(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ check }) => check.length));
  const lines = findings.flatMap(({ check, level, found, advice }) => [
    `${level.padEnd(7)}  ${check.padEnd(width)}  ${found}`,
    ...(advice ? [`${' '.repeat(width + 11)}-> ${advice}`] : []),
  ]);
  const problems = findings.filter(({ level }) => level === 'problem').length;
  const warnings = findings.filter(({ level }) => level === 'warning').length;
  return [...lines, '', `${count(problems, 'problem')}, ${count(warnings, 'warning')}`].join('\n');
}

const count = (number: number, what: string) => `${number} ${what}${number === 1 ? '' : 's'}`;

/** 0 when nothing keeps the program from its work. */
export function exitCodeOf(findings: readonly Finding[]): number {
  return findings.some(({ level }) => level === 'problem') ? 1 : 0;
}
