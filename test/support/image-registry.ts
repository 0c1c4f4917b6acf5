import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { rootArchive } from './images.ts';

const MANIFEST_TYPE = 'application/vnd.docker.distribution.manifest.v2+json';

/** A registry of images of this test's own, on the loopback, where engines need no TLS. It knows what was asked of it. */
export class ImageRegistry {
  /** Paths of manifests and layers that were asked for. */
  readonly asked: string[] = [];
  readonly #server: Server;
  readonly #blobs = new Map<string, Buffer>();
  /** By tag. */
  readonly #manifests = new Map<string, string>();

  private constructor() {
    this.#server = createServer(({ url = '', method }, response) => {
      if (url === '/v2/') return void response.writeHead(200).end();
      this.asked.push(url);
      const [, kind, name = ''] = /^\/v2\/app\/(manifests|blobs)\/(.+)$/.exec(url) ?? [];
      const digest = this.#manifests.get(name) ?? name;
      const blob = this.#blobs.get(digest);
      if (!blob) return void response.writeHead(404).end();
      response.writeHead(200, {
        'Content-Type': kind === 'manifests' ? MANIFEST_TYPE : 'application/octet-stream',
        'Content-Length': blob.length,
        'Docker-Content-Digest': digest,
      });
      response.end(method === 'HEAD' ? undefined : blob);
    });
  }

  static async start(): Promise<ImageRegistry> {
    const registry = new ImageRegistry();
    await new Promise<void>((resolve) => registry.#server.listen(0, '127.0.0.1', resolve));
    return registry;
  }

  /** What the engine calls the image: by its tag, and by its digest. */
  add(version: number): { readonly tagged: string; readonly byDigest: string; readonly digest: string } {
    const archive = rootArchive(version);
    const layer = gzipSync(archive);
    const config = Buffer.from(
      JSON.stringify({
        architecture: process.arch === 'x64' ? 'amd64' : process.arch,
        os: 'linux',
        config: {},
        rootfs: { type: 'layers', diff_ids: [digestOf(archive)] },
      }),
    );
    const part = (mediaType: string, blob: Buffer) => ({
      mediaType,
      size: blob.length,
      digest: this.#keep(blob),
    });
    const manifest = {
      schemaVersion: 2,
      mediaType: MANIFEST_TYPE,
      config: part('application/vnd.docker.container.image.v1+json', config),
      layers: [part('application/vnd.docker.image.rootfs.diff.tar.gzip', layer)],
    };
    const digest = this.#keep(Buffer.from(JSON.stringify(manifest)));
    this.#manifests.set(`${version}`, digest);
    const { port } = this.#server.address() as AddressInfo;
    const name = `127.0.0.1:${port}/app`;
    return { tagged: `${name}:${version}`, byDigest: `${name}@${digest}`, digest };
  }

  #keep(blob: Buffer): string {
    const digest = digestOf(blob);
    this.#blobs.set(digest, blob);
    return digest;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

function digestOf(blob: Buffer): string {
  return `sha256:${createHash('sha256').update(blob).digest('hex')}`;
}
