import { TOKEN_USAGE, token } from './cli/token.ts';
import { HUB_SETTINGS, readHubConfig } from './config.ts';
import { createLog } from './log.ts';

const USAGE = `holdfast: the hub, and the operator's commands

Usage:
  holdfast hub [settings]
      runs the hub
${TOKEN_USAGE}

Settings of the hub, each a flag or an environment variable:
${HUB_SETTINGS}
`;

const DEFAULT_KUBECONFIG = '/var/lib/holdfast/hub/kubeconfig.yaml';

const COMMANDS: Readonly<Record<string, (args: readonly string[]) => Promise<void>>> = {
  hub,
  token: (args) => token(args, process.env['KUBECONFIG'] ?? DEFAULT_KUBECONFIG),
};

async function hub(args: readonly string[]): Promise<void> {
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

/** The message and those of its causes, outermost first. */
function describe(error: Error): string {
  return error.cause instanceof Error
    ? `${error.message}\n  because: ${describe(error.cause)}`
    : error.message;
}

const [name = '', ...args] = process.argv.slice(2);
const command = COMMANDS[name];
const asksForHelp = name === 'help' || name === '--help' || args.includes('--help');
if (!command || asksForHelp) {
  console.error(asksForHelp || name === '' ? USAGE : `no command "${name}"\n\n${USAGE}`);
  process.exit(asksForHelp ? 0 : 1);
}
try {
  await command(args);
} catch (error) {
  console.error(`holdfast ${name}: ${describe(error as Error)}`);
  process.exit(1);
}
