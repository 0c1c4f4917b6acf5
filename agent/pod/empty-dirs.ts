import { lstat, readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Pod } from './pod.ts';
import { parseQuantity } from './quantity.ts';
import { type VolumeRoots, volumeDirectory } from './volumes.ts';

/*
 * How much the pod's emptyDirs on disk hold. Those in memory are limited by the kernel; these can only be looked at, and
 * a pod that takes more than it said is to be evicted, as by the kubelet.
 */

const BLOCK_BYTES = 512; // of `st_blocks`, whatever the file system's own are

/** What the kubelet says of the first volume that holds more than it may; undefined when none does. Pure. */
export function emptyDirOverLimit(pod: Pod, usedBytes: ReadonlyMap<string, number>): string | undefined {
  for (const { name, limit } of limitsOf(pod)) {
    if ((usedBytes.get(name) ?? 0) > (parseQuantity(limit) ?? Number.POSITIVE_INFINITY))
      return `Usage of EmptyDir volume "${name}" exceeds the limit "${limit}".`;
  }
  return undefined;
}

/** What a directory holds. */
export interface DiskUse {
  readonly bytes: number;
  readonly inodes: number;
}

/** What they hold, by the volume's name. Costs a look at each file. */
export async function measureEmptyDirs(pod: Pod, roots: VolumeRoots): Promise<Map<string, DiskUse>> {
  const used = new Map<string, DiskUse>();
  for (const path of emptyDirsOf(pod, roots)) used.set(basename(path), await useBelow(path));
  return used;
}

/** Where those on disk are. */
export function emptyDirsOf(pod: Pod, roots: VolumeRoots): string[] {
  const onDisk = (pod.spec.volumes ?? []).filter(({ emptyDir }) => emptyDir && emptyDir.medium !== 'Memory');
  return onDisk.map(({ name }) => volumeDirectory(pod, name, roots.data));
}

function limitsOf({ spec }: Pod): { name: string; limit: string }[] {
  return (spec.volumes ?? []).flatMap(({ name, emptyDir }) =>
    emptyDir?.sizeLimit && emptyDir.medium !== 'Memory' ? [{ name, limit: emptyDir.sizeLimit }] : [],
  );
}

/** What goes while it is looked at counts nothing; what has several names counts once. */
async function useBelow(root: string): Promise<DiskUse> {
  const seen = new Set<number>();
  let bytes = 0;
  const directories = [root];
  for (let path = directories.pop(); path !== undefined; path = directories.pop()) {
    for (const entry of await readdir(path, { withFileTypes: true }).catch(() => [])) {
      const found = await lstat(join(path, entry.name)).catch(() => undefined);
      if (!found || seen.has(found.ino)) continue;
      seen.add(found.ino);
      bytes += found.blocks * BLOCK_BYTES;
      if (found.isDirectory()) directories.push(join(path, entry.name));
    }
  }
  return { bytes, inodes: seen.size };
}
