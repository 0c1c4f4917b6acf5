import { execFileSync } from 'node:child_process';
import { existsSync, globSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { apt, whyNoApt } from './apt.ts';
import { ROOT } from './local-files.ts';

const CACHE = join(ROOT, 'build/debian');

/** Packages that are not for this machine, but for one that a test makes of it. */
interface DebianLayer {
  readonly packages: readonly string[];
  /** Those that could not be installed here, as they are in place of what this machine has. Without what they need. */
  readonly alone?: readonly string[];
}

/** What tests make machines of. */
const LAYERS = {
  openrc: { packages: ['openrc'], alone: ['sysvinit-core'] },
  podman: { packages: ['podman', 'netavark', 'aardvark-dns'] }, // with what Debian recommends for it
  'cloud-init': { packages: ['cloud-init'] },
} as const satisfies Record<string, DebianLayer>;
export type LayerName = keyof typeof LAYERS;
export const LAYER_NAMES = Object.keys(LAYERS) as LayerName[];

/**
 * A folder with the files of packages, and of all that they need and this machine lacks, as a root has them; downloaded
 * and unpacked once. Nothing is installed, and nothing of it is run.
 */
export function debianLayer(name: LayerName): string {
  const dir = join(CACHE, name);
  if (existsSync(dir)) return dir;
  const why = whyNoApt();
  if (why) throw new Error(`Debian's ${name} is needed to make a machine with it, and ${why}`);
  mkdirSync(CACHE, { recursive: true });
  const work = mkdtempSync(join(CACHE, '.part-'));
  try {
    const root = join(work, 'root');
    for (const each of ['bin', 'sbin', 'lib', 'lib64']) {
      mkdirSync(join(root, 'usr', each), { recursive: true });
      symlinkSync(`usr/${each}`, join(root, each));
    }
    for (const file of download(LAYERS[name], join(work, 'archives'))) unpack(file, root);
    renameSync(root, dir); // whole, or not there
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return dir;
}

function download({ packages, alone = [] }: DebianLayer, dir: string): string[] {
  mkdirSync(join(dir, 'partial'), { recursive: true });
  apt(['update']);
  // Nothing of this machine changes, so whoever installs something meanwhile need not be waited for.
  const aside = [
    '-o',
    `Dir::Cache::Archives=${dir}`,
    '-o',
    'APT::Sandbox::User=root',
    '-o',
    'Debug::NoLocking=1',
  ];
  apt([...aside, 'install', '-y', '--no-install-recommends', '--download-only', ...packages]);
  if (alone.length > 0) apt([...aside, 'download', ...alone], dir);
  return globSync(join(dir, '*.deb'));
}

function unpack(file: string, root: string): void {
  const files = execFileSync('dpkg-deb', ['--fsys-tarfile', file], { maxBuffer: 2 ** 30 });
  // `/lib` is a link to `/usr/lib`, and stays one.
  execFileSync('tar', ['-x', '-C', root, '--keep-directory-symlink'], { input: files });
}
