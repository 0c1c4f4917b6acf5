import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { parseJoinToken } from '../proto/join-token.ts';
import { type Changes, changesOf } from '../proto/settings/reload.ts';
import { partsOf } from '../proto/settings/settings.ts';
import { readSmallFile } from '../proto/small-file.ts';
import {
  CONFIG_FILE,
  type Config,
  guardRailsOf,
  readConfig,
  readConfigAnyway,
  readWords,
  SETTINGS,
} from './config.ts';
import { createLog, type Logger, setLogLevel } from './log.ts';
import { AgentState, type Identity } from './state/agent-state.ts';
import { forgetJoining, readJoining, saveJoining } from './state/joining.ts';
import { installationOf } from './update/installation.ts';
import { agentVersion } from './version.ts';

const DEFAULT_GRPC_PORT = 6444;
const MOST_TOKEN_BYTES = 4096;

const COMMANDS: Readonly<Record<string, (config: Config, args: readonly string[]) => Promise<void>>> = {
  run,
  join,
  status,
  lease,
  bundle,
  image,
  engine,
  facts: async () => (await import('./node/slow-facts.ts')).printSlowFacts(),
};

/** These go on where settings are wrong: they are there to say so. */
const UNCHECKED: Readonly<Record<string, (args: readonly string[]) => Promise<void>>> = {
  config,
  doctor,
  completion,
  'support-bundle': supportBundle,
  // An update runs these: it brings all that they need.
  'self-test': selfTest,
  'stage-release': async () => (await import('./update/stage-command.ts')).stageCommand(),
  version: async () => console.log(agentVersion()),
};

/** Flags that one command has besides the settings. Only these commands take words. */
const FLAGS: Readonly<Record<string, readonly string[]>> = {
  lease: ['for', 'pod', 'reason'],
  bundle: [],
  image: [],
  engine: [],
};

async function run(config: Config, args: readonly string[]): Promise<void> {
  let state = AgentState.open(config.dataDir, createLog(config.logLevel, config.nodeName));
  if (!state.identity() && (config.hub || existsSync(config.joinFile))) {
    state.close();
    await joinFirst(args);
    state = AgentState.open(config.dataDir, createLog(config.logLevel, config.nodeName));
  }
  const identity = state.identity();
  if (!identity) {
    throw new Error(
      `this device has not joined a hub: run "holdfast-agent join" first, or write "${config.joinFile}" (data: "${config.dataDir}")`,
    );
  }
  forgetJoining(config.dataDir); // a crash may have left it
  if (config.nodeName !== undefined && config.nodeName !== identity.node) {
    throw new Error(
      `this device has joined as "${identity.node}", not as "${config.nodeName}": to join anew, move "${config.dataDir}" aside`,
    );
  }
  const log = createLog(config.logLevel, identity.node);
  const { Agent, thisDevice } = await import('./whole-agent.ts');
  const stop = () => agent.close().then(() => state.close());
  const transport = config.transport === 'auto' ? (identity.transport ?? 'auto') : config.transport;
  const device = thisDevice({ ...config, transport }, identity, {
    installation: installationOf(process.env, config.dataDir),
    end: () => void stop().then(() => process.exit(0)),
  });
  const agent = new Agent({ ...config, transport }, state, identity, log, device);
  stopOn(['SIGINT', 'SIGTERM'], stop, log);
  if (config.peerPort && config.registry === 'hub') await shareLayers(config, identity, log);
  if (config.bundlePaths) await importFrom(config, config.bundlePaths, log);
  let current = config;
  process.on('SIGHUP', () => {
    readConfig(args, process.env).then(
      (next) => {
        const changes = changesOf(SETTINGS, current, next);
        tellReload(changes, log);
        current = { ...current, ...Object.fromEntries(changes.reloaded.map((name) => [name, next[name]])) };
        setLogLevel(current.logLevel);
        agent.setGuardRails(guardRailsOf(current));
      },
      (error: Error) => log.error({ reason: error.message }, 'the settings are wrong: all stay as they were'),
    );
  });
  log.info({ transport, cluster: identity.cluster }, 'the agent starts');
  await agent.run();
}

/** Until this process ends. A port that can not be opened is told: the device does without. */
async function shareLayers({ dataDir, peerPort }: Config, identity: Identity, log: Logger): Promise<void> {
  const [{ servePeers }, { BlobCache }] = await Promise.all([
    import('./images/peer-server.ts'),
    import('./images/blob-cache.ts'),
  ]);
  const cache = new BlobCache(dataDir, Number.POSITIVE_INFINITY); // whoever pulls keeps its bound
  try {
    const { port } = await servePeers({ identity, cache, port: Number(peerPort), now: Date.now, log });
    log.info({ port }, 'layers are given to devices of the site');
  } catch (error) {
    log.error({ reason: (error as Error).message }, 'layers are not given to devices of the site');
  }
}

/** Until this process ends. */
async function importFrom({ dataDir, dockerHost }: Config, paths: string, log: Logger): Promise<void> {
  const { followBundles } = await import('./bundle/follow-bundles.ts');
  const settings = ['--data-dir', dataDir, '--docker-host', dockerHost];
  const importer = [
    process.execPath,
    ...process.execArgv,
    process.argv[1] ?? '',
    'bundle',
    ...settings,
    'import',
  ];
  process.once('exit', followBundles({ paths: partsOf(paths), importer, log }));
}

/**
 * In a process of its own: what joining loads is needed once in a device's life. It may wait for an approval: it ends
 * with this one.
 */
async function joinFirst(args: readonly string[]): Promise<void> {
  const { spawn } = await import('node:child_process');
  const program = [...process.execArgv, process.argv[1] ?? '', 'join', ...args];
  const joining = spawn(process.execPath, program, { stdio: 'inherit' });
  const stop = (signal: NodeJS.Signals) => {
    joining.kill(signal);
    process.exit(0);
  };
  process.on('SIGINT', stop).on('SIGTERM', stop);
  const { promise: ended, resolve, reject } = Promise.withResolvers<number | null>();
  joining.once('exit', resolve).once('error', reject);
  const code = await ended;
  process.off('SIGINT', stop).off('SIGTERM', stop);
  if (code !== 0) throw new Reported();
}

async function join(config: Config): Promise<void> {
  const { dataDir } = config;
  const { readJoinSettings, removeJoinFile } = await import('./joining/join-file.ts');
  const settings = await readJoinSettings(config);
  const { hub, transport } = settings;
  const node = settings.nodeName ?? hostname().toLowerCase();
  const log = createLog(config.logLevel, node);
  const state = AgentState.open(dataDir, log);
  const joined = state.identity();
  if (joined) {
    throw new Error(
      `this device has joined as "${joined.node}" already: to join anew, move "${dataDir}" aside`,
    );
  }
  if (!hub) throw new Error('--hub must say where the hub is: HOST or HOST:PORT');
  const token = parseJoinToken(readToken(settings));
  if (settings.isOpen)
    log.warn({ file: config.joinFile }, 'others on this device can read the join token: chmod 600');
  const { enrol, EnrolmentDenied, newDeviceKeys } = await import('./link/enrol.ts');
  const before = readJoining(dataDir);
  const isSame = before?.node === node && before.caHash === token.caHash;
  const { waits: _, ...joining } = isSame
    ? { ...before, hub }
    : { node, caHash: token.caHash, hub, ...newDeviceKeys() };
  saveJoining(dataDir, joining);
  try {
    const identity = await enrol({
      ...parseAddress(hub),
      node,
      token,
      keys: { key: joining.key, sealingKey: joining.sealingKey },
      onPending: (request, keyHash) => {
        const since = (isSame && before.waits?.since) || new Date().toISOString();
        saveJoining(dataDir, { ...joining, waits: { request, since } });
        log.info({ request, keyHash }, `waiting until somebody approves this device: ${approveWith(node)}`);
      },
      onCutOff: (error) =>
        log.warn({ reason: error.message }, 'the hub cannot be asked for the approval: trying again'),
    });
    state.saveIdentity({ ...identity, ...(transport && { transport }) });
    forgetJoining(dataDir);
    log.info({ cluster: identity.cluster, hub: identity.hub.host }, 'joined');
    try {
      removeJoinFile(config);
    } catch (error) {
      log.warn({ reason: (error as Error).message }, 'the join token is still in its file: remove it');
    }
  } catch (error) {
    if (error instanceof EnrolmentDenied) forgetJoining(dataDir); // the next attempt is another device's
    throw error;
  } finally {
    state.close();
  }
}

const approveWith = (node: string) => `holdfast node approve ${node}`;

async function status(config: Config): Promise<void> {
  const { readLocalStatus } = await import('./local/client.ts');
  const { formatStatus } = await import('./local/status.ts');
  const isJson = config.output === 'json';
  try {
    const found = await readLocalStatus(config.runDir);
    console.log(isJson ? JSON.stringify(found, undefined, 2) : formatStatus(found));
  } catch (error) {
    const { node, hub, waits } = readJoining(config.dataDir) ?? {};
    if (!waits) throw error;
    console.log(
      isJson
        ? JSON.stringify({ node, hub, waitsForApproval: waits }, undefined, 2)
        : `Node:     ${node}, not joined yet\nHub:      ${hub}: waits for approval since ${waits.since} (request ${waits.request})\n          ${approveWith(node ?? '')}`,
    );
  }
}

/** That this program works here: with its native addon, on a copy of what an agent must not forget. Prints its version. */
async function selfTest([dir]: readonly string[]): Promise<void> {
  if (dir === undefined) throw new Error('a directory with a copy of the state must be named');
  const state = AgentState.open(dir, createLog('silent', undefined));
  const identity = state.identity();
  state.close();
  if (!identity) throw new Error('the identity of this device can not be read from a copy of its state');
  await import('./agent.ts'); // all that an agent begins with
  console.log(agentVersion().replace(/^v/, ''));
}

async function lease(config: Config, args: readonly string[]): Promise<void> {
  const { leaseCommand } = await import('./local/lease-command.ts');
  console.log(await leaseCommand(config.runDir, readWords(args, FLAGS['lease']), config.output));
}

async function bundle(config: Config, args: readonly string[]): Promise<void> {
  const { bundleCommand } = await import('./bundle/bundle-command.ts');
  console.log(await bundleCommand(readWords(args, FLAGS['bundle']).words, config));
}

/** `image pull NAME`: from the hub. Exit code 3 when that has none. */
async function image({ dataDir, dockerHost, peerPort }: Config, args: readonly string[]): Promise<void> {
  const [verb, name, ...more] = readWords(args, FLAGS['image']).words;
  if (verb !== 'pull' || !name || more.length > 0) throw new Error('say "image pull NAME"');
  const [{ pullFromHub }, { HUB_HAS_NONE }, { readIdentityFile }] = await Promise.all([
    import('./images/pull-image.ts'),
    import('./images/pull-process.ts'),
    import('./state/identity-file.ts'),
  ]);
  const identity = readIdentityFile(dataDir);
  const port = peerPort === undefined ? undefined : Number(peerPort);
  if (await pullFromHub(name, { identity, engine: dockerHost, dataDir, peerPort: port }))
    console.log(`image ${name} pulled`);
  else {
    console.error(`the hub has no image "${name}": "holdfast images add" at the hub keeps it for devices`);
    process.exitCode = HUB_HAS_NONE;
  }
}

async function config(args: readonly string[]): Promise<void> {
  const { checkFile, schemaText } = await import('../proto/settings/config-command.ts');
  const [verb, path, ...more] = readWords(args, []).words;
  if (verb === 'check' && more.length === 0) console.log(await checkFile(SETTINGS, path ?? CONFIG_FILE.path));
  else if (verb === 'schema' && path === undefined)
    console.log(schemaText(SETTINGS, 'Settings of holdfast-agent'));
  else throw new Error('say "config check [FILE]" or "config schema"');
}

async function completion(args: readonly string[]): Promise<void> {
  const [{ completionOf, SHELLS }, { MANUAL }] = await Promise.all([
    import('../proto/manual/completion.ts'),
    import('./manual.ts'),
  ]);
  const shell = SHELLS.find((each) => each === args[0]);
  if (!shell) throw new Error(`say for which shell: ${SHELLS.join(', ')}`);
  console.log(completionOf(MANUAL, shell));
}

/** About all, or about the command that the words begin. */
async function help(words: readonly string[]): Promise<string> {
  const [{ helpOf }, { MANUAL }] = await Promise.all([
    import('../proto/manual/help.ts'),
    import('./manual.ts'),
  ]);
  return helpOf(MANUAL, words);
}

async function doctor(args: readonly string[]): Promise<void> {
  const [{ survey, config: found }, { doctor: examine }] = await Promise.all([
    surveyed(args),
    import('./doctor/doctor.ts'),
  ]);
  const { text, code } = await examine(survey, found.output);
  console.log(text);
  process.exitCode = code;
}

async function supportBundle(args: readonly string[]): Promise<void> {
  const [{ survey, config: found }, { supportBundle: collect }] = await Promise.all([
    surveyed(args),
    import('./doctor/support-bundle.ts'),
  ]);
  const [file, ...more] = readWords(args, []).words;
  if (more.length > 0) throw new Error(`"${more[0]}" is too much: say "support-bundle [FILE]"`);
  console.log(await collect(file, survey, found));
}

/** Where to look, also where the settings are wrong. */
async function surveyed(args: readonly string[]) {
  const { config: found, problem } = await readConfigAnyway(args, process.env);
  const { dataDir, runDir, dockerHost } = found;
  return {
    config: found,
    survey: { dataDir, runDir, dockerHost, ...(problem && { settingsError: problem }) },
  };
}

async function engine(config: Config, args: readonly string[]): Promise<void> {
  const [verb, ...more] = readWords(args, FLAGS['engine']).words;
  if (verb === 'check' && more.length === 0) {
    const { checkEngine } = await import('./doctor/engine-check.ts');
    console.log(await checkEngine(config.dockerHost));
  } else if (verb === 'remove-containers' && more.length === 0) await removeContainers(config);
  else throw new Error('say "engine check" or "engine remove-containers"');
}

async function removeContainers({ dataDir, dockerHost, logLevel }: Config): Promise<void> {
  const state = AgentState.open(dataDir, createLog(logLevel, undefined)); // fails while the agent runs
  const node = state.identity()?.node;
  state.close();
  const { removeContainersOf } = await import('./runtime/remove-containers.ts');
  const count = node === undefined ? 0 : await removeContainersOf(node, dockerHost);
  console.log(`${count} ${count === 1 ? 'container' : 'containers'} of ${node ?? 'this device'} removed`);
}

function readToken({ token, tokenFile }: Pick<Config, 'token' | 'tokenFile'>): string {
  if (token) return token;
  if (!tokenFile) throw new Error('a join token is needed: --token-file FILE (or HOLDFAST_TOKEN)');
  try {
    return readSmallFile(tokenFile, MOST_TOKEN_BYTES);
  } catch (error) {
    throw new Error(
      `read the join token from "${tokenFile}": --token-file must name the file that holds it`,
      {
        cause: error,
      },
    );
  }
}

/** `host`, `host:port`, `[v6]:port` or `https://host:port`. */
function parseAddress(text: string): { host: string; port: number } {
  const url = new URL(text.includes('://') ? text : `https://${text}`);
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port) || DEFAULT_GRPC_PORT };
}

function stopOn(signals: readonly NodeJS.Signals[], close: () => Promise<void>, log: Logger): void {
  for (const signal of signals) {
    process.once(signal, () => {
      log.info({ signal }, 'the agent stops; containers go on running');
      void close().then(() => process.exit(0));
    });
  }
}

/** Another process has told the user already. */
class Reported extends Error {}

function tellReload({ reloaded, needRestart }: Changes, log: Logger): void {
  log.info({ reloaded }, 'the settings were read anew');
  if (needRestart.length > 0) log.warn({ needRestart }, 'some settings change with the next start only');
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
const unchecked = Object.hasOwn(UNCHECKED, name) ? UNCHECKED[name] : undefined;
const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
try {
  if (ASKS_FOR_HELP.includes(name)) console.log(await help(args));
  else if (args.some((arg) => arg === '--help' || arg === '-h')) console.log(await help([name, ...args]));
  else if (unchecked) await unchecked(args);
  else if (command) await command(await readConfig(args, process.env, FLAGS[name]), args);
  else {
    console.error(`${name && `no command "${name}"\n\n`}${await help([])}`);
    process.exit(1);
  }
} catch (error) {
  if (!(error instanceof Reported)) console.error(`holdfast-agent ${name}: ${describe(error as Error)}`);
  process.exit(1);
}
