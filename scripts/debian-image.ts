import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DockerApi } from './docker-api.ts';
import { tarOf } from './tar.ts';

const SUITE = 'bookworm';
const MOST_BYTES = 512 * 1024 * 1024;
/** Of no use to a program, and half of it all. */
const NOT_NEEDED = [
  'var/cache/apt',
  'var/lib/apt',
  'debootstrap',
  'usr/share/doc',
  'usr/share/locale',
  'usr/share/man',
];

/**
 * Makes a minimal Debian as an image of the engine, also for a processor that is not this machine's, unless it is there.
 * It comes from Debian's packages alone, and nothing of it is run: packages are unpacked, and not set up.
 */
export async function ensureDebianImage(host: string, name: string, arch: 'amd64' | 'arm64'): Promise<void> {
  const engine = new DockerApi(host);
  if (await engine.imageLabels(name)) return;
  const work = mkdtempSync(join(tmpdir(), 'hf-debian-'));
  const root = join(work, 'root');
  try {
    const packages = ['--variant=minbase', '--include=libstdc++6', '--foreign'];
    execFileSync('debootstrap', [`--arch=${arch}`, ...packages, SUITE, root, mirror()], { stdio: 'ignore' });
    for (const path of NOT_NEEDED) rmSync(join(root, path), { recursive: true, force: true });
    const layer = execFileSync('tar', ['-C', root, '--numeric-owner', '-c', '.'], { maxBuffer: MOST_BYTES });
    await engine.loadImage(archiveOf(name, arch, layer));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Where this machine has its own packages from. */
function mirror(): string {
  const files = globSync(['/etc/apt/sources.list', '/etc/apt/sources.list.d/*']);
  const lines = files.map((file) => readFileSync(file, 'utf8')).join('\n');
  const [, url] = /^(?:URIs: *|deb +(?:\[[^\]]*\] +)?)(\S+)/m.exec(lines) ?? [];
  if (!url)
    throw new Error('/etc/apt/sources.list must say where Debian packages come from, and names no place');
  return url;
}

/** What `docker save` writes: an import can not say which processor an image is for. */
function archiveOf(name: string, architecture: string, layer: Buffer): Buffer {
  const id = createHash('sha256').update(layer).digest('hex');
  const config = Buffer.from(
    JSON.stringify({
      ...{ architecture, os: 'linux', config: {} },
      rootfs: { type: 'layers', diff_ids: [`sha256:${id}`] },
    }),
  );
  const configName = `${createHash('sha256').update(config).digest('hex')}.json`;
  const manifest = [{ Config: configName, RepoTags: [name], Layers: ['layer.tar'] }];
  const file = (path: string, content: Buffer) => ({ type: 'file', path, mode: 0o644, content }) as const;
  return tarOf([
    file(configName, config),
    file('layer.tar', layer),
    file('manifest.json', Buffer.from(JSON.stringify(manifest))),
  ]);
}
