import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../local-files.ts';
import { type TarEntry, tarParts } from '../tar.ts';
import { type Contents, contentsOf } from './contents.ts';
import { debOf } from './deb.ts';
import { debianControl, debianFiles } from './debian.ts';
import { gzipOf } from './gzip.ts';
import { type SigningKey, signingKey } from './minisign-key.ts';
import { type ProgramName, TARGETS, type Target } from './target.ts';
import { UNITS } from './units.ts';

export const OUTPUT = join(ROOT, 'dist/packages');
/** What the packages there were made from. */
const RECORD = join(ROOT, 'dist/packages.made-from');
const UNINSTALL = join(ROOT, 'hub/packages/on-device/uninstall.sh');

export interface Package {
  readonly name: string;
  readonly bytes: number;
}

/** Makes them all, unless they are there and nothing that they are made from has changed. Resolves with what is there. */
export async function ensurePackages(
  programs: readonly ProgramName[],
  arches: readonly Target['arch'][],
): Promise<Package[]> {
  const key = signingKey();
  const all: Contents[] = [];
  for (const target of TARGETS.filter(({ arch }) => arches.includes(arch)))
    for (const program of programs) all.push(await contentsOf(program, target, key.publicKey));
  const madeFrom = all.map(hashOf).join('\n');
  if (readRecord() !== madeFrom) {
    rmSync(RECORD, { force: true });
    await makePackages(all, key);
    writeFileSync(RECORD, madeFrom);
  }
  const names = readdirSync(OUTPUT).filter((name) => !name.endsWith('.minisig'));
  return names.map((name) => ({ name, bytes: statSync(join(OUTPUT, name)).size }));
}

async function makePackages(all: readonly Contents[], key: SigningKey): Promise<void> {
  mkdirSync(OUTPUT, { recursive: true });
  for (const name of readdirSync(OUTPUT)) rmSync(join(OUTPUT, name));
  const sums: string[] = [];
  const put = (name: string, content: Buffer) => {
    writeFileSync(join(OUTPUT, name), content);
    writeFileSync(join(OUTPUT, `${name}.minisig`), key.sign(content, name));
  };
  for (const contents of all) {
    for (const [name, content] of await packagesOf(contents)) {
      put(name, content);
      sums.push(`${createHash('sha256').update(content).digest('hex')}  ${name}\n`);
    }
  }
  put('SHA256SUMS', Buffer.from(sums.sort().join('')));
  writeFileSync(join(OUTPUT, 'release.pub'), key.publicKey);
}

/**
 * An archive, a Debian package with the same files, and for agents the archive without Node.js: what a device needs that
 * has this Node.js already. By name.
 */
export async function packagesOf(contents: Contents): Promise<Map<string, Buffer>> {
  const { program, version, target, files } = contents;
  const name = `${program}-${version}-linux-${target.arch}`;
  const [archive, data, update] = await Promise.all([
    gzipOf(archiveOf(contents)),
    gzipOf(tarParts(debianFiles(contents))),
    gzipOf(archiveOf({ ...contents, files: withoutRuntime(files) })),
  ]);
  return new Map([
    [`${name}.tar.gz`, archive],
    ...(program === 'holdfast-agent' ? [[`${name}-slim.tar.gz`, update] as const] : []),
    [`${program}_${version}_${target.arch}.deb`, debOf(debianControl(contents), data)],
  ]);
}

export const withoutRuntime = (files: Contents['files']) => files.filter(({ path }) => path !== 'lib/node');

/** What is in an archive, in parts, before it is compressed. */
export function archiveOf({ program, version, target, files }: Contents): Buffer[] {
  const folder = `${program}-${version}-linux-${target.arch}`;
  return tarParts(
    [...files, ...ofArchives(program)].map((entry) => ({ ...entry, path: `${folder}/${entry.path}` })),
  );
}

/** What a package manager has of its own, and an archive must bring. */
function ofArchives(program: ProgramName): Extract<TarEntry, { type: 'file' }>[] {
  const unit = UNITS[program];
  const file = (path: string, mode: number, content: Buffer) =>
    ({ type: 'file', path: `share/${path}`, mode, content }) as const;
  return [
    file(`systemd/${unit.name}`, 0o644, Buffer.from(unit.of('/usr/local/bin'))),
    ...(program === 'holdfast-agent' ? [file('uninstall.sh', 0o755, readFileSync(UNINSTALL))] : []),
  ];
}

function hashOf(contents: Contents): string {
  const hash = createHash('sha256').update(JSON.stringify(debianControl(contents)));
  for (const { path, mode, content } of [...contents.files, ...ofArchives(contents.program)])
    hash.update(`${path} ${mode}\n`).update(content);
  return hash.digest('hex');
}

function readRecord(): string {
  try {
    return readFileSync(RECORD, 'utf8');
  } catch {
    return ''; // none yet
  }
}
