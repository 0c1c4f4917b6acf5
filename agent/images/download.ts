import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

export interface Descriptor {
  readonly digest: string;
  readonly size: number;
  readonly mediaType?: string;
}

/** A blob from a byte on, or from an earlier one. */
export interface Rest {
  readonly from: number;
  readonly parts: AsyncIterable<Buffer>;
}

export type Fetch = (digest: string, from: number) => Promise<Rest>;

export const pathOf = (dir: string, digest: string) => join(dir, digest.slice('sha256:'.length));

/**
 * Goes on where an attempt before was cut off. What does not hash to its name is thrown away, and had from the next source
 * anew: of what a disk or a neighbour has done, who gives it knows nothing.
 */
export async function download(
  sources: readonly Fetch[],
  blob: Descriptor,
  dir: string,
  onBytes: (count: number) => void = () => undefined,
): Promise<void> {
  const path = pathOf(dir, blob.digest);
  let found = '';
  for (const fetch of sources) {
    found = await fetchAndHash(fetch, blob, path, onBytes);
    if (found === blob.digest) return requireSize(blob, path);
    await rm(path, { force: true });
  }
  throw new Error(
    `a part of the image is ${found}, must be ${blob.digest}: where it comes from it is damaged, add the image again`,
  );
}

/** What is right by its hash may be another than the manifest says: it would tell the engine the wrong length. */
async function requireSize({ digest, size }: Descriptor, path: string): Promise<void> {
  const found = await stat(path);
  if (found.size === size) return;
  await rm(path, { force: true });
  throw new Error(
    `the manifest says that ${digest} has ${size} bytes, and it has ${found.size}: push it anew`,
  );
}

/** How much of a blob is there already. */
export async function bytesOf(dir: string, { digest, size }: Descriptor): Promise<number> {
  const found = await stat(pathOf(dir, digest)).catch(() => undefined);
  return Math.min(found?.size ?? 0, size);
}

/** Resolves with the digest of what there is then, or with words for it. Never takes more than the blob has. */
async function fetchAndHash(
  fetch: Fetch,
  { digest, size }: Descriptor,
  path: string,
  onBytes: (count: number) => void,
): Promise<string> {
  let hash = createHash('sha256');
  let have = (await stat(path).catch(() => undefined))?.size ?? 0;
  if (have > 0) for await (const part of createReadStream(path)) hash.update(part as Buffer);
  onBytes(Math.min(have, size));
  if (have < size) {
    const rest = await fetch(digest, have);
    const file = await open(path, 'a', 0o600);
    try {
      if (rest.from < have) {
        await file.truncate(rest.from);
        onBytes(rest.from - have);
        [hash, have] = [createHash('sha256'), rest.from]; // only ever all of it
      }
      have += await append(file, rest.parts, size - have, (part) => {
        hash.update(part);
        onBytes(part.length);
      });
      await file.sync();
    } finally {
      await file.close();
    }
    if (have > size) return `longer than the ${size} bytes that the manifest says`;
  }
  return `sha256:${hash.digest('hex')}`;
}

async function append(
  file: FileHandle,
  parts: AsyncIterable<Buffer>,
  most: number,
  onPart: (part: Buffer) => void,
): Promise<number> {
  let count = 0;
  for await (const part of parts) {
    count += part.length;
    onPart(part);
    if (count > most) break; // it is another
    await file.write(part);
  }
  return count;
}
