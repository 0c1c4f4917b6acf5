import { readFile, rmdir, unlink } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';

/* File systems that this agent mounts itself, with the system's own `mount`, as the kubelet does. */

/** One line of the kernel's table. */
interface MountPoint {
  readonly path: string;
  /** What of its file system is mounted. */
  readonly root: string;
  readonly isShared: boolean;
}

const TABLE = '/proc/self/mountinfo';

/** A file system in memory that takes no more than this. Rejects with what is wrong when it cannot be had. */
export async function mountMemory(path: string, sizeBytes: number): Promise<void> {
  await refuseUnseen(path);
  await mount('-t', 'tmpfs', '-o', `size=${sizeBytes},mode=0777`, 'tmpfs', path);
}

/** What the descriptor of this process is open on is seen at the path as well. */
export async function bindDescriptor(descriptor: number, path: string): Promise<void> {
  await refuseUnseen(path);
  const source = `/proc/${process.pid}/fd/${descriptor}`;
  // Made canonical, the source would be a path again, and somebody could have changed where that leads.
  await mount('--no-canonicalize', '--bind', source, path);
}

/**
 * Directories one above the other, the uppermost first, as one that nobody can write to. They are named as engines do it, by
 * short links from where all layers are, where there are such: the kernel takes 4 KiB of names.
 */
export async function mountLayers(path: string, layers: readonly string[]): Promise<void> {
  await refuseUnseen(path);
  const [first = '', ...below] = layers;
  // It wants two at least.
  if (below.length === 0) return mount('--bind', '-o', 'ro', first, path);
  const root = dirname(dirname(first));
  const names = await Promise.all(layers.map((layer) => shortName(root, layer)));
  const options = `ro,lowerdir=${names.join(':')}`;
  return runIn(root, 'mount', '-t', 'overlay', '-o', options, 'overlay', path);
}

/** Of `ROOT/ID/diff`, as overlay2 has it: `l/ABC`, which is in `ROOT/ID/link`. */
async function shortName(root: string, layer: string): Promise<string> {
  if (dirname(dirname(layer)) !== root) return layer;
  const link = await readFile(join(dirname(layer), 'link'), 'utf8').catch(() => undefined);
  return link ? join('l', link.trim()) : relative(root, layer);
}

export async function isMounted(path: string): Promise<boolean> {
  return (await mountPoints()).some((mounted) => mounted.path === path);
}

/** Takes away all that is mounted at these paths or below them. Rejects if something is left: it must not be removed. */
export async function unmountBelow(paths: readonly string[]): Promise<void> {
  const below = async () =>
    (await mountPoints())
      .map(({ path }) => path)
      .filter((path) => paths.some((each) => path === each || path.startsWith(`${each}/`)));
  // The deepest first; of several on one path the last that came.
  for (const path of (await below()).toReversed())
    await run('umount', path).catch(() => run('umount', '-l', path));
  const left = await below();
  if (left.length > 0) throw new Error(`still mounted, so nothing is removed: ${left.join(', ')}`);
}

/** Takes away one mount, and the file or directory that it was on: nobody is to take that for what was mounted. */
export async function unmountPlace(path: string): Promise<void> {
  await unmountBelow([path]);
  await rmdir(path).catch(() => unlink(path).catch(() => {}));
}

/**
 * In a container, what the agent mounts is seen by the engine only where the directory was given to it as shared. Told
 * by a directory that is mounted from elsewhere, and not shared.
 */
async function refuseUnseen(path: string): Promise<void> {
  const points = (await mountPoints()).filter((point) => isBelow(path, point.path));
  const [nearest] = points.sort((a, b) => b.path.length - a.path.length);
  if (!nearest || nearest.root === '/' || nearest.isShared) return;
  throw new Error(
    `the engine would not see what is mounted in "${nearest.path}": give it to the agent's container as shared ` +
      `(--volume ${nearest.path}:${nearest.path}:rshared --cap-add SYS_ADMIN)`,
  );
}

function isBelow(path: string, directory: string): boolean {
  return directory === '/' || path === directory || path.startsWith(`${directory}/`);
}

async function mountPoints(): Promise<MountPoint[]> {
  const table = await readFile(TABLE, 'utf8').catch(() => '');
  return table.split('\n').flatMap((line) => {
    const [, , , root, path, , ...rest] = line.split(' ');
    if (root === undefined || path === undefined) return [];
    const optional = rest.slice(0, rest.indexOf('-'));
    const isShared = optional.some((field) => field.startsWith('shared:'));
    return [{ path: unescaped(path), root: unescaped(root), isShared }];
  });
}

/** Spaces and the like are `\040`. */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}

function mount(...args: string[]): Promise<void> {
  return run('mount', ...args);
}

function run(program: string, ...args: string[]): Promise<void> {
  return runIn('/', program, ...args);
}

async function runIn(cwd: string, program: string, ...args: string[]): Promise<void> {
  const { execFile } = await import('node:child_process'); // most pods need nothing mounted
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  execFile(program, args, { encoding: 'utf8', cwd }, (error, _, complaint) => {
    if (error) reject(new Error(`${program}: ${complaint.trim() || error.message}`));
    else resolve();
  });
  await promise;
}
