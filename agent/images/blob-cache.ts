import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';

const HEX = /^[0-9a-f]{64}$/;

/** Layers that a device keeps for others of its site, by their hashes; those that nobody has asked for longest go first. */
export class BlobCache {
  readonly #dir: string;
  readonly #mostBytes: number;

  constructor(dataDir: string, mostBytes: number) {
    this.#dir = join(dataDir, 'images/shared');
    this.#mostBytes = mostBytes;
  }

  /** Where it is; undefined for what is not kept. */
  path(digest: string): string | undefined {
    const hex = digest.replace(/^sha256:/, '');
    const path = join(this.#dir, hex);
    return HEX.test(hex) && existsSync(path) ? path : undefined;
  }

  async used(digest: string): Promise<void> {
    const path = this.path(digest);
    const now = new Date();
    if (path) await utimes(path, now, now).catch(() => undefined); // gone just now
  }

  /** Takes a file whose hash was checked. */
  async keep(digest: string, file: string): Promise<void> {
    await mkdir(this.#dir, { recursive: true, mode: 0o700 });
    await rename(file, join(this.#dir, digest.replace(/^sha256:/, '')));
    await this.#shrink();
  }

  async #shrink(): Promise<void> {
    const names = await readdir(this.#dir);
    const found = await Promise.all(
      names.map(async (name) => {
        const path = join(this.#dir, name);
        const { size, mtimeMs } = await stat(path);
        return { path, size, mtimeMs };
      }),
    );
    let bytes = found.reduce((sum, { size }) => sum + size, 0);
    for (const { path, size } of found.sort((a, b) => a.mtimeMs - b.mtimeMs)) {
      if (bytes <= this.#mostBytes) return;
      await rm(path, { force: true });
      bytes -= size;
    }
  }
}
