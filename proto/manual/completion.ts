import { choicesOf, type Manual, type ManualCommand, wordsAfter } from './manual.ts';

/* Scripts with which shells complete commands, flags and values. All is in the script: to complete starts no program. */

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** Pure. */
export function completionOf(manual: Manual, shell: Shell): string {
  return { bash, zsh, fish }[shell](manual);
}

/** The beginnings of commands: none, `rollout`. */
function pathsOf({ commands }: Manual): string[][] {
  const groups = commands.filter(({ words }) => words.length > 1).map(({ words }) => words[0] ?? '');
  return [[], ...[...new Set(groups)].map((group) => [group])];
}

const functionOf = ({ program }: Manual) => `_${program.replaceAll('-', '_')}`;
const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
/** A path as the scripts keep it: each word with a blank in front. */
const keyOf = (words: readonly string[]) => quoted(words.map((word) => ` ${word}`).join(''));
const flagNames = ({ flags }: ManualCommand) =>
  flags.flatMap(({ name, short }) => [`--${name}`, ...(short ? [`-${short}`] : [])]);

/** Branches of a `case` that finds the words of a command among all that were written. */
function knownPaths(manual: Manual): string {
  const groups = pathsOf(manual).filter((path) => path.length > 0);
  return [...groups, ...manual.commands.map(({ words }) => words)].map(keyOf).join('|');
}

/** A flag's values, by the path and the flag: `' rollout list --output'`. */
function choices(manual: Manual): [key: string, values: readonly string[]][] {
  return manual.commands.flatMap(({ words, flags }) =>
    flags.flatMap((flag): [string, readonly string[]][] => {
      const values = choicesOf(flag);
      const names = [`--${flag.name}`, ...(flag.short ? [`-${flag.short}`] : [])];
      return values.length > 0 ? names.map((name) => [keyOf([...words, name]), values]) : [];
    }),
  );
}

function bash(manual: Manual): string {
  const name = functionOf(manual);
  const words = (list: Iterable<string>) =>
    `COMPREPLY=($(compgen -W ${quoted([...list].join(' '))} -- "$cur"))`;
  return `# bash completion of ${manual.program}
${name}() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]} path= i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$path \${COMP_WORDS[i]}" in
      ${knownPaths(manual)}) path="$path \${COMP_WORDS[i]}" ;;
    esac
  done
  case "$path $prev" in
${choices(manual)
  .map(([key, values]) => `    ${key}) ${words(values)}; return ;;\n`)
  .join('')}  esac
  case "$path" in
${pathsOf(manual)
  .map((path) => `    ${keyOf(path)}) ${words(wordsAfter(manual, path).keys())} ;;\n`)
  .join('')}${manual.commands
  .map((command) => `    ${keyOf(command.words)}) [[ $cur == -* ]] && ${words(flagNames(command))} ;;\n`)
  .join('')}  esac
}
complete -o default -F ${name} ${manual.program}
`;
}

function zsh(manual: Manual): string {
  const name = functionOf(manual);
  const described = (rows: Iterable<readonly [string, string]>) =>
    [...rows].map(([word, about]) => quoted(`${word}:${about.replaceAll(':', '\\:')}`)).join(' ');
  return `#compdef ${manual.program}
${name}() {
  local curcontext="$curcontext" here= i
  local -a found
  for ((i = 2; i < CURRENT; i++)); do
    case "$here $words[i]" in
      ${knownPaths(manual)}) here="$here $words[i]" ;;
    esac
  done
  case "$here $words[CURRENT - 1]" in
${choices(manual)
  .map(([key, values]) => `    ${key}) compadd -- ${values.join(' ')}; return ;;\n`)
  .join('')}  esac
  case "$here" in
${pathsOf(manual)
  .map((path) => `    ${keyOf(path)}) found=(${described(wordsAfter(manual, path))}) ;;\n`)
  .join('')}${manual.commands
  .map(({ words, flags }) => {
    const rows = flags.map(({ name: flag, about }) => [`--${flag}`, about] as const);
    return `    ${keyOf(words)}) [[ $words[CURRENT] == -* ]] && found=(${described(rows)}) ;;\n`;
  })
  .join('')}  esac
  if (( $#found )); then _describe ${quoted(manual.program)} found; else _files; fi
}
if [ "$funcstack[1]" = "${name}" ]; then ${name} "$@"; else compdef ${name} ${manual.program}; fi
`;
}

function fish(manual: Manual): string {
  const { program } = manual;
  const lines = pathsOf(manual).flatMap((path) => {
    const next = wordsAfter(manual, path);
    const [group] = path;
    const when = group
      ? `__fish_seen_subcommand_from ${group}; and not __fish_seen_subcommand_from ${[...next.keys()].join(' ')}`
      : '__fish_use_subcommand';
    return [...next].map(([word, about]) => line(program, when, `-f -a ${word}`, about));
  });
  const flags = manual.commands.flatMap(({ words, flags: each }) => {
    const when = words.map((word) => `__fish_seen_subcommand_from ${word}`).join('; and ');
    return each.map((flag) => {
      const { name, short, value, about } = flag;
      const values = choicesOf(flag);
      const takes = value ? ` -r${values.length > 0 ? ` -f -a ${quoted(values.join(' '))}` : ''}` : '';
      return line(program, when, `${short ? `-s ${short} ` : ''}-l ${name}${takes}`, about);
    });
  });
  return `# fish completion of ${program}\n${[...lines, ...flags].join('\n')}\n`;
}

const line = (program: string, when: string, what: string, about: string) =>
  `complete -c ${program} -n ${quoted(when)} ${what} -d ${quoted(about)}`;
