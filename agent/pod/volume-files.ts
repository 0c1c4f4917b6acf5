import {
  chmod,
  chown,
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
import { RuntimeError } from '../runtime/runtime.ts';
import { ConfigurationError } from './configuration-error.ts';
import { isMounted, mountLayers, mountMemory, unmountBelow } from './mount-points.ts';
import type { Pod } from './pod.ts';
import type { ProjectedFile } from './projected-files.ts';
import {
  planVolume,
  podsDirectories,
  type VolumeContext,
  type VolumePlan,
  type VolumeRoots,
} from './volumes.ts';

/** The kubelet's names: applications watch `..data` to learn of a new configuration. */
const DATA_LINK = '..data';
const DATA_LINK_NEXT = '..data_tmp';
const ROOT = 0;
const SET_GROUP = 0o2000;

type MemoryPlan = Extract<VolumePlan, { type: 'memory' }>;
type ImagePlan = Extract<VolumePlan, { type: 'image' }>;

/** A volume that could not be made, as the kubelet tells it. */
export class VolumeError extends Error {
  constructor(volume: string, cause: Error) {
    super(`MountVolume.SetUp failed for volume "${volume}" : ${cause.message}`, { cause });
    this.name = 'VolumeError';
  }
}

/** Where the engine has the files of an image, layer by layer, the uppermost first. Rejects when that cannot be known. */
export type LayersOf = (image: string) => Promise<readonly string[]>;
const noLayers: LayersOf = async (image) => {
  throw new ConfigurationError(`nobody knows where the files of "${image}" are`);
};

/** Makes all volumes of the pod. `mayUse` rejects for paths of the device that pods must not have. Throws VolumeError. */
export async function makeVolumes(
  pod: Pod,
  context: VolumeContext,
  mayUse: (path: string, kind: string) => Promise<void> = async () => {},
  layersOf: LayersOf = noLayers,
): Promise<void> {
  for (const volume of pod.spec.volumes ?? []) {
    try {
      const plan = planVolume(pod, volume, context);
      if (plan.type === 'host') await mayUse(plan.path, plan.kind);
      await makeVolume(plan, layersOf);
      if (plan.type === 'host') await mayUse(plan.path, plan.kind);
    } catch (error) {
      throw new VolumeError(volume.name, error as Error);
    }
  }
}

/** Makes the volume what the plan says. Writes only what differs: at rest nothing is written. */
export async function makeVolume(plan: VolumePlan, layersOf: LayersOf = noLayers): Promise<void> {
  switch (plan.type) {
    case 'directory':
      await makeSharedDirectory(plan.path, plan.group);
      return;
    case 'memory':
      await makeMemory(plan);
      return;
    case 'host':
      await checkHostPath(plan.path, plan.kind);
      return;
    case 'image':
      await makeImage(plan, layersOf);
      return;
    case 'files':
      await makeFiles(plan.path, plan.files, plan.group);
  }
}

/** The uids of pods of which a directory is there: an agent may end between removing one and the other. */
export async function podsWithDirectories(roots: VolumeRoots): Promise<Set<string>> {
  const found = podsDirectories(roots).map((path) => readdir(path).catch(() => []));
  return new Set((await Promise.all(found)).flat());
}

/** Nothing of what is mounted in them is touched. */
export async function removeDirectories(paths: readonly string[]): Promise<void> {
  await unmountBelow(paths);
  for (const path of paths) await rm(path, { recursive: true, force: true });
}

/** A pod's directories may be passed through, not listed: what is in them belongs to containers. */
async function makeDirectory(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o711 });
}

/** Once: what containers do to it later stays. Made aside, so that it is never there with another mode. */
async function makeSharedDirectory(path: string, group: number | undefined): Promise<void> {
  if (await lstat(path).catch(() => undefined)) return;
  const aside = `${path}.making`;
  await makeDirectory(aside);
  await share(aside, group);
  await rename(aside, path);
}

/** Any user that a container runs as may write to it, as on Kubernetes; what the group makes there is the group's. */
async function share(path: string, group: number | undefined): Promise<void> {
  if (group !== undefined) await chown(path, ROOT, group);
  await chmod(path, group === undefined ? 0o777 : 0o777 | SET_GROUP);
}

async function makeMemory({ path, group, sizeBytes, isLimited }: MemoryPlan): Promise<void> {
  if (await isMounted(path)) return;
  await makeDirectory(path);
  // An agent that did not mount them may have begun to use it.
  if ((await readdir(path)).length > 0) return;
  try {
    await mountMemory(path, sizeBytes);
  } catch (error) {
    // The directory is in memory as well. What is lost is the limit.
    if (isLimited)
      throw new ConfigurationError(`a sizeLimit in memory cannot be kept: ${(error as Error).message}`);
  }
  await share(path, group);
}

/** https://kubernetes.io/docs/concepts/storage/volumes/#image */
async function makeImage({ path, image, mayPull }: ImagePlan, layersOf: LayersOf): Promise<void> {
  if (await isMounted(path)) return;
  const layers = await layersOf(image).catch((error: Error) => {
    if (mayPull || !(error instanceof RuntimeError && error.kind === 'image-absent')) throw error;
    throw new ConfigurationError(`Container image "${image}" is not present with pull policy of Never`);
  });
  await makeDirectory(path);
  await mountLayers(path, layers);
}

/** https://kubernetes.io/docs/concepts/storage/volumes/#hostpath-volume-types */
async function checkHostPath(path: string, kind: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (!found && (kind === '' || kind === 'DirectoryOrCreate')) {
    const first = await mkdir(path, { recursive: true });
    if (first) await chmod(path, 0o755); // whatever this agent's own mask is
    return;
  }
  if (!found && kind === 'FileOrCreate') {
    await writeFile(path, '', { flag: 'a' }).catch(({ code }: NodeJS.ErrnoException) => {
      throw new ConfigurationError(
        `hostPath of type FileOrCreate: ${path} cannot be made (${code}): its directory must be there`,
      );
    });
    await chmod(path, 0o644);
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
    throw new ConfigurationError(`hostPath type check failed: ${path} is not ${KINDS[kind] ?? `a ${kind}`}`);
}

const KINDS: Readonly<Record<string, string>> = {
  Directory: 'a directory',
  DirectoryOrCreate: 'a directory',
  File: 'a file',
  FileOrCreate: 'a file',
  Socket: 'a socket file',
  CharDevice: 'a character device',
  BlockDevice: 'a block device',
};

/**
 * All files change at once: they are written to a new directory, `..data` is pointed to it in one rename, and each
 * file's name is a link through `..data`. This is how Kubernetes lays these volumes out.
 */
async function makeFiles(
  path: string,
  files: readonly ProjectedFile[],
  group: number | undefined,
): Promise<void> {
  await makeDirectory(path);
  await makeReadable(path, group);
  if (!(await isCurrent(path, files, group))) await replaceData(path, files, group);
  await tidy(path, files); // also what an agent that was cut off has left
}

async function replaceData(
  path: string,
  files: readonly ProjectedFile[],
  group: number | undefined,
): Promise<void> {
  // Not join(): it would take the two dots that begin the name for the parent directory.
  const fresh = await mkdtemp(`${path}/..`);
  await makeReadable(fresh, group);
  for (const { path: file, content, mode, owner } of files) {
    await makeReadableBelow(fresh, dirname(file), group);
    const target = join(fresh, file);
    await writeFile(target, content, { mode: 0o600 });
    if (owner !== undefined || group !== undefined) await chown(target, owner ?? ROOT, group ?? ROOT);
    await chmod(target, mode);
  }
  await rm(join(path, DATA_LINK_NEXT), { force: true });
  await symlink(basename(fresh), join(path, DATA_LINK_NEXT));
  await rename(join(path, DATA_LINK_NEXT), join(path, DATA_LINK));
}

/** Whatever this agent's own mask is. */
async function makeReadable(path: string, group: number | undefined): Promise<void> {
  if (group !== undefined) await chown(path, ROOT, group);
  await chmod(path, group === undefined ? 0o755 : 0o755 | SET_GROUP);
}

async function makeReadableBelow(root: string, directory: string, group: number | undefined): Promise<void> {
  if (directory === '.') return;
  await makeReadableBelow(root, dirname(directory), group);
  const path = join(root, directory);
  await mkdir(path, { recursive: true });
  await makeReadable(path, group);
}

/** Each file has its link, and there is nothing else but the data that they lead to. */
async function tidy(path: string, files: readonly ProjectedFile[]): Promise<void> {
  const names = new Set(files.map(({ path: file }) => file.split('/')[0] ?? ''));
  const present = new Set(await readdir(path));
  for (const name of names) if (!present.has(name)) await symlink(join(DATA_LINK, name), join(path, name));
  const kept = new Set([...names, DATA_LINK, await readlink(join(path, DATA_LINK))]);
  // Not join(), for the same reason.
  for (const name of present)
    if (!kept.has(name)) await rm(`${path}/${name}`, { recursive: true, force: true });
}

async function isCurrent(
  path: string,
  files: readonly ProjectedFile[],
  group: number | undefined,
): Promise<boolean> {
  const data = join(path, DATA_LINK);
  const present = await readdir(data, { recursive: true, withFileTypes: true }).catch(() => undefined);
  if (present?.filter((entry) => entry.isFile()).length !== files.length) return false;
  const same = await Promise.all(files.map((file) => isSame(join(data, file.path), file, group)));
  return same.every(Boolean);
}

async function isSame(
  path: string,
  { content, mode, owner }: ProjectedFile,
  group: number | undefined,
): Promise<boolean> {
  try {
    const [found, about] = await Promise.all([readFile(path), stat(path)]);
    const isOwned = owner === undefined || about.uid === owner;
    const isGroups = group === undefined || about.gid === group;
    return found.equals(content) && (about.mode & 0o777) === mode && isOwned && isGroups;
  } catch {
    return false;
  }
}
