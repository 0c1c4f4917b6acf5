import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../local-files.ts';
import type { Target } from './target.ts';

const CACHE = join(ROOT, 'build/runtimes');

interface Locked {
  readonly version: string;
  readonly integrity: string;
}

/** What removes symbols, for each processor, and the Debian package that has it. */
export const STRIP = {
  amd64: { tool: 'x86_64-linux-gnu-strip', debian: 'binutils-x86-64-linux-gnu' },
  arm64: { tool: 'aarch64-linux-gnu-strip', debian: 'binutils-aarch64-linux-gnu' },
} as const;

export interface Runtime {
  /** Of the stripped Node.js. */
  readonly path: string;
  readonly version: string;
  /** Its licence, and those of what is in it. */
  readonly licence: string;
}

/**
 * Node.js for a processor, as package-lock.json pins it, without its symbols (a seventh of it). Fetched and stripped
 * once for each version. Throws with what to do about it.
 */
export function runtimeFor({ runtime, arch }: Target): Runtime {
  const { version, integrity } = lockedRuntime(runtime);
  const dir = join(CACHE, `${runtime}-${version}`);
  if (!existsSync(dir)) {
    mkdirSync(CACHE, { recursive: true });
    const work = mkdtempSync(join(CACHE, 'part-'));
    try {
      fetchRuntime(work, `${runtime}@${version}`, integrity);
      strip(join(work, 'package/bin/node'), arch);
      renameSync(join(work, 'package'), dir); // whole, or not there
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  }
  return {
    path: join(dir, 'bin/node'),
    version,
    licence: readFileSync(join(dir, 'LICENSE'), 'utf8'),
  };
}

function lockedRuntime(name: string): Locked {
  const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, Locked | undefined>;
  };
  const found = lock.packages[`node_modules/${name}`];
  if (!found) throw new Error(`package-lock.json must pin ${name}, and does not`);
  return found;
}

function fetchRuntime(dir: string, name: string, integrity: string): void {
  const packed = execFileSync('npm', ['pack', '--json', '--pack-destination', dir, name], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [{ filename }] = JSON.parse(packed) as [{ filename: string }];
  const archive = join(dir, filename);
  const found = `sha512-${createHash('sha512').update(readFileSync(archive)).digest('base64')}`;
  if (found !== integrity)
    throw new Error(`${name} must be what package-lock.json says (${integrity}), is ${found}`);
  execFileSync('tar', ['-xzf', archive, '-C', dir]);
}

/** GNU's own for each processor: what it writes is the same on every machine that has the same binutils. */
function strip(file: string, arch: Target['arch']): void {
  const { tool, debian } = STRIP[arch];
  try {
    execFileSync(tool, ['--strip-all', file]);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new Error(`"${tool}" is needed to make packages for ${arch}: install Debian's ${debian}`);
  }
}
