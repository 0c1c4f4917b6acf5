import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Whether this process may install Debian packages here; otherwise why not. */
export function whyNoApt(): string | undefined {
  if (process.getuid?.() !== 0) return 'this is not root';
  return isDebian(osRelease()) ? undefined : 'this is neither Debian nor Ubuntu';
}

function osRelease(): string {
  try {
    return readFileSync('/etc/os-release', 'utf8');
  } catch {
    return '';
  }
}

/** Told from the text of /etc/os-release; so are systems that are made from Debian. */
export function isDebian(release: string): boolean {
  const ids = [...release.matchAll(/^(?:ID|ID_LIKE)="?([^"\n]*)"?$/gm)].flatMap(([, value = '']) =>
    value.split(' '),
  );
  return ids.includes('debian') || ids.includes('ubuntu');
}

/** Installs packages; of `wished`, those that this version of Debian has. Throws with what apt-get said last. */
export function installPackages(packages: readonly string[], wished: readonly string[] = []): void {
  apt(['update']);
  const present = wished.filter((name) => spawnSync('apt-cache', ['show', name]).status === 0);
  apt(['install', '-y', '--no-install-recommends', ...packages, ...present]);
}

/** Runs apt-get, in `cwd` when it writes there. Throws with what it said last. */
export function apt(args: readonly string[], cwd?: string): void {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const options = { env, encoding: 'utf8', ...(cwd && { cwd }) } as const;
  const { status, stdout, stderr } = spawnSync('apt-get', ['-q', ...args], options);
  if (status === 0) return;
  const lines = `${stdout}\n${stderr}`.trim().split('\n').slice(-5).join('\n');
  throw new Error(`"apt-get ${args.join(' ')}" did not succeed: run it by hand and see; it said:\n${lines}`);
}
