import { mkdirSync, readdirSync, watch } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Config } from '../config.ts';

const ENDINGS = ['.tar', '.tar.gz', '.tgz', '.tar.zst'];

/**
 * Imports archives of images from the directories that the settings name, or from `import` of the data directory. What that takes is
 * loaded with the first of them. Returns what ends it.
 */
export function followImages(config: Config, log: Logger): () => void {
  let stop: () => void = () => undefined;
  const follow = async (paths: readonly string[], hasMounts: boolean) => {
    const [{ followBundles }, { isImported }] = await Promise.all([
      import('./follow-bundles.ts'),
      import('../images/imported.ts'),
    ]);
    const settings = ['--data-dir', config.dataDir, '--docker-host', config.dockerHost];
    const program = [process.execPath, ...process.execArgv, process.argv[1] ?? ''];
    stop = followBundles({
      ...{ paths, hasMounts, log, endings: ENDINGS, what: 'an archive of images' },
      importer: [...program, 'image', ...settings, 'import'],
      isDone: (file) => isImported(file, config.dataDir),
    });
  };
  const begin = (paths: readonly string[], hasMounts: boolean) =>
    void follow(paths, hasMounts).catch((error: unknown) =>
      log.error({ err: error }, 'no images are imported from files'),
    );
  if (config.imagePaths) {
    begin(config.imagePaths.split(','), true);
    return () => stop();
  }
  const own = join(config.dataDir, 'import');
  try {
    mkdirSync(own, { recursive: true, mode: 0o700 });
    if (readdirSync(own).length > 0) begin([own], false);
    else {
      const watcher = watch(own, () => {
        watcher.close();
        begin([own], false);
      });
      stop = () => watcher.close();
    }
  } catch (error) {
    log.warn({ reason: (error as Error).message, path: own }, 'no images are imported from files');
  }
  return () => stop();
}
