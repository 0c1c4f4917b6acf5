import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { inColumns, runCommand, runGroup, type Surroundings } from './cli/command.ts';
import { ABOUT } from './commands/about.ts';
import { COMMANDS } from './commands/commands.ts';
import { isGroup } from './commands/entry.ts';

const HUB_KUBECONFIG = '/var/lib/holdfast/hub/kubeconfig.yaml';
const ASKS_FOR_HELP = ['help', '--help', '-h'];

const surroundings: Surroundings = {
  kubeconfig: process.env['KUBECONFIG'] || kubeconfigHere(),
  stdout: process.stdout,
  stderr: process.stderr,
  program: process.env['HOLDFAST_PROGRAM'] ?? 'holdfast',
  env: process.env,
  now: () => Date.now(),
};

/** kubectl's, where there is one; otherwise that of a hub on this machine. */
function kubeconfigHere(): string {
  const file = join(homedir(), '.kube', 'config');
  return existsSync(file) ? file : HUB_KUBECONFIG;
}

function usage({ program }: Surroundings): string {
  return `${ABOUT}

Usage: ${program} COMMAND

${inColumns(Object.entries(COMMANDS).map(([name, { about }]) => [`  ${name}`, about]))}
"${program} COMMAND --help" tells more of each.
`;
}

async function run(name: string, args: readonly string[]): Promise<number> {
  // Whoever reads this has read enough, as `| head` has.
  process.stdout.on('error', () => process.exit());
  if (ASKS_FOR_HELP.includes(name)) {
    process.stdout.write(usage(surroundings));
    return 0;
  }
  const entry = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!entry) {
    process.stderr.write(`${name === '' ? '' : `no command "${name}"\n\n`}${usage(surroundings)}`);
    return 1;
  }
  const found = await entry.load();
  return isGroup(found) ? runGroup(found, args, surroundings) : runCommand(name, found, args, surroundings);
}

/** The message and those of its causes, outermost first. */
function describe(error: Error): string {
  return error.cause instanceof Error
    ? `${error.message}\n  because: ${describe(error.cause)}`
    : error.message;
}

const [first = '', ...args] = process.argv.slice(2);
const name = first === '--version' ? 'version' : first;
try {
  process.exitCode = await run(name, args);
} catch (error) {
  console.error(`holdfast ${name}: ${describe(error as Error)}`);
  process.exit(1);
}
