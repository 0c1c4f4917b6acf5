import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { tarHeader } from '../../proto/tar-header.ts';
import { digestTag, withoutTag } from '../runtime/digest-tag.ts';
import { loadImages } from '../runtime/engine-call.ts';
import { RuntimeError } from '../runtime/runtime.ts';
import type { Identity } from '../state/agent-state.ts';
import { BlobCache } from './blob-cache.ts';
import { alone, aloneWithAll } from './blob-lock.ts';
import { bytesOf, type Descriptor, download, type Fetch, pathOf } from './download.ts';
import { layersThere, lookAtEngine } from './engine-store.ts';
import { HubRegistry } from './hub-registry.ts';
import { type ImageConfig, type Manifest, readConfig, readManifest, readOnlyManifest } from './manifest.ts';
import { blobOfPeers } from './peers.ts';
import { chooseManifest, type Platform, platformProblem } from './platform.ts';
import { type Place, roomProblem } from './room.ts';

/** Who has an image. */
export interface ImageSource {
  /** A manifest or an index, by its tag or digest. */
  readonly manifest: (reference: string) => Promise<Buffer>;
  /** Those that a blob can be had from, the best first. */
  readonly blobs: readonly Fetch[];
  /** What is kept for others is no download. */
  readonly shared?: BlobCache | undefined;
}

export interface PullOptions {
  /** `unix:///var/run/docker.sock` */
  readonly engine: string;
  /** What is half there is kept in `images/` of it, for the next attempt. */
  readonly dataDir: string;
  readonly onProgress?: (done: number, total: number) => void;
}

export interface HubPullOptions extends PullOptions {
  readonly identity: Identity;
  /** Where this device gives layers to others of its site; undefined: it takes no part in that. */
  readonly peerPort: number | undefined;
}

/** What a device keeps for others of its site. */
export const MOST_SHARED_BYTES = 1024 ** 3;
/** Parts of images that nobody has asked for since. */
const ABANDONED_MS = 7 * 24 * 3_600_000;

/**
 * Gets an image from the hub and gives it to the engine. Resolves with whether the hub has the image; rejects when it has, and it
 * can not be had.
 */
export async function pullFromHub(image: string, options: HubPullOptions): Promise<boolean> {
  const { identity, dataDir, peerPort } = options;
  if (image.includes('@')) return false; // the hub keeps them by their tags
  const registry = new HubRegistry(identity);
  const name = withoutTag(image);
  const tag = image.slice(name.length + 1) || 'latest';
  const index = await registry.manifest(name, tag);
  if (!index) return false;
  const peers = peerPort === undefined ? [] : await registry.peers(peerPort);
  const hub: Fetch = async (blob, from) => ({ from, parts: await registry.blob(name, blob, from) });
  const nearest: Fetch = async (blob, from) => {
    const parts = await blobOfPeers(peers, identity, blob, from);
    return parts ? { from, parts } : hub(blob, from);
  };
  await pullImage(image, tag, options, {
    manifest: async (reference) =>
      reference === tag ? index : ((await registry.manifest(name, reference)) ?? Buffer.alloc(0)),
    blobs: [nearest, hub],
    shared: peerPort === undefined ? undefined : new BlobCache(dataDir, MOST_SHARED_BYTES),
  });
  return true;
}

/**
 * Gets an image and gives it to the engine, under its name and one that says its digest. A download that was cut off goes on where
 * it was; layers that the engine has are not fetched.
 */
export async function pullImage(
  image: string,
  reference: string,
  { engine, dataDir, onProgress }: PullOptions,
  source: ImageSource,
): Promise<void> {
  const { shared, blobs: sources } = source;
  const store = await lookAtEngine(engine);
  const { digest, manifest } = await manifestFor(image, reference, source, store.platform);
  const { config } = manifest;
  const dir = join(dataDir, 'images');
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await forgetAbandoned(dir);
  // The same image by two names, and what two images have in common, is fetched once, by the first who asks.
  await alone(pathOf(dir, config.digest), async () => {
    await takeShared(shared, [config, ...manifest.layers], dir);
    await download(sources, config, dir);
    const { diffIds } = await configFor(image, pathOf(dir, config.digest), store.platform);
    const missing = async () =>
      unique(manifest.layers.slice(store.takesParts ? await layersThere(engine, diffIds) : 0));
    const paths = (await missing()).map(({ digest: each }) => pathOf(dir, each));
    await aloneWithAll(paths, async () => {
      const layers = await missing();
      await requireRoom(image, layers, dir, store.dataDir);
      await downloadAll(sources, layers, dir, onProgress);
      await load(engine, image, namesOf(image, digest), manifest, [config, ...layers], dir);
      for (const { digest: each } of unique([config, ...manifest.layers])) {
        const path = pathOf(dir, each);
        if (shared && existsSync(path)) await shared.keep(each, path);
        else await rm(path, { force: true });
      }
    });
  });
}

/** Its own, and one that says what it stands for. */
function namesOf(image: string, digest: string): string[] {
  const [name = ''] = image.split('@');
  const byDigest = digestTag(`${name}@${digest}`) ?? [];
  const hasTag = withoutTag(name) !== name;
  return [image.includes('@') ? [] : hasTag ? image : `${image}:latest`, byDigest].flat();
}

async function downloadAll(
  sources: readonly Fetch[],
  blobs: readonly Descriptor[],
  dir: string,
  onProgress: PullOptions['onProgress'],
): Promise<void> {
  const total = blobs.reduce((sum, { size }) => sum + size, 0);
  let done = 0;
  for (const blob of blobs)
    await download(sources, blob, dir, (count) => {
      done += count;
      onProgress?.(done, total);
    });
}

/** The manifest for this device's processor, and the digest of what the name stands for. */
async function manifestFor(
  image: string,
  reference: string,
  source: ImageSource,
  platform: Platform,
): Promise<{ digest: string; manifest: Manifest }> {
  const content = await source.manifest(reference);
  const digest = hashOf(content);
  if (reference.startsWith('sha256:') && reference !== digest) throw damaged(image);
  const found = readManifest(content, image);
  if (!('manifests' in found)) return { digest, manifest: found };
  const { digest: chosen } = chooseManifest(found.manifests, platform, image);
  const own = await source.manifest(chosen);
  if (hashOf(own) !== chosen) throw damaged(image);
  return { digest, manifest: readOnlyManifest(own, image) };
}

/** It is kept only if it is for this device. */
async function configFor(image: string, path: string, platform: Platform): Promise<ImageConfig> {
  try {
    const config = readConfig(await readFile(path), image);
    const problem = platformProblem(config, platform, image);
    if (problem) throw new Error(problem);
    return config;
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  }
}

const damaged = (image: string) => new Error(`the manifest of "${image}" is damaged: add the image again`);

async function forgetAbandoned(dir: string): Promise<void> {
  for (const name of await readdir(dir)) {
    const path = join(dir, name);
    const found = await stat(path).catch(() => undefined);
    if (found?.isFile() && Date.now() - found.mtimeMs > ABANDONED_MS) await rm(path, { force: true });
  }
}

async function takeShared(
  shared: BlobCache | undefined,
  blobs: readonly Descriptor[],
  dir: string,
): Promise<void> {
  for (const { digest } of blobs) {
    const own = shared?.path(digest);
    if (own) await rename(own, pathOf(dir, digest)); // checked like all else
  }
}

async function requireRoom(
  image: string,
  missing: readonly Descriptor[],
  dir: string,
  engineDir: string | undefined,
): Promise<void> {
  const there = await Promise.all(missing.map((blob) => bytesOf(dir, blob)));
  const thereBytes = there.reduce((sum, bytes) => sum + bytes, 0);
  const data = await placeOf(dir);
  // An agent in a container of its own may not see the engine's.
  const engine = engineDir === undefined ? undefined : await placeOf(engineDir).catch(() => undefined);
  const problem = roomProblem(image, { missing, thereBytes }, data, engine);
  if (problem) throw new RuntimeError('disk-full', problem);
}

async function placeOf(path: string): Promise<Place> {
  const [{ bavail, bsize }, { dev }] = await Promise.all([statfs(path), stat(path)]);
  return { path, device: dev, freeBytes: bavail * bsize };
}

/** As `docker load` takes it, made while it is sent. */
async function load(
  engine: string,
  image: string,
  names: readonly string[],
  { config, layers }: Manifest,
  blobs: readonly Descriptor[],
  dir: string,
): Promise<void> {
  const manifest = [{ Config: fileName(config), RepoTags: names, Layers: layers.map(fileName) }];
  async function* archive(): AsyncGenerator<Buffer> {
    const text = Buffer.from(JSON.stringify(manifest));
    yield tarHeader({ path: 'manifest.json', type: 'file', mode: 0o644, size: text.length });
    yield padded(text);
    for (const blob of blobs) {
      yield tarHeader({ path: fileName(blob), type: 'file', mode: 0o644, size: blob.size });
      yield* createReadStream(pathOf(dir, blob.digest)) as AsyncIterable<Buffer>;
      yield Buffer.alloc(-blob.size & 511);
    }
    yield Buffer.alloc(1024);
  }
  try {
    await loadImages(engine, `"${image}"`, archive());
  } catch (error) {
    const { message } = error as Error;
    throw /no space left/.test(message) ? new RuntimeError('disk-full', message) : error;
  }
}

/** The same layer can be in an image twice. */
function unique(blobs: readonly Descriptor[]): Descriptor[] {
  return [...new Map(blobs.map((blob) => [blob.digest, blob])).values()];
}

const hashOf = (content: Buffer) => `sha256:${createHash('sha256').update(content).digest('hex')}`;
const fileName = ({ digest }: Descriptor) => digest.slice('sha256:'.length);
const padded = (content: Buffer) => Buffer.concat([content, Buffer.alloc(-content.length & 511)]);
