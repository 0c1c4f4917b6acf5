import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type BundleIndex, INDEX, MOST_INDEX_BYTES, readIndex, SIGNATURE } from './bundle-index.ts';
import { filesOfTar, type TarFile } from './tar-reader.ts';

const MOST_SIGNATURE_BYTES = 1024;
const CHUNK_BYTES = 1024 * 1024;

/** Where files of a bundle go that somebody wants: called for each file whose path it takes, before it is verified. */
export type Take = (path: string) => ((chunk: Buffer) => Promise<unknown>) | undefined;

/**
 * Reads all of a bundle and checks that it is what the hub has signed, and nothing else. Rejects with one line that says
 * what is wrong; what `take` was given is good only after this has resolved.
 */
export async function verifyBundle(
  file: string,
  ca: string,
  take: Take = () => undefined,
): Promise<BundleIndex> {
  try {
    return await verifyStream(createReadStream(file, { highWaterMark: CHUNK_BYTES }), ca, take);
  } catch (error) {
    throw new Error(`the bundle "${file}": ${(error as Error).message}`);
  }
}

async function verifyStream(archive: AsyncIterable<Buffer>, ca: string, take: Take): Promise<BundleIndex> {
  const files = filesOfTar(archive);
  const index = await contentOf(await next(files), INDEX, MOST_INDEX_BYTES);
  const signature = await contentOf(await next(files), SIGNATURE, MOST_SIGNATURE_BYTES);
  const bundle = readIndex(index, signature, ca);
  const missing = new Map(Object.entries(bundle.files));
  for await (const { path, content } of files) {
    const wanted = missing.get(path);
    if (!wanted) throw new Error(`"${path}" is in it, and not in its index`);
    missing.delete(path);
    const write = take(path);
    const hash = createHash('sha256');
    for await (const chunk of content) {
      hash.update(chunk);
      await write?.(chunk);
    }
    if (hash.digest('hex') !== wanted) throw new Error(`"${path}" in it is damaged`);
  }
  const [first] = missing.keys();
  if (first !== undefined) throw new Error(`"${first}" is missing from it`);
  return bundle;
}

async function next(files: AsyncGenerator<TarFile, void>): Promise<TarFile | undefined> {
  const { value } = await files.next();
  return value ?? undefined;
}

async function contentOf(file: TarFile | undefined, path: string, mostBytes: number): Promise<Buffer> {
  if (file?.path !== path) throw new Error(`it is no bundle: it must begin with "${path}"`);
  if (file.size > mostBytes) throw new Error(`"${path}" in it must have at most ${mostBytes} bytes`);
  const parts: Buffer[] = [];
  for await (const part of file.content) parts.push(part);
  return Buffer.concat(parts);
}
