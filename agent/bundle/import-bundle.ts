import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { BundledImage, BundleIndex } from '../../proto/bundle/bundle-index.ts';
import { verifyBundle } from '../../proto/bundle/verify-bundle.ts';
import { architectureOf, callEngine, loadImages } from '../runtime/engine-call.ts';

const CHUNK_BYTES = 1024 * 1024;
const PACKAGES = 'packages/';

export interface ImportOptions {
  /** PEM: bundles of this hub alone are taken. */
  readonly ca: string;
  /** `unix:///var/run/docker.sock` */
  readonly engine: string;
  /** Packages are kept there, in `packages/`. */
  readonly dataDir: string;
}

export interface Imported {
  readonly loaded: readonly string[];
  /** The engine had them. */
  readonly present: readonly string[];
  /** For another processor. */
  readonly foreign: readonly string[];
  readonly packages: readonly string[];
}

/**
 * Gives the engine the images of a bundle and keeps its packages. Nothing is used before all of it is verified; what runs is
 * not touched. Can be repeated. Rejects with one line that says what is wrong.
 */
export async function importBundle(file: string, { ca, engine, dataDir }: ImportOptions): Promise<Imported> {
  const before = await hashOf(file);
  const packages = new KeptPackages(join(dataDir, 'packages'));
  try {
    const bundle = await verifyBundle(file, ca, (path) => packages.take(path));
    const images = await imagesFor(bundle, engine);
    if (images.missing.length > 0) await loadImages(engine, 'the images', verifiedAgain(file, before));
    return {
      loaded: images.missing.map(({ name }) => name),
      present: images.present.map(({ name }) => name),
      foreign: images.foreign.map(({ name }) => name),
      packages: await packages.keep(),
    };
  } finally {
    await packages.forget();
  }
}

interface Sorted {
  readonly missing: readonly BundledImage[];
  readonly present: readonly BundledImage[];
  readonly foreign: readonly BundledImage[];
}

async function imagesFor({ images }: BundleIndex, engine: string): Promise<Sorted> {
  if (images.length === 0) return { missing: [], present: [], foreign: [] };
  const here = await architectureOf(engine);
  const foreign = images.filter(({ architecture }) => architecture !== here);
  const own = images.filter(({ architecture }) => architecture === here);
  if (own.length === 0)
    throw new Error(
      `its images are for ${[...new Set(images.map(({ architecture }) => architecture))].join(', ')}, and this device is ${here}: make it of images for ${here}`,
    );
  const has = await Promise.all(
    own.map(async ({ name, id }) => {
      const { code, text } = await callEngine(engine, 'GET', `/images/${encodeURIComponent(name)}/json`);
      return code === 200 && (JSON.parse(text) as { Id: string }).Id === id;
    }),
  );
  return {
    foreign,
    missing: own.filter((_, index) => !has[index]),
    present: own.filter((_, index) => has[index]),
  };
}

/** All of the file goes to the engine, which takes what it knows. It must be the file that was verified. */
async function* verifiedAgain(file: string, verified: string): AsyncGenerator<Buffer> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file, { highWaterMark: CHUNK_BYTES }) as AsyncIterable<Buffer>) {
    hash.update(chunk);
    yield chunk;
  }
  // Before the engine has seen the end, and so before it takes anything.
  if (hash.digest('hex') !== verified) throw new Error(`"${file}" was changed while it was read`);
}

async function hashOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(file, { highWaterMark: CHUNK_BYTES }))
      hash.update(chunk as Buffer);
  } catch (error) {
    throw new Error(`the bundle "${file}" can not be read: ${(error as Error).message}`);
  }
  return hash.digest('hex');
}

/** Files that are written while the bundle is verified, and have their names only after. */
class KeptPackages {
  readonly #dir: string;
  readonly #parts: string;
  readonly #open = new Map<string, Promise<FileHandle>>();

  constructor(dir: string) {
    this.#dir = dir;
    this.#parts = join(dir, `.part-${process.pid}`);
  }

  take(path: string): ((chunk: Buffer) => Promise<unknown>) | undefined {
    const name = path.slice(PACKAGES.length);
    if (!path.startsWith(PACKAGES) || name.includes('/') || name.startsWith('.')) return undefined;
    const file = mkdir(this.#parts, { recursive: true, mode: 0o700 }).then(() =>
      open(join(this.#parts, name), 'w', 0o600),
    );
    this.#open.set(name, file);
    return async (chunk) => (await file).write(chunk);
  }

  async keep(): Promise<string[]> {
    for (const [name, opened] of this.#open) {
      const file = await opened;
      await file.sync();
      await file.close();
      await rename(join(this.#parts, name), join(this.#dir, name));
    }
    const names = [...this.#open.keys()];
    this.#open.clear();
    return names;
  }

  async forget(): Promise<void> {
    for (const opened of this.#open.values()) await (await opened).close();
    await rm(this.#parts, { recursive: true, force: true });
    // What a process left that was killed meanwhile.
    const left = await readdir(this.#dir).catch(() => []);
    for (const name of left.filter((each) => each.startsWith('.part-')))
      await rm(join(this.#dir, name), { recursive: true, force: true });
  }
}
