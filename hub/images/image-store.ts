import { createHash } from 'node:crypto';
import { createReadStream, existsSync, readFileSync } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { giveToHub } from '../packages/give-to-hub.ts';
import { exclusively } from './exclusive.ts';

/** A manifest that devices can have: of one processor. */
export interface StoredImage {
  /** With a tag: what pods call it. */
  readonly name: string;
  readonly architecture: string;
  /** Of its manifest. */
  readonly digest: string;
  /** Of all of it, compressed. */
  readonly bytes: number;
}

interface Manifest {
  readonly config: { readonly digest: string; readonly size: number };
  readonly layers: readonly { readonly digest: string; readonly size: number }[];
}

const NAMES = 'names.json';
const DIGEST = /^sha256:[0-9a-f]{64}$/;

/**
 * Images that a hub keeps for its devices: an OCI layout's blobs, and which image is which. Blobs come first and names last, so
 * that an image is there as a whole or not at all. The commands and the hub that serves them are processes of their own:
 * each looks at the files.
 */
export class ImageStore {
  readonly #dir: string;
  readonly #dataDir: string;

  /** In the data directory of a hub. */
  constructor(dataDir: string) {
    this.#dataDir = dataDir;
    this.#dir = join(dataDir, 'images');
  }

  list(): readonly StoredImage[] {
    try {
      return JSON.parse(readFileSync(join(this.#dir, NAMES), 'utf8')) as StoredImage[];
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') return [];
      if (code !== undefined)
        throw new Error(`"${join(this.#dir, NAMES)}" can not be read`, { cause: error });
      throw new Error(`"${join(this.#dir, NAMES)}" is damaged: add the images again`, { cause: error });
    }
  }

  /** Where a blob is; undefined for what is not kept here. */
  blob(digest: string): string | undefined {
    if (!DIGEST.test(digest)) return undefined;
    const path = this.#blobPath(digest);
    return existsSync(path) ? path : undefined;
  }

  /**
   * Takes the images of an OCI layout: its blobs are moved here. One of the same name and processor is replaced. Rejects
   * when a blob is not what its name says, and then has taken none.
   */
  async addLayout(layout: string): Promise<StoredImage[]> {
    await this.#makeDirectories();
    return exclusively(this.#lock, () => this.#addLayout(layout));
  }

  async #addLayout(layout: string): Promise<StoredImage[]> {
    const { manifests } = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8')) as {
      manifests: {
        digest: string;
        platform: { architecture: string };
        annotations: Record<string, string>;
      }[];
    };
    const from = join(layout, 'blobs/sha256');
    for (const name of await readdir(from)) await this.#take(join(from, name), name);
    const added = manifests.map(({ digest, platform, annotations }) => ({
      name: annotations['org.opencontainers.image.ref.name'] ?? '',
      architecture: platform.architecture,
      digest,
      bytes: this.#sizeOf(digest),
    }));
    const isReplaced = ({ name, architecture }: StoredImage) =>
      added.some((each) => each.name === name && each.architecture === architecture);
    await this.#writeNames([...this.list().filter((image) => !isReplaced(image)), ...added]);
    await this.#sweep();
    return added;
  }

  /** Resolves with whether there was such an image. */
  async remove(name: string): Promise<boolean> {
    await this.#makeDirectories();
    return exclusively(this.#lock, () => this.#remove(name));
  }

  async #remove(name: string): Promise<boolean> {
    const all = this.list();
    const rest = all.filter((image) => image.name !== name);
    if (rest.length === all.length) return false;
    await this.#writeNames(rest);
    await this.#sweep();
    return true;
  }

  get #lock(): string {
    return join(this.#dir, '.changing');
  }

  async #makeDirectories(): Promise<void> {
    await mkdir(join(this.#dir, 'blobs/sha256'), { recursive: true, mode: 0o700 });
    for (const path of ['', 'blobs', 'blobs/sha256']) giveToHub(join(this.#dir, path), this.#dataDir);
  }

  #blobPath(digest: string): string {
    return join(this.#dir, 'blobs/sha256', digest.slice('sha256:'.length));
  }

  #manifest(digest: string): Manifest {
    return JSON.parse(readFileSync(this.#blobPath(digest), 'utf8')) as Manifest;
  }

  #sizeOf(digest: string): number {
    const { config, layers } = this.#manifest(digest);
    return layers.reduce((sum, { size }) => sum + size, config.size);
  }

  async #take(file: string, name: string): Promise<void> {
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
    const digest = hash.digest('hex');
    if (digest !== name)
      throw new Error(`the layout has a blob "${name}" that hashes to ${digest}: it is damaged`);
    await durable(file);
    giveToHub(file, this.#dataDir);
    await rename(file, this.#blobPath(`sha256:${name}`));
  }

  async #writeNames(images: readonly StoredImage[]): Promise<void> {
    const sorted = [...images].sort((a, b) => (a.name + a.architecture < b.name + b.architecture ? -1 : 1));
    const part = join(this.#dir, `.${NAMES}.${process.pid}`);
    const file = await open(part, 'w', 0o600);
    try {
      await file.writeFile(JSON.stringify(sorted, undefined, 1));
      await file.sync();
    } finally {
      await file.close();
    }
    giveToHub(part, this.#dataDir);
    await rename(part, join(this.#dir, NAMES));
  }

  /** Removes blobs that belong to no image any more. */
  async #sweep(): Promise<void> {
    const used = new Set(
      this.list().flatMap(({ digest }) => {
        const { config, layers } = this.#manifest(digest);
        return [digest, config.digest, ...layers.map((layer) => layer.digest)];
      }),
    );
    for (const name of await readdir(join(this.#dir, 'blobs/sha256'))) {
      const path = join(this.#dir, 'blobs/sha256', name);
      if (!used.has(`sha256:${name}`) && (await stat(path)).isFile()) await rm(path);
    }
  }
}

async function durable(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
