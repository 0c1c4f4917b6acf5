import { existsSync } from 'node:fs';
import { type Changes, changesOf } from '../../proto/settings/reload.ts';
import { partsOf } from '../../proto/settings/settings.ts';
import { type Config, evictionOf, guardRailsOf, readConfig, SETTINGS } from '../config.ts';
import { createLog, type Logger, setLogLevel } from '../log.ts';
import { spareThisProcess } from '../node/oom-score.ts';
import { AgentState, type Identity } from '../state/agent-state.ts';
import { forgetJoining } from '../state/joining.ts';
import { installationOf } from '../update/installation.ts';
import { type Command, Reported } from './command.ts';

/** An agent may end at any moment, and nothing is lost: it only likes to finish what it has begun. */
const STOP_WITHIN_MS = 10_000;

/** `holdfast-agent run`: resolves when the agent has ended. */
export const run: Command = async (args, env) => {
  const config = await readConfig(args, env);
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
  const { Agent, thisDevice } = await import('../whole-agent.ts');
  const stop = () => agent.close().then(() => state.close());
  const transport = config.transport === 'auto' ? (identity.transport ?? 'auto') : config.transport;
  const device = thisDevice({ ...config, transport }, identity, {
    installation: installationOf(env, config.dataDir),
    end: () => void stop().then(() => process.exit(0)),
  });
  const agent = new Agent({ ...config, transport }, state, identity, log, device);
  stopOn(['SIGINT', 'SIGTERM'], stop, log);
  if (config.peerPort && config.registry === 'hub') await shareLayers(config, identity, log);
  if (config.bundlePaths) await importFrom(config, config.bundlePaths, log);
  const { followImages } = await import('../bundle/follow-images.ts');
  process.once('exit', followImages(config, log));
  let current = config;
  process.on('SIGHUP', () => {
    readConfig(args, env).then(
      (next) => {
        const changes = changesOf(SETTINGS, current, next);
        tellReload(changes, log);
        current = { ...current, ...Object.fromEntries(changes.reloaded.map((name) => [name, next[name]])) };
        setLogLevel(current.logLevel);
        agent.setGuardRails(guardRailsOf(current));
        agent.setEviction(evictionOf(current));
      },
      (error: Error) => log.error({ reason: error.message }, 'the settings are wrong: all stay as they were'),
    );
  });
  spareThisProcess();
  log.info({ transport, cluster: identity.cluster }, 'the agent starts');
  await agent.run();
};

/** Until this process ends. A port that can not be opened is told: the device does without. */
async function shareLayers({ dataDir, peerPort }: Config, identity: Identity, log: Logger): Promise<void> {
  const [{ servePeers }, { BlobCache }] = await Promise.all([
    import('../images/peer-server.ts'),
    import('../images/blob-cache.ts'),
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
  const { followBundles } = await import('../bundle/follow-bundles.ts');
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

function stopOn(signals: readonly NodeJS.Signals[], close: () => Promise<void>, log: Logger): void {
  for (const signal of signals) {
    process.once(signal, () => {
      log.info({ signal }, 'the agent stops; containers go on running');
      setTimeout(() => {
        log.warn(
          'the container engine does not answer: what it was asked for is looked at after the next start',
        );
        process.exit(0);
      }, STOP_WITHIN_MS).unref();
      void close().then(() => process.exit(0));
    });
  }
}

function tellReload({ reloaded, needRestart }: Changes, log: Logger): void {
  log.info({ reloaded }, 'the settings were read anew');
  if (needRestart.length > 0) log.warn({ needRestart }, 'some settings change with the next start only');
}
