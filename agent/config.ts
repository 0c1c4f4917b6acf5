import { parseArgs } from 'node:util';

/** Everything that can be set. Frozen. */
export interface Config {
  readonly dataDir: string;
  readonly runDir: string;
  /** The name to join under, by default the host's. Once joined, the identity has it. */
  readonly node: string | undefined;
  /** `host` or `host:port` of the hub's gRPC port; only to join. */
  readonly hub: string | undefined;
  readonly token: string | undefined;
  readonly tokenFile: string | undefined;
  readonly transport: 'auto' | 'mqtt' | 'grpc';
  readonly dockerHost: string;
  readonly logLevel: string;
  readonly output: 'text' | 'json';
  /** What starts this device anew when the hub asks for that: a program and its arguments. Absent: nobody may. */
  readonly rebootCommand: string | undefined;
  /** Its text is another one after each start of the device. */
  readonly bootIdFile: string;
}

interface Setting {
  readonly flag: string;
  readonly env: string;
  readonly fallback?: string;
  readonly check?: (value: string) => string | undefined;
}

const oneOf =
  (...values: string[]) =>
  (value: string) =>
    values.includes(value) ? undefined : `must be one of ${values.join(', ')}`;
const NODE_NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/**
 * A program and its arguments: words, or a JSON array where a word has spaces. No shell ever sees them. Undefined when it
 * is neither.
 */
function wordsOf(text: string): readonly string[] | undefined {
  if (!text.trimStart().startsWith('[')) {
    const words = text.split(/\s+/).filter((word) => word !== '');
    return words.length > 0 ? words : undefined;
  }
  try {
    const words: unknown = JSON.parse(text);
    const isCommand = Array.isArray(words) && words.every((word) => typeof word === 'string') && words[0];
    return isCommand ? (words as string[]) : undefined;
  } catch {
    return undefined;
  }
}

/** The words of a setting that was checked to be a command. */
export function readCommand(text: string): readonly string[] {
  return wordsOf(text) ?? [];
}

const SETTINGS = {
  dataDir: { flag: 'data-dir', env: 'HOLDFAST_AGENT_DATA_DIR', fallback: '/var/lib/holdfast/agent' },
  runDir: { flag: 'run-dir', env: 'HOLDFAST_AGENT_RUN_DIR', fallback: '/run/holdfast/agent' },
  node: {
    flag: 'node-name',
    env: 'HOLDFAST_NODE_NAME',
    check: (value) =>
      NODE_NAME.test(value) && value.length <= 253
        ? undefined
        : 'must be a DNS subdomain: lower-case letters, digits, "-" and "."',
  },
  hub: { flag: 'hub', env: 'HOLDFAST_HUB' },
  token: { flag: 'token', env: 'HOLDFAST_TOKEN' },
  tokenFile: { flag: 'token-file', env: 'HOLDFAST_TOKEN_FILE' },
  transport: {
    flag: 'transport',
    env: 'HOLDFAST_TRANSPORT',
    fallback: 'auto',
    check: oneOf('auto', 'mqtt', 'grpc'),
  },
  dockerHost: {
    flag: 'docker-host',
    env: 'DOCKER_HOST',
    fallback: 'unix:///var/run/docker.sock',
    check: (value) =>
      /^(unix|tcp):\/\/./.test(value) ? undefined : 'must look like unix:///path or tcp://host:port',
  },
  logLevel: {
    flag: 'log-level',
    env: 'HOLDFAST_LOG_LEVEL',
    fallback: 'info',
    check: oneOf('fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'),
  },
  output: { flag: 'output', env: 'HOLDFAST_OUTPUT', fallback: 'text', check: oneOf('text', 'json') },
  rebootCommand: {
    flag: 'reboot-command',
    env: 'HOLDFAST_REBOOT_COMMAND',
    check: (value) =>
      wordsOf(value)
        ? undefined
        : 'must be a program and its arguments, such as systemctl reboot or ["systemctl", "reboot"]',
  },
  bootIdFile: {
    flag: 'boot-id-file',
    env: 'HOLDFAST_BOOT_ID_FILE',
    fallback: '/proc/sys/kernel/random/boot_id',
  },
} as const satisfies Record<keyof Config, Setting>;

export const USAGE = `holdfast-agent: runs what its hub wants on this device, connected or not

Usage:
  holdfast-agent join   --hub HOST[:6444] --token-file FILE [--node-name NAME]
  holdfast-agent run    [--transport auto|mqtt|grpc]   (joins first when given --hub and a token)
  holdfast-agent status [--output text|json]
  holdfast-agent lease  hold NAME --for 10m [--pod NAMESPACE/NAME] [--reason TEXT] | release NAME | list

Settings, each a flag or an environment variable:
${Object.values(SETTINGS as Record<string, Setting>)
  .map(({ flag, env, fallback }) =>
    `  --${flag.padEnd(14)} ${env.padEnd(22)} ${fallback ? `default ${fallback}` : ''}`.trimEnd(),
  )
  .join('\n')}
`;

/** What a command was told besides its settings. */
export interface Words {
  readonly words: readonly string[];
  readonly values: Readonly<Record<string, string | undefined>>;
}

/** `flags`: those that a command has besides its settings. Only such a command takes words. Throws. */
export function readWords(args: readonly string[], flags: readonly string[] = []): Words {
  const known = [...Object.values(SETTINGS).map(({ flag }) => flag), ...flags];
  const options = Object.fromEntries(known.map((flag) => [flag, { type: 'string' as const }]));
  const { values, positionals } = parseArgs({
    args: [...args],
    options,
    allowPositionals: flags.length > 0,
  });
  return { words: positionals, values: values as Words['values'] };
}

/** Flags win over the environment. All problems are told at once. Throws. */
export function readConfig(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  flags: readonly string[] = [],
): Config {
  const { values } = readWords(args, flags);
  const problems: string[] = [];
  const entries = Object.entries(SETTINGS as Record<string, Setting>).map(
    ([name, { flag, env: variable, fallback, check }]) => {
      const value = values[flag] ?? (env[variable] || undefined) ?? fallback;
      const problem = value === undefined ? undefined : check?.(value);
      if (problem) problems.push(`--${flag} (${variable}) ${problem}, is "${value}"`);
      return [name, value];
    },
  );
  if (problems.length > 0) throw new Error(problems.join('\n'));
  return Object.freeze(Object.fromEntries(entries)) as unknown as Config;
}
