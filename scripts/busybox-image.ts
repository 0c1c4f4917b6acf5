import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { installPackages, whyNoApt } from './apt.ts';
import { DockerApi } from './docker-api.ts';
import { ensureDockerEngine } from './docker-engine.ts';
import { type TarEntry, tarOf } from './tar.ts';

/** The image of the examples. Its name is no registry's: it can only come from here. */
export const BUSYBOX_IMAGE = 'holdfast.local/busybox:1';

/** Where Debian's busybox-static has it; the package "busybox" has another build there, which needs libraries. */
const PROGRAM = '/bin/busybox';
const CONTENT_LABEL = 'holdfast.dev/content';

export interface BusyboxImage {
  /** With a tag. */
  readonly name: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** More files, by path without a slash in front. */
  readonly files?: Readonly<Record<string, string>>;
}

/** Makes an image with a shell and the usual commands, unless this very image is there. Needs no registry. */
export async function ensureBusyboxImage(
  host: string,
  { name, command = ['sh'], environment = {}, files = {} }: BusyboxImage = { name: BUSYBOX_IMAGE },
): Promise<void> {
  const engine = new DockerApi(host);
  const layer = tarOf(busyboxRoot(findProgram(), appletsOf(PROGRAM), files));
  const variables = Object.entries({ PATH: '/bin', ...environment });
  const changes = [
    `CMD ${JSON.stringify(command)}`,
    ...variables.map(([key, value]) => `ENV ${key}=${JSON.stringify(value)}`),
  ];
  const content = createHash('sha256').update(layer).update(changes.join('\n')).digest('hex');
  if ((await engine.imageLabels(name))?.[CONTENT_LABEL] === content) return;
  await engine.importImage(name, layer, [...changes, `LABEL ${CONTENT_LABEL}=${content}`]);
}

function findProgram(): Buffer {
  const found = existsSync(PROGRAM) ? readFileSync(PROGRAM) : undefined;
  if (found && isStatic(found)) return found;
  const why = whyNoApt();
  if (why)
    throw new Error(
      `the example's image needs Debian's busybox-static, and ${why}: install it, then run this again`,
    );
  installPackages(['busybox-static']);
  return readFileSync(PROGRAM);
}

const PROGRAM_HEADER_INTERPRETER = 3;

/** Whether an ELF64 program needs no dynamic linker: only such a one runs in an image of its own. */
export function isStatic(program: Buffer): boolean {
  if (program.readUInt32BE(0) !== 0x7f454c46) return false;
  const offset = Number(program.readBigUInt64LE(32));
  const size = program.readUInt16LE(54);
  const count = program.readUInt16LE(56);
  const types = Array.from({ length: count }, (_, index) => program.readUInt32LE(offset + index * size));
  return !types.includes(PROGRAM_HEADER_INTERPRETER);
}

function appletsOf(program: string): string[] {
  return execFileSync(program, ['--list'], { encoding: 'utf8' }).trim().split('\n');
}

/** The image's files: the program once, and a link for each of its commands. Pure. */
export function busyboxRoot(
  program: Buffer,
  applets: readonly string[],
  files: Readonly<Record<string, string>> = {},
): TarEntry[] {
  const directory = (path: string, mode = 0o755): TarEntry => ({ type: 'directory', path, mode });
  const text = (path: string, content: string): TarEntry => ({
    type: 'file',
    path,
    mode: 0o644,
    content: Buffer.from(content),
  });
  return [
    directory('bin/'),
    { type: 'file', path: 'bin/busybox', mode: 0o755, content: program },
    ...applets
      .filter((name) => name !== 'busybox')
      .map((name): TarEntry => ({ type: 'link', path: `bin/${name}`, target: 'busybox' })),
    directory('usr/'),
    { type: 'link', path: 'usr/bin', target: '../bin' },
    directory('etc/'),
    text('etc/passwd', 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n'),
    text('etc/group', 'root:x:0:\nnogroup:x:65534:\n'),
    directory('root/', 0o700),
    directory('tmp/', 0o1777),
    directory('var/'),
    ...Object.entries(files).map(([path, content]) => text(path, content)),
  ];
}

if (import.meta.main) {
  try {
    await ensureBusyboxImage((await ensureDockerEngine(console.log)).host);
    console.log(BUSYBOX_IMAGE);
  } catch (error) {
    console.error((error as Error).message);
    process.exitCode = 1;
  }
}
