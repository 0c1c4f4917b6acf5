import { endWithParent } from '../../proto/end-with-parent.ts';
import type { Command } from '../cli/command.ts';
import { hubConfigOf, readHubSettings } from '../config.ts';
import { startHub } from '../hub.ts';
import { createLog } from '../log.ts';
import { reloader } from '../reload.ts';
import { SETTING_FLAGS } from './setting-flags.ts';

/** `holdfast hub`: resolves when it is ready, and runs until it is told to end. */
export const hub: Command = {
  arguments: '',
  takes: [0, 0],
  about: 'runs the hub',
  flags: SETTING_FLAGS,
  examples: ['', '--tls-san hub.example', '--data-dir /srv/holdfast --api-port 443 --log-level warn'],
  isLocal: true,
  run: async ({ values, surroundings: { env } }) => {
    endWithParent(); // a rehearsal's is of no use to anybody else
    const read = () => readHubSettings(values, env);
    const settings = await read();
    const log = createLog(settings.logLevel);
    const running = await startHub(hubConfigOf(settings), log);
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => {
        log.info({ signal }, 'the hub stops');
        void running.close().then(() => process.exit(0));
      });
    }
    process.on('SIGHUP', reloader({ settings, read, running, log }));
    return undefined;
  },
};
