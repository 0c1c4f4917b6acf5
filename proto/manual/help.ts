import { type Manual, type ManualFlag, wordsAfter } from './manual.ts';

/** What a program says when it is asked for help, about all of it or about what some words begin. Pure. */
export function helpOf(manual: Manual, words: readonly string[]): string {
  const command = manual.commands.find(
    (each) => isBegunBy(each.words, words) && each.words.length <= words.length,
  );
  const call = [manual.program, ...(command ? command.words : pathOf(manual, words))].join(' ');
  if (!command) {
    const path = pathOf(manual, words);
    const rows = [...wordsAfter(manual, path)].map(([word, about]) => [`  ${word}`, about] as const);
    const about = path.length === 0 ? manual.about : (manual.groups[path[0] ?? ''] ?? '');
    return `${about}\n\nUsage: ${call} COMMAND\n\n${inColumns(rows)}\n"${call} COMMAND --help" tells more of each.\n`;
  }
  const rows = command.flags.map((flag) => [flagForm(flag), flag.about] as const);
  const examples = command.examples.map((each) => `  ${call} ${each}`.trimEnd());
  return `${command.about}

Usage: ${call} ${command.arguments}${command.arguments && ' '}[flags]

${inColumns(rows)}
Examples:
${examples.join('\n')}
`;
}

const isBegunBy = (words: readonly string[], given: readonly string[]) =>
  words.every((word, index) => given[index] === word);

/** As much of the words as begins a command. */
function pathOf(manual: Manual, [first]: readonly string[]): string[] {
  return first !== undefined && Object.hasOwn(manual.groups, first) ? [first] : [];
}

function flagForm({ name, short, value }: ManualFlag): string {
  return `  ${short ? `-${short}, ` : '    '}--${name}${value ? ` ${value}` : ''}`;
}

function inColumns(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(0, ...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `${left.padEnd(width)}  ${right}\n`).join('');
}
