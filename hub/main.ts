import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { CommandGroup } from './cli/command.ts';

const HUB_KUBECONFIG = '/var/lib/holdfast/hub/kubeconfig.yaml';

/** Loaded when they are called: most need little of the rest, and are to answer at once. */
const GROUPS: Readonly<Record<string, () => Promise<CommandGroup>>> = {
  rollout: async () => (await import('./cli/rollout/rollout.ts')).rollout,
  node: async () => (await import('./cli/node/node.ts')).node,
  packages: async () => (await import('./cli/packages/packages.ts')).packagesCommands(dataDirOfHub),
};

const COMMANDS: Readonly<Record<string, (args: readonly string[]) => Promise<number | undefined>>> = {
  hub,
  config,
  doctor,
  token: async (args) => {
    const { token } = await import('./cli/token.ts');
    await token(args, process.env['KUBECONFIG'] ?? HUB_KUBECONFIG);
    return undefined;
  },
  rollout: (args) => runCommand('rollout', args),
  node: (args) => runCommand('node', args),
  packages: (args) => runCommand('packages', args),
};

async function usage(): Promise<string> {
  const { TOKEN_USAGE } = await import('./cli/token.ts');
  const { CONFIG_FILE, SETTINGS_HELP } = await import('./config.ts');
  return `holdfast: the hub, and the operator's commands

Usage:
  holdfast hub [settings]
      runs the hub
  holdfast doctor [settings] [--output text|json]
      says what keeps a hub on this machine from its work, and what to do about it
  holdfast config check [FILE] | schema
      says what is wrong with a file of the hub's settings; prints the JSON schema of such files
${TOKEN_USAGE}
  holdfast rollout COMMAND
      plans, follows and steers changes on their way through the fleet
  holdfast node COMMAND
      lists, labels, drains, approves, replaces and revokes devices
  holdfast packages COMMAND
      says which packages devices get from the hub on this machine

Settings of the hub, each a flag, a variable of the environment, or a line of ${CONFIG_FILE.path} (--config FILE):
${SETTINGS_HELP}
`;
}

async function hub(args: readonly string[]): Promise<undefined> {
  const [{ hubConfigOf, readHubSettings }, { createLog }] = await Promise.all([
    import('./config.ts'),
    import('./log.ts'),
  ]);
  const settings = await readHubSettings(args, process.env);
  const log = createLog(settings.logLevel);
  const { startHub } = await import('./hub.ts');
  const running = await startHub(hubConfigOf(settings), log);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      log.info({ signal }, 'the hub stops');
      void running.close().then(() => process.exit(0));
    });
  }
  const { reloader } = await import('./reload.ts');
  process.on('SIGHUP', reloader({ settings, read: () => readHubSettings(args, process.env), running, log }));
}

async function doctor(args: readonly string[]): Promise<number> {
  const [{ hubConfigOf, readHubSettingsAnyway }, { doctor: examine }] = await Promise.all([
    import('./config.ts'),
    import('./doctor/doctor.ts'),
  ]);
  const at = args.findIndex((arg) => arg === '--output' || arg === '-o');
  const output = at < 0 ? 'text' : (args[at + 1] ?? '');
  if (output !== 'text' && output !== 'json')
    throw new Error(`--output must be text or json, is "${output}"`);
  const { settings, problem } = await readHubSettingsAnyway(
    at < 0 ? args : args.toSpliced(at, 2),
    process.env,
  );
  const { text, code } = await examine(
    { config: hubConfigOf(settings), ...(problem && { problem }) },
    output,
  );
  console.log(text);
  return code;
}

async function config(words: readonly string[]): Promise<undefined> {
  const [{ CONFIG_FILE, HUB_SETTINGS }, { configCommand }] = await Promise.all([
    import('./config.ts'),
    import('../proto/settings/config-command.ts'),
  ]);
  const [title, defaultPath] = ['Settings of the hub of Holdfast', CONFIG_FILE.path];
  console.log(await configCommand(words, { settings: HUB_SETTINGS, title, defaultPath }));
}

async function runCommand(name: string, args: readonly string[]): Promise<number | undefined> {
  const group = await GROUPS[name]?.();
  if (!group) return undefined;
  const { runGroup } = await import('./cli/command.ts');
  // Whoever reads this has read enough, as `| head` has.
  process.stdout.on('error', () => process.exit());
  return runGroup(group, args, {
    kubeconfig: process.env['KUBECONFIG'] || kubeconfigHere(),
    stdout: process.stdout,
    stderr: process.stderr,
    program: process.env['HOLDFAST_PROGRAM'] ?? 'holdfast',
    now: () => Date.now(),
  });
}

async function dataDirOfHub(): Promise<string> {
  const { readHubSettings } = await import('./config.ts');
  return (await readHubSettings([], process.env)).dataDir;
}

/** kubectl's, where there is one; otherwise that of a hub on this machine. */
function kubeconfigHere(): string {
  const file = join(homedir(), '.kube', 'config');
  return existsSync(file) ? file : HUB_KUBECONFIG;
}

/** The message and those of its causes, outermost first. */
function describe(error: Error): string {
  return error.cause instanceof Error
    ? `${error.message}\n  because: ${describe(error.cause)}`
    : error.message;
}

const [name = '', ...args] = process.argv.slice(2);
const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
const asksForHelp = name === 'help' || name === '--help' || (!(name in GROUPS) && args.includes('--help'));
if (!command || asksForHelp) {
  const text = await usage();
  console.error(asksForHelp || name === '' ? text : `no command "${name}"\n\n${text}`);
  process.exit(asksForHelp ? 0 : 1);
}
try {
  process.exitCode = (await command(args)) ?? 0;
} catch (error) {
  console.error(`holdfast ${name}: ${describe(error as Error)}`);
  process.exit(1);
}
