import { parseArgs } from 'node:util';
import { ApiClient } from './api-client.ts';
import type { Output } from './print.ts';

/** What a command has around it. */
export interface Surroundings {
  /** The kubeconfig when none is named. */
  readonly kubeconfig: string;
  readonly stdout: Terminal;
  readonly stderr: { write(text: string): unknown };
  /** How the program was called: `holdfast`, `kubectl holdfast`. */
  readonly program: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly now: () => number;
}

/** Where a command writes: a terminal, or a file, a pipe. */
export interface Terminal {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
}

export interface Flag {
  readonly type: 'string' | 'boolean';
  readonly about: string;
  /** What its value stands for: TEXT, FILE. */
  readonly value?: string;
  readonly short?: string;
  readonly multiple?: boolean;
}

/** A command that does something. Resolves with the exit code, 0 when it tells none. */
export interface Command {
  /** What follows its name: `NAME|ds/NAME`. */
  readonly arguments: string;
  /** How many of them there may be. */
  readonly takes: readonly [least: number, most: number];
  readonly about: string;
  readonly flags?: Readonly<Record<string, Flag>>;
  /** Each as it follows the command's name. */
  readonly examples: readonly string[];
  /** The forms that `-o` can ask for. */
  readonly outputs?: readonly Output[];
  /** Its objects are in no namespace. */
  readonly isClusterWide?: boolean;
  /** It asks no hub. */
  readonly isLocal?: boolean;
  readonly run: (call: Call) => Promise<number | undefined>;
}

/** Commands under one name: `rollout`, `node`. */
export interface CommandGroup {
  readonly name: string;
  readonly about: string;
  readonly commands: Readonly<Record<string, Command>>;
}

/** One call of a command: what was given, and whom it is to ask. */
export class Call {
  readonly arguments: readonly string[];
  readonly surroundings: Surroundings;
  readonly #values: Readonly<Record<string, unknown>>;
  #client: ApiClient | undefined;

  constructor(
    positionals: readonly string[],
    values: Readonly<Record<string, unknown>>,
    surroundings: Surroundings,
  ) {
    this.arguments = positionals;
    this.#values = values;
    this.surroundings = surroundings;
  }

  /** What was given, by flag. */
  get values(): Readonly<Record<string, unknown>> {
    return this.#values;
  }

  get client(): ApiClient {
    const file = this.text('kubeconfig') ?? this.surroundings.kubeconfig;
    this.#client ??= ApiClient.fromKubeconfig(file, this.text('context'));
    return this.#client;
  }

  get namespace(): string {
    return this.text('namespace') ?? this.client.namespace;
  }

  get output(): Output | undefined {
    return this.text('output') as Output | undefined;
  }

  get now(): number {
    return this.surroundings.now();
  }

  text(flag: string): string | undefined {
    const value = this.#values[flag];
    return typeof value === 'string' ? value : undefined;
  }

  texts(flag: string): readonly string[] {
    const value = this.#values[flag];
    return Array.isArray(value) ? value.map(String) : [];
  }

  has(flag: string): boolean {
    return this.#values[flag] === true;
  }

  print(text: string): void {
    this.surroundings.stdout.write(`${text}\n`);
  }

  warn(text: string): void {
    this.surroundings.stderr.write(`${text}\n`);
  }
}

const HELP: Readonly<Record<string, Flag>> = {
  help: { type: 'boolean', short: 'h', about: 'this text' },
};
const CLIENT: Readonly<Record<string, Flag>> = {
  kubeconfig: {
    type: 'string',
    value: 'FILE',
    about: "whose cluster and user to take (KUBECONFIG, or kubectl's)",
  },
  context: { type: 'string', value: 'NAME', about: 'a context of it; the current one otherwise' },
};
const NAMESPACE: Flag = { type: 'string', short: 'n', value: 'NAME', about: "the context's otherwise" };

/** All that can be given to a command. */
export function flagsOf(command: Command): Readonly<Record<string, Flag>> {
  const { flags = {}, outputs = [], isClusterWide, isLocal } = command;
  const output: Flag = { type: 'string', short: 'o', value: outputs.join('|'), about: 'another form' };
  return {
    ...flags,
    ...(outputs.length > 0 && { output }),
    ...(!isClusterWide && !isLocal && { namespace: NAMESPACE }),
    ...(!isLocal && CLIENT),
    ...HELP,
  };
}

/** Runs the command of the group that the arguments name. Throws what the user is to be told. */
export async function runGroup(
  group: CommandGroup,
  args: readonly string[],
  surroundings: Surroundings,
): Promise<number> {
  const [name = '', ...rest] = args;
  const command = Object.hasOwn(group.commands, name) ? group.commands[name] : undefined;
  if (!command) {
    const help = groupHelp(group, surroundings.program);
    if (['', 'help', '--help', '-h'].includes(name)) {
      surroundings.stdout.write(help);
      return 0;
    }
    throw new Error(`no command "${name}": there are ${Object.keys(group.commands).join(', ')}`);
  }
  try {
    return await runCommand(`${group.name} ${name}`, command, rest, surroundings);
  } catch (error) {
    throw new Error(`${name}: ${(error as Error).message}`, { cause: (error as Error).cause });
  }
}

/** Runs one command, which is called by these words. Throws what the user is to be told. */
export async function runCommand(
  words: string,
  command: Command,
  args: readonly string[],
  surroundings: Surroundings,
): Promise<number> {
  if (args.includes('--help') || args.includes('-h')) {
    surroundings.stdout.write(commandHelp(`${surroundings.program} ${words}`, command));
    return 0;
  }
  return (await command.run(readCall(command, args, surroundings))) ?? 0;
}

function readCall(command: Command, args: readonly string[], surroundings: Surroundings): Call {
  const flags = flagsOf(command);
  const { positionals, values } = parsed(flags, args);
  const [least, most] = command.takes;
  if (positionals.length < least || positionals.length > most) {
    const found = positionals.length === 0 ? 'nothing' : `"${positionals.join(' ')}"`;
    throw new Error(`it takes ${command.arguments || 'no arguments'}, was given ${found}`);
  }
  const { outputs = [] } = command;
  const output = values['output'];
  if (output !== undefined && !outputs.some((each) => each === output))
    throw new Error(`--output must be ${outputs.join(', ')}, is "${output}"`);
  return new Call(positionals, values, surroundings);
}

function parsed(flags: Readonly<Record<string, Flag>>, args: readonly string[]) {
  const options = Object.fromEntries(
    Object.entries(flags).map(([name, { type, short, multiple = false }]) => [
      name,
      { type, multiple, ...(short && { short }) },
    ]),
  );
  try {
    return parseArgs({ args: [...args], allowPositionals: true, options });
  } catch (error) {
    const { code, message } = error as Error & { code?: string };
    const [unknown] = /'[^']*'/.exec(message) ?? [];
    if (code !== 'ERR_PARSE_ARGS_UNKNOWN_OPTION') throw new Error(message.split('\n')[0]);
    const known = Object.keys(flags).map((name) => `--${name}`);
    throw new Error(`no flag ${unknown?.replaceAll("'", '"')}: there are ${known.join(', ')}`);
  }
}

function groupHelp({ name, about, commands }: CommandGroup, program: string): string {
  const rows = Object.entries(commands).map(([each, command]) => [
    `  ${each} ${command.arguments}`.trimEnd(),
    command.about,
  ]);
  return `${about}

Usage: ${program} ${name} COMMAND

${inColumns(rows)}
"${program} ${name} COMMAND --help" tells more of each.
`;
}

function commandHelp(call: string, command: Command): string {
  const rows = Object.entries(flagsOf(command)).map(([flag, { short, value, about }]) => [
    `  ${short ? `-${short}, ` : '    '}--${flag}${value ? ` ${value}` : ''}`,
    about,
  ]);
  return `${command.about}

Usage: ${call} ${command.arguments}${command.arguments && ' '}[flags]

${inColumns(rows)}
Examples:
${command.examples.map((each) => `  ${call} ${each}`.trimEnd()).join('\n')}
`;
}

/** Lines of two columns. */
export function inColumns(rows: readonly (readonly string[])[]): string {
  const width = Math.max(...rows.map(([left = '']) => left.length));
  return rows.map(([left = '', right = '']) => `${left.padEnd(width)}  ${right}\n`).join('');
}

/** `--timeout 10m`: milliseconds; undefined for none. */
export function durationFlag(call: Call, flag: string): number | undefined {
  const text = call.text(flag);
  if (text === undefined || text === '0') return undefined;
  const parts = [...text.matchAll(/(\d+)(ms|s|m|h)/g)];
  if (parts.map(([all]) => all).join('') !== text || text === '')
    throw new Error(`--${flag} must be a duration such as 90s, 15m or 1h30m, is "${text}"`);
  const unitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
  return parts.reduce((sum, [, count, unit = '']) => sum + Number(count) * (unitsMs[unit] ?? 0), 0);
}

/** `--to 3`: a whole number above 0; undefined for none. */
export function numberFlag(call: Call, flag: string): number | undefined {
  const text = call.text(flag);
  if (text === undefined) return undefined;
  if (!/^[1-9]\d{0,9}$/.test(text)) throw new Error(`--${flag} must be a whole number above 0, is "${text}"`);
  return Number(text);
}
