import { existsSync, type FSWatcher, watch } from 'node:fs';
import { basename, dirname, join, relative, sep } from 'node:path';

/** A file that is being written changes several times. */
const QUIET_MS = 100;

/**
 * Calls `look` when something in the directory may have changed, also when the directory comes or goes. Nothing is asked
 * while nothing happens. Returns what ends it; throws when the machine can not tell of changes.
 */
export function followDirectory(path: string, look: () => void): () => void {
  let watchers: readonly FSWatcher[] = [];
  let timer: NodeJS.Timeout | undefined;
  const lookSoon = () => {
    clearTimeout(timer);
    timer = setTimeout(look, QUIET_MS);
  };
  /** Each directory above is watched for the name below it: any of them can be another one from now on. */
  const follow = (again = true) => {
    for (const watcher of watchers) watcher.close();
    const above = nearestThere(dirname(path));
    const [next = ''] = relative(above.path, path).split(sep);
    const onAbove = (_: string, name: string | null) => {
      if (name !== null && name !== next && name !== basename(above.path)) return;
      follow();
      lookSoon();
    };
    watchers = [above.watcher.on('change', onAbove), watched(path)?.on('change', lookSoon)]
      .filter((each) => each !== undefined)
      .map((watcher) => watcher.on('error', () => undefined));
    const isNearer = above.path !== dirname(path) && existsSync(join(above.path, next));
    if (isNearer && again) follow(false); // made before what is above it was watched
  };
  follow();
  return () => {
    clearTimeout(timer);
    for (const watcher of watchers) watcher.close();
  };
}

function nearestThere(path: string): { path: string; watcher: FSWatcher } {
  const watcher = watched(path);
  if (watcher) return { path, watcher };
  const above = dirname(path);
  if (above === path) throw new Error(`"${path}" cannot be watched`);
  return nearestThere(above);
}

/** Undefined where no directory is. */
function watched(path: string): FSWatcher | undefined {
  try {
    return watch(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EACCES') return undefined;
    throw error;
  }
}
