import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, type FSWatcher, readdirSync, statSync, watch } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { promisify } from 'node:util';
import type { Logger } from 'pino';

/** A file that is being copied changes all the time: it is looked at when it has been left alone for so long. */
const QUIET_MS = 2_000;
const ENDINGS = ['.bundle'];

export interface FollowOptions {
  /** Directories: mount points of sticks, an inbox of the owner's. */
  readonly paths: readonly string[];
  /** What the names of files end in. */
  readonly endings?: readonly string[];
  /** What they are, with its article. */
  readonly what?: string;
  /** Whether it is done with. */
  readonly isDone?: (file: string) => Promise<boolean>;
  /** Nothing is mounted in what is no place for that. */
  readonly hasMounts?: boolean;
  /** What imports a file: a program and its arguments before the file's name. */
  readonly importer: readonly string[];
  readonly log: Logger;
}

/**
 * Imports bundles as they appear in directories, and when something is mounted there. Each import is a process of its own, one
 * after the other: what it loads costs the agent nothing. Returns what ends it.
 */
export function followBundles({
  paths,
  importer,
  log,
  endings = ENDINGS,
  what = 'a bundle',
  isDone,
  hasMounts = true,
}: FollowOptions): () => void {
  const seen = new Map<string, string>(); // file → what it was when it was imported
  const timers = new Map<string, NodeJS.Timeout>();
  const watchers = new Map<string, readonly FSWatcher[]>();
  const places = new Map(paths.map((path) => [path, placeOf(path)]));
  let importing: Promise<unknown> = Promise.resolve();
  let mounts: ChildProcess | undefined;

  const look = (path: string) => {
    clearTimeout(timers.get(path));
    timers.set(
      path,
      setTimeout(() => {
        for (const file of filesIn(path, endings)) {
          const state = stateOf(file);
          if (state === undefined || seen.get(file) === state) continue;
          seen.set(file, state);
          importing = importing.then(() => importOne(file));
        }
      }, QUIET_MS),
    );
  };
  const importOne = async (file: string) => {
    try {
      const [program = '', ...args] = importer;
      if (await isDone?.(file)) return;
      const { stdout } = await promisify(execFile)(program, [...args, file]);
      log.info({ file, imported: stdout.trim().split('\n') }, `${what} was imported`);
    } catch (error) {
      const { stderr = '', message } = error as Error & { stderr?: string };
      log.warn({ file, reason: stderr.trim() || message }, `${what} was not imported`);
    }
  };
  /** What was watched before something was mounted over it, or made in its place, is another directory. */
  const follow = (path: string) => {
    for (const watcher of watchers.get(path) ?? []) watcher.close();
    const above = nearestAbove(path);
    const [next] = relative(above, path).split(sep);
    watchers.set(path, [
      ...watched(above, (name) => name === next && follow(path)),
      ...watched(path, () => look(path)),
    ]);
    if (nearestAbove(path) !== above) return follow(path); // made before it was watched
    look(path);
  };
  /** Much is mounted on a device whose pods come and go, and nearly none of it here. */
  const followMounted = () => {
    for (const path of paths) {
      const now = placeOf(path);
      if (places.get(path) === now) continue;
      places.set(path, now);
      follow(path);
    }
  };
  paths.forEach(follow);
  if (hasMounts)
    mounts = spawn('findmnt', ['--poll', '--noheadings', '--output', 'ACTION'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  mounts?.once('error', () =>
    log.warn('"findmnt" is not there: a stick is seen when it was plugged in before the start'),
  );
  mounts?.stdout?.on('data', followMounted);
  return () => {
    mounts?.kill();
    for (const timer of timers.values()) clearTimeout(timer);
    for (const watcher of [...watchers.values()].flat()) watcher.close();
  };
}

/** Which directory it is: another one once something is mounted there. */
function placeOf(path: string): string {
  const found = statSync(path, { throwIfNoEntry: false });
  return found ? `${found.dev}:${found.ino}` : '';
}

/** The directory that is there, and in which something must be made or replaced before the path is another. */
function nearestAbove(path: string): string {
  const above = dirname(path);
  return above === path || existsSync(above) ? above : nearestAbove(above);
}

/** None for what is not there, or goes just now. */
function watched(path: string, onChange: (name: string | null) => unknown): FSWatcher[] {
  try {
    return [watch(path, (_, name) => onChange(name)).on('error', () => undefined)];
  } catch {
    return [];
  }
}

function filesIn(path: string, endings: readonly string[]): string[] {
  try {
    return readdirSync(path)
      .filter((name) => !name.startsWith('.') && endings.some((ending) => name.endsWith(ending)))
      .map((name) => join(path, name));
  } catch {
    return []; // nothing is there
  }
}

/** Undefined for what is no file: to read a pipe would keep all others waiting. */
function stateOf(file: string): string | undefined {
  const found = statSync(file, { throwIfNoEntry: false });
  return found?.isFile() ? `${found.dev} ${found.ino} ${found.size} ${found.mtimeMs}` : undefined;
}
