import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { BundledImage } from '../../proto/bundle/bundle-index.ts';

/* From what an engine saves (`docker save`, of any version) to an OCI image layout: each layer once, compressed. */

const TYPES = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
} as const;

/** An entry of an archive's manifest.json: paths in the archive. */
interface Saved {
  readonly Config: string;
  readonly RepoTags: readonly string[] | null;
  readonly Layers: readonly string[];
}

interface Blob {
  readonly digest: string;
  readonly size: number;
}

/**
 * Writes the layout into `out`, from the unpacked archive in `saved`. It has a `manifest.json` besides, so that engines that
 * know no OCI layout load it too. Resolves with the images.
 */
export async function writeImageLayout(saved: string, out: string): Promise<BundledImage[]> {
  await mkdir(join(out, 'blobs/sha256'), { recursive: true });
  const found = JSON.parse(await readFile(join(saved, 'manifest.json'), 'utf8')) as Saved[];
  // The engine has them in any order.
  const entries = found.sort((a, b) => ((a.RepoTags?.[0] ?? '') < (b.RepoTags?.[0] ?? '') ? -1 : 1));
  const layers = new Map<string, Promise<Blob>>();
  const manifests: object[] = [];
  const loadable: Saved[] = [];
  const images: BundledImage[] = [];
  for (const { Config, RepoTags, Layers } of entries) {
    const content = await readFile(join(saved, Config));
    const { architecture, os, rootfs } = JSON.parse(content.toString()) as {
      architecture: string;
      os: string;
      rootfs: { diff_ids: string[] };
    };
    const blobs: Blob[] = [];
    for (const [index, path] of Layers.entries()) {
      const id = rootfs.diff_ids[index] ?? path;
      const blob = layers.get(id) ?? putCompressed(join(saved, path), out);
      layers.set(id, blob);
      blobs.push(await blob);
    }
    const config = await putBlob(content, out);
    const manifest = await putBlob(Buffer.from(manifestOf(config, blobs)), out);
    const names = RepoTags ?? [];
    const platform = { architecture, os };
    for (const name of names) {
      const annotations = { 'org.opencontainers.image.ref.name': name, 'io.containerd.image.name': name };
      manifests.push({ mediaType: TYPES.manifest, ...manifest, platform, annotations });
      images.push({ name, architecture, id: config.digest });
    }
    const pathOf = ({ digest }: Blob) => `blobs/sha256/${digest.slice('sha256:'.length)}`;
    loadable.push({ Config: pathOf(config), RepoTags: names, Layers: blobs.map(pathOf) });
  }
  await writeFile(join(out, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  await writeFile(
    join(out, 'index.json'),
    JSON.stringify({ schemaVersion: 2, mediaType: TYPES.index, manifests }),
  );
  await writeFile(join(out, 'manifest.json'), JSON.stringify(loadable));
  return images;
}

function manifestOf(config: Blob, layers: readonly Blob[]): string {
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: TYPES.manifest,
    config: { mediaType: TYPES.config, ...config },
    layers: layers.map((layer) => ({ mediaType: TYPES.layer, ...layer })),
  });
}

async function putBlob(content: Buffer, out: string): Promise<Blob> {
  const hex = createHash('sha256').update(content).digest('hex');
  await writeFile(join(out, 'blobs/sha256', hex), content);
  return { digest: `sha256:${hex}`, size: content.length };
}

/** The same layer always gives the same blob: the compressed form has no time in it. */
async function putCompressed(layer: string, out: string): Promise<Blob> {
  const part = join(out, 'blobs/sha256', `part-${process.pid}`);
  const hash = createHash('sha256');
  const compressed = createGzip({ level: 6 });
  compressed.on('data', (chunk: Buffer) => hash.update(chunk));
  await pipeline(createReadStream(layer), compressed, createWriteStream(part));
  const hex = hash.digest('hex');
  await rename(part, join(out, 'blobs/sha256', hex));
  return { digest: `sha256:${hex}`, size: (await stat(join(out, 'blobs/sha256', hex))).size };
}
