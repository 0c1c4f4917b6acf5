import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, rename, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { tarHeader } from '../../proto/tar-header.ts';
import { architectureOf, loadImages } from '../runtime/engine-call.ts';
import type { Identity } from '../state/agent-state.ts';
import { BlobCache } from './blob-cache.ts';
import { HubRegistry } from './hub-registry.ts';
import { blobOfPeers } from './peers.ts';

interface Descriptor {
  readonly digest: string;
  readonly size: number;
}

interface Manifest {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

export interface PullOptions {
  readonly identity: Identity;
  /** `unix:///var/run/docker.sock` */
  readonly engine: string;
  /** What is half there is kept in `images/` of it, for the next attempt. */
  readonly dataDir: string;
  /** Where this device gives layers to others of its site; undefined: it takes no part in that. */
  readonly peerPort: number | undefined;
}

/** On disk for a while, compressed; then what the engine makes of it. */
const ROOM_FACTOR = 3;
/** What a device keeps for others of its site. */
export const MOST_SHARED_BYTES = 1024 ** 3;

/**
 * Gets an image from the hub and gives it to the engine. A download that was cut off goes on where it was. Resolves with whether
 * the hub has the image; rejects when it has, and it can not be had.
 */
export async function pullFromHub(image: string, options: PullOptions): Promise<boolean> {
  const { identity, engine, dataDir, peerPort } = options;
  if (image.includes('@')) return false; // the hub keeps them by their tags
  const registry = new HubRegistry(identity);
  const [name, tag] = partsOfName(image);
  const index = await registry.manifest(name, tag);
  if (!index) return false;
  const digest = await digestForHere(index, image, engine);
  const content = digest && (await registry.manifest(name, digest));
  if (!content || hashOf(content) !== digest) throw new Error(`the hub's manifest of "${image}" is damaged`);
  const { config, layers } = JSON.parse(content.toString()) as Manifest;
  const dir = join(dataDir, 'images');
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await requireRoom(dir, [config, ...layers]);
  const shared = peerPort === undefined ? undefined : new BlobCache(dataDir, MOST_SHARED_BYTES);
  const peers = peerPort === undefined ? [] : await registry.peers(peerPort);
  const hub: Fetch = (blob, from) => registry.blob(name, blob, from);
  const nearest: Fetch = async (blob, from) =>
    (await blobOfPeers(peers, identity, blob, from)) ?? hub(blob, from);
  for (const blob of [config, ...layers]) {
    const own = shared?.path(blob.digest);
    if (own) await rename(own, pathOf(dir, blob.digest)); // checked like all else
    await download([nearest, hub], blob, dir);
  }
  await load(engine, image, { config, layers }, dir);
  for (const { digest: each } of new Map([config, ...layers].map((blob) => [blob.digest, blob])).values()) {
    if (shared) await shared.keep(each, pathOf(dir, each));
    else await rm(pathOf(dir, each), { force: true });
  }
  return true;
}

/** What a registry calls it: the whole name, and the tag. */
function partsOfName(image: string): [name: string, tag: string] {
  const at = image.lastIndexOf(':');
  return at > image.lastIndexOf('/') ? [image.slice(0, at), image.slice(at + 1)] : [image, 'latest'];
}

/** Of the manifest for this device's processor. Throws when there is none for it. */
async function digestForHere(index: Buffer, image: string, engine: string): Promise<string | undefined> {
  const { manifests } = JSON.parse(index.toString()) as {
    manifests: readonly (Descriptor & { readonly platform: { readonly architecture: string } })[];
  };
  const own = await architectureOf(engine);
  const found = manifests.find(({ platform }) => platform.architecture === own);
  if (found) return found.digest;
  const there = manifests.map(({ platform }) => platform.architecture).join(', ');
  throw new Error(
    `the hub has "${image}" for ${there}, and this device is ${own}: add it for ${own} at the hub`,
  );
}

async function requireRoom(dir: string, blobs: readonly Descriptor[]): Promise<void> {
  const needed = blobs.reduce((sum, { size }) => sum + size, 0) * ROOM_FACTOR;
  const { bavail, bsize } = await statfs(dir);
  const free = bavail * bsize;
  if (free < needed)
    throw new Error(
      `the image needs about ${mebibytes(needed)} on "${dir}", and ${mebibytes(free)} are free: make room`,
    );
}

type Fetch = (digest: string, from: number) => Promise<AsyncIterable<Buffer>>;

/**
 * Goes on where an attempt before was cut off. What does not hash to its name is thrown away, and had from the next source
 * anew: of what a disk or a neighbour has done, the hub knows nothing.
 */
async function download(sources: readonly Fetch[], blob: Descriptor, dir: string): Promise<void> {
  let found = '';
  for (const fetch of sources) {
    found = await fetchAndHash(fetch, blob, pathOf(dir, blob.digest));
    if (found === blob.digest) return;
    await rm(pathOf(dir, blob.digest));
  }
  throw new Error(
    `a part of the image is ${found}, must be ${blob.digest}: the hub's is damaged, add the image again`,
  );
}

/** Resolves with the digest of what there is then. Never takes more than the blob has. */
async function fetchAndHash(fetch: Fetch, { digest, size }: Descriptor, path: string): Promise<string> {
  const hash = createHash('sha256');
  let have = (await stat(path).catch(() => undefined))?.size ?? 0;
  if (have > 0) for await (const part of createReadStream(path)) hash.update(part as Buffer);
  if (have < size) {
    const file = await open(path, 'a', 0o600);
    try {
      for await (const part of await fetch(digest, have)) {
        hash.update(part);
        have += part.length;
        if (have > size) break;
        await file.write(part);
      }
      await file.sync();
    } finally {
      await file.close();
    }
  }
  return `sha256:${hash.digest('hex')}`;
}

/** As `docker load` takes it, made while it is sent. */
async function load(engine: string, image: string, { config, layers }: Manifest, dir: string): Promise<void> {
  const [name, tag] = partsOfName(image);
  const manifest = [{ Config: fileName(config), RepoTags: [`${name}:${tag}`], Layers: layers.map(fileName) }];
  async function* archive(): AsyncGenerator<Buffer> {
    const text = Buffer.from(JSON.stringify(manifest));
    yield tarHeader({ path: 'manifest.json', type: 'file', mode: 0o644, size: text.length });
    yield padded(text);
    for (const blob of new Map([config, ...layers].map((each) => [each.digest, each])).values()) {
      yield tarHeader({ path: fileName(blob), type: 'file', mode: 0o644, size: blob.size });
      yield* createReadStream(pathOf(dir, blob.digest)) as AsyncIterable<Buffer>;
      yield Buffer.alloc(-blob.size & 511);
    }
    yield Buffer.alloc(1024);
  }
  await loadImages(engine, `"${image}"`, archive());
}

const hashOf = (content: Buffer) => `sha256:${createHash('sha256').update(content).digest('hex')}`;
const hexOf = (digest: string) => digest.slice('sha256:'.length);
const pathOf = (dir: string, digest: string) => join(dir, hexOf(digest));
const fileName = ({ digest }: Descriptor) => `${hexOf(digest)}`;
const padded = (content: Buffer) => Buffer.concat([content, Buffer.alloc(-content.length & 511)]);
const mebibytes = (bytes: number) => `${Math.ceil(bytes / 1024 / 1024)} MiB`;
