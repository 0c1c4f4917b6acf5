import { readlink, realpath } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';

const MOST_LINKS = 40; // the kernel follows no more

/** Where a path leads, or would if it were made: what is there of it is followed, links to nothing as well. */
export async function realPathOf(path: string, links = MOST_LINKS): Promise<string> {
  const found = await realpath(path).catch(() => undefined);
  if (found !== undefined || dirname(path) === path) return found ?? path;
  const parent = await realPathOf(dirname(path), links);
  const target = await readlink(path).catch(() => undefined);
  if (target === undefined) return join(parent, basename(path));
  if (links === 0) throw new Error(`too many links in ${path}`);
  return realPathOf(resolve(parent, target), links - 1);
}
