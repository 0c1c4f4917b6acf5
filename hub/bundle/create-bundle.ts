import { execFile } from 'node:child_process';
import { createHash, createPrivateKey, sign } from 'node:crypto';
import { createReadStream, existsSync, readFileSync } from 'node:fs';
import { copyFile, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { type BundleIndex, INDEX, SIGNATURE, signedBytes } from '../../proto/bundle/bundle-index.ts';
import { checkNewFile } from '../../proto/new-file.ts';
import { makeWorkDirectory } from '../../proto/work-directory.ts';
import { contentsProblem } from '../packages/package-contents.ts';
import { parsePackageName } from '../packages/package-name.ts';
import { packagesAt } from '../packages/packages-at.ts';
import { layoutOf } from './engine-images.ts';

const run = promisify(execFile);

export interface BundleContents {
  /** Names of images that the engine has. */
  readonly images: readonly string[];
  /** Packages, or folders of them, with their signatures beside them. */
  readonly packages: readonly string[];
  /** Files, or folders of them, with Kubernetes objects. */
  readonly manifests: readonly string[];
  /** `unix:///var/run/docker.sock` */
  readonly engine: string;
  /** The hub's data: its CA signs the bundle. */
  readonly dataDir: string;
  readonly now: number;
}

/** Makes a bundle: whole, or not there. Resolves with its index. Rejects with what to do about it. */
export async function createBundle(file: string, contents: BundleContents): Promise<BundleIndex> {
  await checkNewFile(file);
  const key = readKey(contents.dataDir);
  // Beside where it is to be: there is to be room for it twice, and none is needed elsewhere.
  const work = makeWorkDirectory(dirname(file), '.holdfast-bundle-');
  try {
    const tree = join(work, 'tree');
    await mkdir(tree);
    const images = await layoutOf(contents.images, contents.engine, join(work, 'saved'), tree);
    for (const path of contents.packages.flatMap(packagesAt)) await addPackage(tree, path);
    for (const path of contents.manifests) await add(tree, 'manifests', path);
    const index: BundleIndex = {
      apiVersion: 'holdfast.dev/v1',
      kind: 'Bundle',
      created: new Date(contents.now).toISOString(),
      images,
      files: await hashesOf(tree),
    };
    const bytes = Buffer.from(`${JSON.stringify(index, undefined, 1)}\n`);
    await writeFile(join(tree, INDEX), bytes);
    await writeFile(join(tree, SIGNATURE), sign('sha256', signedBytes(bytes), key));
    const part = join(work, 'bundle');
    const plain = [
      '--format=ustar',
      '--owner=0',
      '--group=0',
      '--numeric-owner',
      '--mtime=@0',
      '--no-recursion',
    ];
    await run('tar', [...plain, '-cf', part, '-C', tree, INDEX, SIGNATURE, ...Object.keys(index.files)]);
    await rename(part, file);
    return index;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

function readKey(dataDir: string) {
  const file = join(dataDir, 'ca.json');
  if (!existsSync(file))
    throw new Error(
      `a bundle is signed by the hub, and "${dataDir}" is no hub's data: name it with --data-dir`,
    );
  return createPrivateKey((JSON.parse(readFileSync(file, 'utf8')) as { key: string }).key);
}

/** With its signature: sites have it checked once more. */
async function addPackage(tree: string, path: string): Promise<void> {
  const name = basename(path);
  const about = parsePackageName(name);
  if (!about)
    throw new Error(`"${path}" is no package: those are called as holdfast-agent-1.2.3-linux-arm64.tar.gz`);
  if (!existsSync(`${path}.minisig`))
    throw new Error(`"${path}" is not signed: its signature must be beside it, in "${name}.minisig"`);
  const problem = await contentsProblem(path, about);
  if (problem) throw new Error(`"${path}" is refused: ${problem}`);
  for (const file of [path, `${path}.minisig`]) await add(tree, 'packages', file);
}

/** A file, or all that are in a folder. */
async function add(tree: string, folder: string, path: string): Promise<void> {
  const into = join(tree, folder);
  await mkdir(into, { recursive: true });
  const entries = await readdir(path, { recursive: true, withFileTypes: true }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTDIR') throw new Error(`"${path}" can not be read`, { cause: error });
      return undefined;
    },
  );
  if (!entries) return copyFile(path, join(into, basename(path)));
  for (const entry of entries.filter((each) => each.isFile())) {
    const source = join(entry.parentPath, entry.name);
    const target = join(into, relative(path, source));
    await mkdir(dirname(target), { recursive: true });
    await copyFile(source, target);
  }
}

async function hashesOf(tree: string): Promise<Record<string, string>> {
  const entries = await readdir(tree, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(tree, join(entry.parentPath, entry.name)))
    .sort();
  const hashes: Record<string, string> = {};
  for (const path of paths) {
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(join(tree, path))) hash.update(chunk as Buffer);
    hashes[path] = hash.digest('hex');
  }
  return hashes;
}
