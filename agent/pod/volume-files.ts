import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { ConfigurationError } from './environment.ts';
import type { ProjectedFile, VolumePlan } from './volumes.ts';

/** The kubelet's names: applications watch `..data` to learn of a new configuration. */
const DATA_LINK = '..data';
const DATA_LINK_NEXT = '..data_tmp';

/** Makes the volume what the plan says. Writes only what differs: at rest nothing is written. */
export async function makeVolume(plan: VolumePlan): Promise<void> {
  switch (plan.type) {
    case 'directory':
      await makeDirectory(plan.path);
      // Any user that a container runs as may write to it, as on Kubernetes.
      await chmod(plan.path, 0o777);
      return;
    case 'host':
      await checkHostPath(plan.path, plan.kind);
      return;
    case 'files':
      await makeFiles(plan.path, plan.files);
  }
}

export async function removeDirectories(paths: readonly string[]): Promise<void> {
  for (const path of paths) await rm(path, { recursive: true, force: true });
}

/** A pod's directories may be passed through, not listed: what is in them belongs to containers. */
async function makeDirectory(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o711 });
}

/** https://kubernetes.io/docs/concepts/storage/volumes/#hostpath-volume-types */
async function checkHostPath(path: string, kind: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (!found && (kind === '' || kind === 'DirectoryOrCreate')) {
    await mkdir(path, { recursive: true, mode: 0o755 });
    return;
  }
  if (!found && kind === 'FileOrCreate') {
    await writeFile(path, '', { mode: 0o644, flag: 'a' });
    return;
  }
  const is = {
    Directory: found?.isDirectory(),
    DirectoryOrCreate: found?.isDirectory(),
    File: found?.isFile(),
    FileOrCreate: found?.isFile(),
    Socket: found?.isSocket(),
    CharDevice: found?.isCharacterDevice(),
    BlockDevice: found?.isBlockDevice(),
  }[kind];
  if (kind !== '' && !is)
    throw new ConfigurationError(`hostPath type check failed: ${path} is not a ${kind}`);
}

/**
 * All files change at once: they are written to a new directory, `..data` is pointed to it in one rename, and each
 * file's name is a link through `..data`. This is how Kubernetes lays these volumes out.
 */
async function makeFiles(path: string, files: readonly ProjectedFile[]): Promise<void> {
  await makeDirectory(path);
  await chmod(path, 0o755);
  if (await isCurrent(path, files)) return;
  // Not join(): it would take the two dots that begin the name for the parent directory.
  const fresh = await mkdtemp(`${path}/..`);
  await chmod(fresh, 0o755);
  for (const { path: file, content, mode } of files) {
    const target = join(fresh, file);
    await mkdir(dirname(target), { recursive: true, mode: 0o755 });
    await writeFile(target, content);
    await chmod(target, mode);
  }
  const previous = await readlink(join(path, DATA_LINK)).catch(() => undefined);
  await rm(join(path, DATA_LINK_NEXT), { force: true });
  await symlink(basename(fresh), join(path, DATA_LINK_NEXT));
  await rename(join(path, DATA_LINK_NEXT), join(path, DATA_LINK));
  await linkNames(path, files);
  if (previous) await rm(join(path, previous), { recursive: true, force: true });
}

async function linkNames(path: string, files: readonly ProjectedFile[]): Promise<void> {
  const names = new Set(files.map(({ path: file }) => file.split('/')[0] ?? ''));
  for (const name of names) {
    const present = await lstat(join(path, name)).catch(() => undefined);
    if (!present) await symlink(join(DATA_LINK, name), join(path, name));
  }
  for (const name of await readdir(path)) {
    if (!name.startsWith('..') && !names.has(name)) await rm(join(path, name), { force: true });
  }
}

async function isCurrent(path: string, files: readonly ProjectedFile[]): Promise<boolean> {
  const data = join(path, DATA_LINK);
  const present = await readdir(data, { recursive: true, withFileTypes: true }).catch(() => undefined);
  if (present?.filter((entry) => entry.isFile()).length !== files.length) return false;
  const same = await Promise.all(files.map((file) => isSame(join(data, file.path), file)));
  return same.every(Boolean);
}

async function isSame(path: string, { content, mode }: ProjectedFile): Promise<boolean> {
  try {
    const [found, { mode: foundMode }] = await Promise.all([readFile(path), stat(path)]);
    return found.equals(content) && (foundMode & 0o777) === mode;
  } catch {
    return false;
  }
}
