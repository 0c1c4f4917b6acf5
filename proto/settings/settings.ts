/**
 * What a program can be told, and how: a flag, a variable of the environment, a line of its file, in this order. Both
 * programs have one table of these; help, the file's schema and the reference page are made of the same table.
 */
export interface Setting {
  /** Without the dashes. The file calls it by its name in the table. */
  readonly flag: string;
  readonly env: string;
  /** One line, without a full stop. */
  readonly about: string;
  /**
   * `list`: an array in the file, elsewhere with commas. `words`: an array, elsewhere JSON of one. `map`: a mapping of names
   * to a text, a number or a list of texts; elsewhere `name=value` with commas. `boolean`: true or false. Otherwise text.
   */
  readonly type?: 'integer' | 'boolean' | 'list' | 'words' | 'map';
  /** Why there is none: when that is another setting's, say so in `about`. */
  readonly fallback?: string;
  readonly oneOf?: readonly string[];
  /** What must be true of it, when it is not. */
  readonly check?: (value: string) => string | undefined;
  /** Taken over at SIGHUP, without a restart. */
  readonly reloads?: true;
  /** For what is said to one command: not in the file. */
  readonly isOfCommands?: true;
}

export type Settings<Name extends string = string> = Readonly<Record<Name, Setting>>;

/** A file that was read: its path, for what is told, and what it says. */
export interface SettingsFile {
  readonly path: string;
  readonly values: Readonly<Record<string, unknown>>;
}

export interface Sources {
  /** By flag. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly file?: SettingsFile | undefined;
}

/** What is wrong with settings that are right each by itself. */
export type CheckTogether<Name extends string> = (
  values: Readonly<Record<Name, string | undefined>>,
) => readonly string[];

const ENTRY = /^([^=<]+)[=<](.+)$/;

/** The value of each setting, as a flag would have it; all problems are told at once. Throws. */
export function readSettings<Name extends string>(
  settings: Settings<Name>,
  { flags, env, file }: Sources,
  checkTogether: CheckTogether<Name> = () => [],
): Readonly<Record<Name, string | undefined>> {
  const problems = file ? unknownNames(settings, file) : [];
  const read = (name: Name): string | undefined => {
    const setting = settings[name];
    const given = (flags[setting.flag] as string | undefined) ?? (env[setting.env] || undefined);
    if (given !== undefined) {
      const problem = problemOf(setting, given);
      if (problem) problems.push(`--${setting.flag} (${setting.env}) ${problem}, is "${given}"`);
      return given;
    }
    const written = setting.isOfCommands ? undefined : file?.values[name];
    if (written === undefined || written === null) return setting.fallback;
    const text = asFlag(setting, written);
    const problem = text === undefined ? mustBe(setting) : problemOf(setting, text);
    if (problem) problems.push(`"${file?.path}": ${name} ${problem}, is ${JSON.stringify(written)}`);
    return text;
  };
  const names = Object.keys(settings) as Name[];
  const values = Object.fromEntries(names.map((name) => [name, read(name)])) as Record<
    Name,
    string | undefined
  >;
  problems.push(...checkTogether(values));
  if (problems.length > 0) throw new Error(problems.join('\n'));
  return values;
}

/** The parts of a list as a flag has it. */
export function partsOf(list: string): string[] {
  return list
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean);
}

/** The entries of a map as a flag has it, `name=value`, or `name<value` for what is compared: one for each value. */
export function entriesOf(map: string): [name: string, value: string][] {
  return partsOf(map).map((part) => {
    const [, name = part, value = ''] = ENTRY.exec(part) ?? [];
    return [name.trim(), value.trim()];
  });
}

function unknownNames(settings: Settings, { path, values }: SettingsFile): string[] {
  const known = Object.keys(settings).filter((name) => !settings[name]?.isOfCommands);
  const plain = (text: string) => text.replaceAll(/[-_]/g, '').toLowerCase();
  return Object.keys(values)
    .filter((name) => !known.includes(name))
    .map((name) => {
      const meant = known.find((each) =>
        [each, settings[each]?.flag ?? ''].some((form) => plain(form) === plain(name)),
      );
      const hint = meant ? `is ${meant} meant?` : `there are ${known.join(', ')}`;
      return `"${path}": no setting is called "${name}": ${hint}`;
    });
}

function problemOf({ type, oneOf, check }: Setting, value: string): string | undefined {
  if (type === 'boolean' && value !== 'true' && value !== 'false') return 'must be true or false';
  if (oneOf && !oneOf.includes(value)) return `must be one of ${oneOf.join(', ')}`;
  if (type === 'words' && !isWords(value)) return 'must be a JSON array of texts: ["program", "argument"]';
  if (type === 'map' && !partsOf(value).every((part) => ENTRY.test(part)))
    return 'must be name=value, with commas';
  return check?.(value);
}

function mustBe({ type }: Setting): string {
  if (type === 'integer') return 'must be a whole number';
  if (type === 'boolean') return 'must be true or false';
  if (type === 'list' || type === 'words') return 'must be a list of texts';
  if (type === 'map') return 'must be a mapping of names to texts, numbers or lists of texts without commas';
  return 'must be text (a number, yes, no or a date is not: put it in quotes)';
}

/** What is written in a file in the form of a flag; undefined when it is of another type. */
function asFlag({ type }: Setting, written: unknown): string | undefined {
  if (type === 'integer') return Number.isSafeInteger(written) ? String(written) : undefined;
  if (type === 'boolean') return typeof written === 'boolean' ? String(written) : undefined;
  const isList = Array.isArray(written) && written.every((each) => typeof each === 'string');
  if (type === 'words') return isList ? JSON.stringify(written) : undefined;
  if (type === 'list' && isList) return written.join(',');
  if (type === 'map' && typeof written === 'object' && !Array.isArray(written))
    return asEntries(written as object);
  return typeof written === 'string' ? written : undefined;
}

function asEntries(written: object): string | undefined {
  const entries = Object.entries(written).flatMap(([name, given]) =>
    [given].flat().map((value: unknown) => ({ name, value })),
  );
  const isRight = entries.every(
    ({ name, value }) =>
      !/[=<,]/.test(name) &&
      (typeof value === 'number' || (typeof value === 'string' && value !== '' && !value.includes(','))),
  );
  return isRight ? entries.map(({ name, value }) => `${name}=${value}`).join(',') : undefined;
}

function isWords(text: string): boolean {
  try {
    const words: unknown = JSON.parse(text);
    return Array.isArray(words) && words.length > 0 && words.every((word) => typeof word === 'string');
  } catch {
    return false;
  }
}
