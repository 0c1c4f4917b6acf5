import { constants } from 'node:fs';
import { chmod, type FileHandle, mkdir, open, readdir, realpath, stat, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import type { Mount } from '../runtime/runtime.ts';
import { ConfigurationError } from './configuration-error.ts';
import { bindDescriptor, unmountPlace } from './mount-points.ts';
import type { PlannedMount } from './volumes.ts';

/*
 * Parts of volumes, for containers that mount no more than that.
 *
 * Containers write to volumes while this runs, and may put a link to anywhere in the place of a directory that was
 * looked at a moment ago. So nothing is given to the engine by its path in the volume: it is opened from the volume's
 * root on, one name after another, without following links, and what was opened is mounted at a place of the agent's
 * own, where the engine takes it from. A link that leads to elsewhere in the volume is followed, by opening where it
 * leads in the same way; one that leads out of it is refused.
 */

/** Only to know what it is, and to go on from there. Node has no name for it. */
const O_PATH = 0o10000000;
const { O_NOFOLLOW, O_DIRECTORY } = constants;

export interface PlacedMounts {
  readonly mounts: readonly Mount[];
  /** To be called when the container runs, or does not: it has mounts of its own then. */
  readonly release: () => Promise<void>;
}

/** One start of a container. */
export interface Attempt {
  readonly container: string;
  readonly attempt: number;
}

const nameOf = ({ container, attempt }: Attempt) => `${container}.${attempt}`;

/** Finds, or makes, the parts of volumes that a container mounts. `directory`: of the agent's own, for its pod. */
export async function placeMounts(
  planned: readonly PlannedMount[],
  directory: string,
  attempt: Attempt,
): Promise<PlacedMounts> {
  const place = (index: number) => join(directory, `${nameOf(attempt)}.${index}`);
  const places: string[] = [];
  const release = async () => {
    for (const path of places) await unmountPlace(path);
  };
  const mounts: Mount[] = [];
  try {
    for (const [index, { subPath, isOurs, ...mount }] of planned.entries()) {
      if (subPath === undefined) mounts.push(mount);
      else if (isOurs) mounts.push({ ...mount, source: await pathInside(mount.source, subPath) });
      else {
        places.push(place(index));
        await placeOpened(mount.source, subPath, place(index));
        mounts.push({ ...mount, source: place(index) });
      }
    }
  } catch (error) {
    await release().catch(() => {}); // what went wrong first is what is told
    throw error;
  }
  return { mounts, release };
}

/** Takes away what an agent that ended in between has left, but for what containers that are yet to start need. */
export async function releaseLeft(directory: string, needed: readonly Attempt[]): Promise<void> {
  const kept = new Set(needed.map(nameOf));
  for (const place of await readdir(directory).catch(() => []))
    if (!kept.has(place.slice(0, place.lastIndexOf('.')))) await unmountPlace(join(directory, place));
}

/** Nobody but this agent writes there: what is found stays what it is. */
async function pathInside(volume: string, subPath: string): Promise<string> {
  const base = await realpath(volume);
  const found = await realpath(join(base, subPath)).catch(() => undefined);
  if (found === undefined) throw new ConfigurationError(`subPath "${subPath}" is not in its volume`);
  refuseOutside(base, found, subPath);
  return found;
}

async function placeOpened(volume: string, subPath: string, place: string): Promise<void> {
  await unmountPlace(place); // an agent that ended in between may have left it
  const opened = await openInside(volume, subPath);
  try {
    const found = await opened.stat();
    await mkdir(dirname(place), { recursive: true, mode: 0o700 });
    if (found.isDirectory()) await mkdir(place);
    else await writeFile(place, '');
    await bindDescriptor(opened.fd, place);
    const mounted = await stat(place);
    if (mounted.dev !== found.dev || mounted.ino !== found.ino)
      throw new Error(`what was mounted for subPath "${subPath}" is not what was opened`);
  } finally {
    await opened.close();
  }
}

/** What is missing is made, as directories with the mode of the volume. */
async function openInside(volume: string, subPath: string): Promise<FileHandle> {
  const base = await realpath(volume);
  const { existing, missing } = await split(join(base, subPath));
  refuseOutside(base, existing, subPath);
  const names = [...relative(base, existing).split('/'), ...missing].filter((name) => name !== '');
  const { mode } = await stat(base);
  let opened = await open(base, O_PATH | O_NOFOLLOW | O_DIRECTORY);
  for (const [index, name] of names.entries()) {
    const path = `/proc/self/fd/${opened.fd}/${name}`;
    try {
      if (index >= names.length - missing.length) await make(path, mode);
      const next = await openOne(path, subPath);
      await opened.close();
      opened = next;
    } catch (error) {
      await opened.close();
      throw error;
    }
  }
  return opened;
}

/** How far the path leads, links followed, and what is not there yet. */
async function split(path: string): Promise<{ existing: string; missing: string[] }> {
  const missing: string[] = [];
  for (let at = path; ; at = dirname(at)) {
    try {
      return { existing: await realpath(at), missing };
    } catch (error) {
      if ((error as { code?: string }).code !== 'ENOENT') throw error;
      missing.unshift(at.slice(at.lastIndexOf('/') + 1));
    }
  }
}

async function openOne(path: string, subPath: string): Promise<FileHandle> {
  const opened = await open(path, O_PATH | O_NOFOLLOW);
  if (!(await opened.stat()).isSymbolicLink()) return opened;
  await opened.close();
  throw new ConfigurationError(`subPath "${subPath}" leads through a link that was put there just now`);
}

async function make(path: string, mode: number): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    if ((error as { code?: string }).code === 'EEXIST') return; // it is opened as anything else is
    throw error;
  }
  await chmod(path, mode & 0o7777);
}

function refuseOutside(base: string, found: string, subPath: string): void {
  if (found === base || found.startsWith(base === '/' ? '/' : `${base}/`)) return;
  throw new ConfigurationError(`subPath "${subPath}" leads out of its volume, to "${found}"`);
}
