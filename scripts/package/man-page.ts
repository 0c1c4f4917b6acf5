import type { Manual, ManualCommand } from '../../proto/manual/manual.ts';

/** A manual page, in the man(7) macros of roff. Pure. */
export function manPageOf(manual: Manual, version: string): string {
  const { program, about, commands, settings, file } = manual;
  const inFile = Object.entries(settings).filter(([, { isOfCommands }]) => !isOfCommands);
  return [
    `.TH ${program.toUpperCase()} 1 "" "Holdfast ${version}" "Holdfast"`,
    '.ad l', // words are as long as they are
    '.SH NAME',
    text(`${program} - ${about.replace(/\.$/, '')}`),
    '.SH SYNOPSIS',
    `.B ${escaped(program)}`,
    '.I COMMAND',
    '[flags]',
    '.SH COMMANDS',
    ...commands.flatMap((command) => commandLines(program, command)),
    '.SH FILES',
    '.TP',
    `.I ${escaped(file.path)}`,
    text(
      `Settings, as YAML; another file by --${file.flag} or ${file.env}. Flags win over the environment, that over the file:`,
    ),
    ...inFile.flatMap(([name, { about: what, fallback }]) => [
      '.RS',
      '.TP',
      `.B ${escaped(name)}`,
      text(`${what}${fallback ? ` (${fallback})` : ''}`),
      '.RE',
    ]),
    '',
  ].join('\n');
}

function commandLines(
  program: string,
  { words, arguments: taken, about, flags, examples }: ManualCommand,
): string[] {
  const call = `${program} ${words.join(' ')}`;
  return [
    `.SS ${escaped(`${words.join(' ')} ${taken}`.trimEnd())}`,
    text(`${about}.`),
    ...flags.flatMap(({ name, short, value, about: what }) => [
      '.TP',
      `.B ${escaped(`${short ? `-${short}, ` : ''}--${name}${value ? ` ${value}` : ''}`)}`,
      text(what),
    ]),
    '.PP',
    'Examples:',
    '.PP',
    '.nf',
    '.RS',
    ...examples.map((each) => text(`${call} ${each}`.trimEnd())),
    '.RE',
    '.fi',
  ];
}

/** Hyphens are to be typed as they are; a line must not begin as a request does. A long list may be broken after its commas. */
const escaped = (content: string) =>
  content
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/,(?=\S)/g, ',\\:');
const text = (content: string) => escaped(content).replace(/^([.'])/, '\\&$1');
