import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { CommandGroup } from './cli/command.ts';

const HUB_KUBECONFIG = '/var/lib/holdfast/hub/kubeconfig.yaml';

/** Loaded when they are called: most need little of the rest, and are to answer at once. */
const GROUPS: Readonly<Record<string, () => Promise<CommandGroup>>> = {
  rollout: async () => (await import('./cli/rollout/rollout.ts')).rollout,
  node: async () => (await import('./cli/node/node.ts')).node,
};

const COMMANDS: Readonly<Record<string, (args: readonly string[]) => Promise<number | undefined>>> = {
  hub,
  token: async (args) => {
    const { token } = await import('./cli/token.ts');
    await token(args, process.env['KUBECONFIG'] ?? HUB_KUBECONFIG);
    return undefined;
  },
  rollout: (args) => runCommand('rollout', args),
  node: (args) => runCommand('node', args),
};

async function usage(): Promise<string> {
  const { TOKEN_USAGE } = await import('./cli/token.ts');
  const { HUB_SETTINGS } = await import('./config.ts');
  return `holdfast: the hub, and the operator's commands

Usage:
  holdfast hub [settings]
      runs the hub
${TOKEN_USAGE}
  holdfast rollout COMMAND
      plans, follows and steers changes on their way through the fleet
  holdfast node COMMAND
      lists, labels, drains, approves, replaces and revokes devices

Settings of the hub, each a flag or an environment variable:
${HUB_SETTINGS}
`;
}

async function hub(args: readonly string[]): Promise<undefined> {
  const [{ readHubConfig }, { createLog }] = await Promise.all([import('./config.ts'), import('./log.ts')]);
  const config = readHubConfig(args, process.env);
  const log = createLog(config.logLevel);
  const { startHub } = await import('./hub.ts');
  const running = await startHub(config, log);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      log.info({ signal }, 'the hub stops');
      void running.close().then(() => process.exit(0));
    });
  }
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
