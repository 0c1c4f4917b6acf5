import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { freePort } from './free-port.ts';
import { until } from './until.ts';

const MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';
const INDEX = 'application/vnd.docker.distribution.manifest.list.v2+json';
const CONFIG = 'application/vnd.docker.container.image.v1+json';
const LAYER = 'application/vnd.docker.image.rootfs.diff.tar.gzip';

interface Part {
  readonly mediaType: string;
  readonly size: number;
  readonly digest: string;
}

export interface PushedManifest {
  readonly schemaVersion: number;
  readonly mediaType: string;
  readonly config: Part;
  readonly layers: readonly Part[];
}

export const USER = { username: 'device', password: 'open-sesame' };
/** The same, as `htpasswd -B` writes it. */
const HTPASSWD = 'device:$2y$04$znfchsGlrrAA/9UdLIW6POQJp5UndjK3.FzcQNUT2wg.ThUrP.uma';

/**
 * Debian's docker-registry, which wants a password, behind a wire of the test's own: it counts what it gave, and can be cut after
 * some bytes, held up, or taken away.
 */
export class DockerRegistry {
  readonly #dir = mkdtempSync(join(tmpdir(), 'hf-registry-'));
  readonly #sockets = new Set<Socket>();
  readonly #authorization = `Basic ${Buffer.from(`${USER.username}:${USER.password}`).toString('base64')}`;
  #program: ChildProcess | undefined;
  #port = 0;
  #wire: Server | undefined;
  #wirePort = 0;
  /** How many bytes went to who pulls. */
  served = 0;
  readonly #held: (() => void)[] = [];
  /** After so many bytes from now on: nothing more comes (`hold`), or all connections end (`cut`). */
  #limit: { readonly kind: 'hold' | 'cut'; bytes: number } | undefined;

  async start(): Promise<void> {
    this.#port = await freePort();
    this.#wirePort = await freePort();
    mkdirSync(join(this.#dir, 'data'));
    writeFileSync(join(this.#dir, 'htpasswd'), `${HTPASSWD}\n`);
    writeFileSync(join(this.#dir, 'config.yml'), this.#config());
    this.#program = spawn('docker-registry', ['serve', join(this.#dir, 'config.yml')], { stdio: 'ignore' });
    await until('the registry answers', async () => (await fetch(`${this.#url}/v2/`)).status === 401);
    await this.open();
  }

  /** What images of it are called here. */
  get name(): string {
    return `127.0.0.1:${this.#wirePort}`;
  }

  /** `.dockerconfigjson` for a part of it. */
  credentials(password = USER.password, path = ''): string {
    const auth = Buffer.from(`${USER.username}:${password}`).toString('base64');
    return JSON.stringify({ auths: { [`${this.name}${path}`]: { auth } } });
  }

  async open(): Promise<void> {
    const wire = createServer((client) => this.#join(client));
    this.#wire = wire;
    await new Promise<void>((resolve) => wire.listen(this.#wirePort, '127.0.0.1', resolve));
  }

  /** Nobody reaches it any more. */
  async shut(): Promise<void> {
    const wire = this.#wire;
    this.#wire = undefined;
    for (const socket of this.#sockets) socket.destroy();
    if (wire) await new Promise((resolve) => wire.close(resolve));
  }

  limit(kind: 'hold' | 'cut', bytes: number): void {
    this.#limit = { kind, bytes };
  }

  /** What was held up goes on. */
  unlimited(): void {
    this.#limit = undefined;
    for (const goOn of this.#held.splice(0)) goOn();
  }

  /**
   * Resolves with its digest. `architectures`: of an index; otherwise it is for one. `lie`: what the manifest says in place of
   * what is true; the registry believes it.
   */
  async push(
    repository: string,
    tag: string,
    layers: readonly Buffer[],
    {
      architecture = 'amd64',
      architectures,
      lie = (manifest) => manifest,
    }: {
      architecture?: string;
      architectures?: readonly string[];
      lie?: (manifest: PushedManifest) => PushedManifest;
    } = {},
  ): Promise<string> {
    const manifest = async (each: string) =>
      Buffer.from(JSON.stringify(lie(await this.#manifest(repository, layers, each))));
    if (!architectures) return this.#put(repository, tag, MANIFEST, await manifest(architecture));
    const manifests: object[] = [];
    // One after the other: they share layers, and of two uploads of one the registry may lose sight for a moment.
    for (const each of architectures) {
      const content = await manifest(each);
      const digest = await this.#put(repository, digestOf(content), MANIFEST, content);
      const platform = { architecture: each, os: 'linux' };
      manifests.push({ mediaType: MANIFEST, size: content.length, digest, platform });
    }
    const index = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests }));
    return this.#put(repository, tag, INDEX, index);
  }

  async close(): Promise<void> {
    await this.shut();
    const program = this.#program;
    if (program?.exitCode === null) {
      const ended = new Promise((resolve) => program.once('exit', resolve));
      program.kill();
      await ended;
    }
    rmSync(this.#dir, { recursive: true, force: true });
  }

  async #manifest(
    repository: string,
    layers: readonly Buffer[],
    architecture: string,
  ): Promise<PushedManifest> {
    const config = Buffer.from(
      JSON.stringify({
        architecture,
        os: 'linux',
        config: {},
        rootfs: { type: 'layers', diff_ids: layers.map(digestOf) },
      }),
    );
    const part = async (mediaType: string, blob: Buffer) => ({
      mediaType,
      size: blob.length,
      digest: await this.#upload(repository, blob),
    });
    return {
      schemaVersion: 2,
      mediaType: MANIFEST,
      config: await part(CONFIG, config),
      layers: await Promise.all(layers.map((archive) => part(LAYER, gzipSync(archive, { level: 1 })))),
    };
  }

  async #upload(repository: string, blob: Buffer): Promise<string> {
    const digest = digestOf(blob);
    const headers = { Authorization: this.#authorization };
    const begun = await fetch(`${this.#url}/v2/${repository}/blobs/uploads/`, { method: 'POST', headers });
    const to = new URL(begun.headers.get('location') ?? '', this.#url);
    to.searchParams.set('digest', digest);
    const options = { method: 'PUT', headers, body: new Uint8Array(blob) };
    const { status } = await fetch(to, options);
    if (status !== 201) throw new Error(`the registry answers ${status} to a layer`);
    return digest;
  }

  async #put(repository: string, reference: string, type: string, content: Buffer): Promise<string> {
    const headers = { Authorization: this.#authorization, 'Content-Type': type };
    const options = { method: 'PUT', headers, body: new Uint8Array(content) };
    const { status } = await fetch(`${this.#url}/v2/${repository}/manifests/${reference}`, options);
    if (status !== 201) throw new Error(`the registry answers ${status} to a manifest`);
    return digestOf(content);
  }

  #join(client: Socket): void {
    const registry = connect(this.#port, '127.0.0.1');
    for (const socket of [client, registry]) {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.once('close', () => {
        this.#sockets.delete(socket);
        (socket === client ? registry : client).destroy();
      });
    }
    client.pipe(registry);
    registry.on('data', (part) => this.#give(client, registry, part));
  }

  #give(client: Socket, registry: Socket, part: Buffer): void {
    const limit = this.#limit;
    const given = limit ? part.subarray(0, Math.max(0, limit.bytes)) : part;
    if (limit) limit.bytes -= given.length;
    if (client.destroyed) return;
    this.served += given.length;
    const isDone = given.length < part.length;
    const goesOn = client.write(given, () => isDone && limit?.kind === 'cut' && client.destroy());
    if (isDone) {
      registry.pause();
      this.#held.push(() => {
        this.#give(client, registry, part.subarray(given.length));
        registry.resume();
      });
    } else if (!goesOn) {
      registry.pause();
      client.once('drain', () => registry.resume());
    }
  }

  get #url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  #config(): string {
    return JSON.stringify({
      version: '0.1',
      log: { level: 'error' },
      storage: { filesystem: { rootdirectory: join(this.#dir, 'data') } },
      http: { addr: `127.0.0.1:${this.#port}` },
      auth: { htpasswd: { realm: 'test', path: join(this.#dir, 'htpasswd') } },
    });
  }
}

/** An archive of one file. */
export function layerOf(name: string, content: Buffer): Buffer {
  const dir = mkdtempSync(join(tmpdir(), 'hf-layer-'));
  writeFileSync(join(dir, name), content);
  const archive = execFileSync('tar', ['-C', dir, '-c', name], { maxBuffer: 256 * 1024 * 1024 });
  rmSync(dir, { recursive: true });
  return archive;
}

function digestOf(content: Buffer): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}
