import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { filesOfTar } from '../../proto/bundle/tar-reader.ts';
import { tarHeader } from '../../proto/tar-header.ts';
import { loadImages } from '../runtime/engine-call.ts';
import { lookAtEngine } from './engine-store.ts';
import { fileKey, saveImported } from './imported.ts';
import { chooseManifest, type Platform, type PlatformManifest, platformProblem } from './platform.ts';

/** What tells of images is small; what is larger is a layer. */
const MOST_TEXT_BYTES = 1024 * 1024;
const MOST_TEXTS = 1_000;

/** As `docker save` has it: a file that names all others. */
interface SavedImage {
  readonly Config: string;
  readonly RepoTags: readonly string[] | null;
  readonly Layers: readonly string[];
}

interface OciDescriptor extends PlatformManifest {
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface ImportOptions {
  /** `unix:///var/run/docker.sock` */
  readonly engine: string;
  readonly dataDir: string;
}

/**
 * Gives the engine the images of an archive: what `docker save` makes, or an OCI image layout, packed or not. Resolves with their
 * names, which are remembered as imported. Rejects with one line that says what is wrong.
 */
export async function importArchive(file: string, { engine, dataDir }: ImportOptions): Promise<string[]> {
  const key = await fileKey(file);
  const { platform } = await lookAtEngine(engine);
  const { images, isSaved } = await imagesIn(file, platform);
  await loadImages(engine, `the images of "${file}"`, isSaved ? contentOf(file) : asSaved(file, images));
  const names = images.flatMap(({ RepoTags }) => RepoTags ?? []);
  await saveImported(dataDir, { images: names, files: [key] });
  return names;
}

/** What it has for this device. */
async function imagesIn(
  file: string,
  platform: Platform,
): Promise<{ images: readonly SavedImage[]; isSaved: boolean }> {
  const texts = await textsIn(file);
  const json = <T>(path: string) => {
    const found = texts.get(path);
    if (found === undefined) throw new Error(`"${file}" lacks "${path}": it is not whole`);
    return JSON.parse(found.toString()) as T;
  };
  const isSaved = texts.has('manifest.json');
  if (!isSaved && !texts.has('index.json'))
    throw new Error(`"${file}" is neither what "docker save" makes nor an OCI image layout: make it anew`);
  const images = isSaved
    ? json<SavedImage[]>('manifest.json')
    : imagesOfLayout(json<{ manifests: OciDescriptor[] }>('index.json').manifests, json, platform, file);
  for (const { Config, RepoTags } of images) {
    const [name] = RepoTags ?? [];
    if (!name) throw new Error(`"${file}" has an image without a name: save it by its name`);
    const problem = platformProblem(json<Partial<Platform>>(Config), platform, name);
    if (problem) throw new Error(problem);
  }
  if (images.length === 0) throw new Error(`"${file}" has no images`);
  return { images, isSaved };
}

function imagesOfLayout(
  found: readonly OciDescriptor[],
  json: <T>(path: string) => T,
  platform: Platform,
  file: string,
): SavedImage[] {
  const names = new Map<string, OciDescriptor[]>();
  for (const each of found) {
    const { 'io.containerd.image.name': full, 'org.opencontainers.image.ref.name': ref } =
      each.annotations ?? {};
    const name = full ?? (ref?.includes(':') ? ref : undefined);
    if (name) names.set(name, [...(names.get(name) ?? []), each]);
  }
  if (names.size === 0)
    throw new Error(`"${file}" does not say what its images are called: save them by their names`);
  return [...names].map(([name, descriptors]) => {
    const manifest = manifestOf(descriptors, json, platform, name);
    const { config, layers } = manifest;
    return { Config: blobPath(config), RepoTags: [name], Layers: layers.map(blobPath) };
  });
}

interface OciManifest {
  readonly config: { readonly digest: string };
  readonly layers: readonly { readonly digest: string }[];
}

function manifestOf(
  descriptors: readonly OciDescriptor[],
  json: <T>(path: string) => T,
  platform: Platform,
  name: string,
): OciManifest {
  const [only] = descriptors;
  const chosen = only && descriptors.length === 1 ? only : chooseManifest(descriptors, platform, name);
  const found = json<OciManifest & { readonly manifests?: readonly OciDescriptor[] }>(blobPath(chosen));
  return found.manifests ? manifestOf(found.manifests, json, platform, name) : found;
}

const blobPath = ({ digest }: { readonly digest: string }) => `blobs/${digest.replace(':', '/')}`;
const pathOf = (path: string) => path.replace(/^\.\//, '');

/** The small files of the archive, by their paths. */
async function textsIn(file: string): Promise<Map<string, Buffer>> {
  const texts = new Map<string, Buffer>();
  try {
    for await (const { path, size, content } of filesOfTar(contentOf(file), true)) {
      const parts: Buffer[] = [];
      for await (const part of content) if (size <= MOST_TEXT_BYTES) parts.push(part);
      if (size <= MOST_TEXT_BYTES && texts.size < MOST_TEXTS) texts.set(pathOf(path), Buffer.concat(parts));
    }
  } catch (error) {
    throw new Error(`"${file}" can not be read: ${(error as Error).message}`);
  }
  return texts;
}

/** A layout as `docker save` would have it, with what is for this device. */
async function* asSaved(file: string, images: readonly SavedImage[]): AsyncGenerator<Buffer> {
  const wanted = new Set(images.flatMap(({ Config, Layers }) => [Config, ...Layers]));
  for await (const { path, size, content } of filesOfTar(contentOf(file), true)) {
    const isWanted = wanted.delete(pathOf(path));
    if (isWanted) yield tarHeader({ path: pathOf(path), type: 'file', mode: 0o644, size });
    for await (const part of content) if (isWanted) yield part;
    if (isWanted) yield Buffer.alloc(-size & 511);
  }
  const [missing] = wanted;
  if (missing !== undefined) throw new Error(`"${file}" lacks "${missing}": it is not whole`);
  const text = Buffer.from(JSON.stringify(images));
  yield tarHeader({ path: 'manifest.json', type: 'file', mode: 0o644, size: text.length });
  yield Buffer.concat([text, Buffer.alloc(-text.length & 511), Buffer.alloc(1024)]);
}

/** Unpacked, whatever its name says of that. */
async function* contentOf(file: string): AsyncGenerator<Buffer> {
  const packed = createReadStream(file);
  const magic = await beginningOf(file);
  const unpack = magic === 0x1f8b ? createGunzip() : magic === 0x28b5 ? createZstdDecompress() : undefined;
  const content: Readable = unpack
    ? packed.once('error', (error) => unpack.destroy(error)).pipe(unpack)
    : packed;
  yield* content as AsyncIterable<Buffer>;
}

async function beginningOf(file: string): Promise<number> {
  const opened = await open(file);
  try {
    const { buffer } = await opened.read(Buffer.alloc(2), 0, 2, 0);
    return buffer.readUInt16BE();
  } finally {
    await opened.close();
  }
}
