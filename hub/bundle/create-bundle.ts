import { execFile, spawn } from 'node:child_process';
import { createHash, createPrivateKey, sign } from 'node:crypto';
import { createReadStream, existsSync, readFileSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { type IncomingMessage, request } from 'node:http';
import { basename, dirname, join, relative } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import {
  type BundledImage,
  type BundleIndex,
  INDEX,
  SIGNATURE,
  signedBytes,
} from '../../proto/bundle/bundle-index.ts';
import { writeImageLayout } from './saved-images.ts';

const run = promisify(execFile);

export interface BundleContents {
  /** Names of images that the engine has. */
  readonly images: readonly string[];
  /** Files of packages, with their signatures beside them. */
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
  const key = readKey(contents.dataDir);
  // Beside where it is to be: there is to be room for it twice, and none is needed elsewhere.
  const work = await mkdtemp(join(dirname(file), '.holdfast-bundle-'));
  try {
    const tree = join(work, 'tree');
    await mkdir(tree);
    const images = contents.images.length > 0 ? await addImages(work, tree, contents) : [];
    for (const path of contents.packages) await add(tree, 'packages', path);
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

async function addImages(
  work: string,
  tree: string,
  { images, engine }: BundleContents,
): Promise<BundledImage[]> {
  const saved = join(work, 'saved');
  await mkdir(saved);
  await save(engine, images, saved);
  const found = await writeImageLayout(saved, tree);
  await rm(saved, { recursive: true });
  return found;
}

/** The engine's archive, unpacked. */
async function save(engine: string, images: readonly string[], dir: string): Promise<void> {
  for (const name of images) {
    const found = await ask(engine, `/images/${encodeURIComponent(name)}/json`);
    found.resume();
    if (found.statusCode === 404) throw new Error(`the engine has no image "${name}": pull it first`);
  }
  const query = new URLSearchParams(images.map((name): [string, string] => ['names', name]));
  const answer = await ask(engine, `/images/get?${query}`);
  if (answer.statusCode !== 200) {
    let text = '';
    for await (const chunk of answer) text += chunk;
    throw new Error(`the engine does not give the images: ${text.trim()}`);
  }
  const tar = spawn('tar', ['-xf', '-', '-C', dir, '--no-same-owner'], {
    stdio: ['pipe', 'inherit', 'inherit'],
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    tar.once('exit', resolve).once('error', reject);
  });
  await pipeline(answer, tar.stdin);
  if ((await ended) !== 0)
    throw new Error(`what the engine saved can not be unpacked in "${dir}": is there room?`);
}

async function ask(engine: string, path: string): Promise<IncomingMessage> {
  const url = new URL(engine);
  const to = url.protocol === 'unix:' ? { socketPath: url.pathname } : { host: url.hostname, port: url.port };
  try {
    return await new Promise((resolve, reject) => {
      request({ ...to, path, agent: false }, resolve)
        .once('error', reject)
        .end();
    });
  } catch (error) {
    throw new Error(`the engine at ${engine} must have the images, and does not answer`, { cause: error });
  }
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
