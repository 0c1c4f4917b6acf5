import { type Command, Reported } from './commands/command.ts';

/** Each is loaded when it is called: most need little of the rest, and an agent that runs needs none of the others. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  run: async () => (await import('./commands/run.ts')).run,
  join: async () => (await import('./commands/join.ts')).join,
  status: async () => (await import('./commands/status.ts')).status,
  lease: async () => (await import('./commands/lease.ts')).lease,
  bundle: async () => (await import('./commands/bundle.ts')).bundle,
  image: async () => (await import('./commands/image.ts')).image,
  engine: async () => (await import('./commands/engine.ts')).engine,
  config: async () => (await import('./commands/config.ts')).config,
  doctor: async () => (await import('./commands/doctor.ts')).doctor,
  'support-bundle': async () => (await import('./commands/doctor.ts')).supportBundle,
  completion: async () => (await import('./commands/completion.ts')).completion,
  version: async () => (await import('./commands/version.ts')).version,
  // The agent itself runs these.
  facts: async () => (await import('./commands/facts.ts')).facts,
  'self-test': async () => (await import('./commands/self-test.ts')).selfTest,
  'stage-release': async () => (await import('./commands/stage-release.ts')).stageRelease,
};

/** About all, or about the command that the words begin. */
async function help(words: readonly string[]): Promise<string> {
  const [{ helpOf }, { MANUAL }] = await Promise.all([
    import('../proto/manual/help.ts'),
    import('./manual.ts'),
  ]);
  return helpOf(MANUAL, words);
}

/** The message and those of its causes, outermost first. */
function describe(error: Error): string {
  return error.cause instanceof Error
    ? `${error.message}\n  because: ${describe(error.cause)}`
    : error.message;
}

const ASKS_FOR_HELP = ['help', '--help', '-h'];

const [first = '', ...args] = process.argv.slice(2);
const name = first === '--version' ? 'version' : first;
const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
try {
  if (ASKS_FOR_HELP.includes(name)) console.log(await help(args));
  else if (args.some((arg) => arg === '--help' || arg === '-h')) console.log(await help([name, ...args]));
  else if (load) await (await load())(args, process.env);
  else {
    console.error(`${name && `no command "${name}"\n\n`}${await help([])}`);
    process.exit(1);
  }
} catch (error) {
  if (!(error instanceof Reported)) console.error(`holdfast-agent ${name}: ${describe(error as Error)}`);
  process.exit(1);
}
