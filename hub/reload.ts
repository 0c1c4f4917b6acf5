import { changesOf } from '../proto/settings/reload.ts';
import { HUB_SETTINGS, type HubSettings, hubConfigOf } from './config.ts';
import type { RunningHub } from './hub.ts';
import { type Logger, setLogLevel } from './log.ts';

interface Reloaded {
  readonly settings: HubSettings;
  /** Reads them again. */
  readonly read: () => Promise<HubSettings>;
  readonly running: Pick<RunningHub, 'reload'>;
  readonly log: Logger;
}

/** What a running hub does to take over changed settings. What is wrong with them is told, and changes nothing. */
export function reloader({ settings, read, running, log }: Reloaded): () => void {
  let current = settings;
  return () => {
    read()
      .then((next) => {
        const { reloaded, needRestart } = changesOf(HUB_SETTINGS, current, next);
        const taken = { ...current, ...Object.fromEntries(reloaded.map((name) => [name, next[name]])) };
        running.reload(hubConfigOf(taken));
        setLogLevel(taken.logLevel);
        current = taken;
        log.info({ reloaded }, 'the settings were read anew');
        if (needRestart.length > 0)
          log.warn({ needRestart }, 'some settings change with the next start only');
      })
      .catch((error: Error) =>
        log.error({ reason: error.message }, 'the settings are wrong: all stay as they were'),
      );
  };
}
