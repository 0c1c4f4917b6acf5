import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { fileInTar } from './file-in-tar.ts';
import type { PackageName } from './package-name.ts';

const MOST_BYTES = 65_536; // of a file that says what a package is
/** A Debian package begins with this, one small member, and the archive of what it says of itself (deb(5)). */
const AR_MAGIC = '!<arch>\n';
const AR_HEADER_BYTES = 60;

interface About {
  readonly name: string;
  readonly version: string;
  readonly arch: string;
}

/** What is wrong with what is in a package, however it is called; undefined when it is what its name says. */
export async function contentsProblem(path: string, wanted: PackageName): Promise<string | undefined> {
  let found: About;
  try {
    found = wanted.form === 'deb' ? await aboutDeb(path) : await aboutArchive(path, wanted);
  } catch (error) {
    return `it can not be unpacked: ${(error as Error).message}`;
  }
  const { program, version, arch } = wanted;
  if (found.name === program && found.version === version && found.arch === arch) return undefined;
  return `it holds ${found.name} ${found.version} for ${found.arch}, and is called "${wanted.name}"`;
}

async function aboutArchive(path: string, { program, version, arch }: PackageName): Promise<About> {
  const file = `${program}-${version}-linux-${arch}/package.json`;
  const text = await fileInTar(unpacked(createReadStream(path)), file, MOST_BYTES);
  if (!text) throw new Error(`there is no "${file}" in it`);
  return JSON.parse(text.toString()) as About;
}

async function aboutDeb(path: string): Promise<About> {
  const archive = await debControl(path);
  const text = (await fileInTar(unpacked(Readable.from([archive])), './control', MOST_BYTES))?.toString();
  const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(text ?? '')?.[1] ?? 'nothing';
  return { name: field('Package'), version: field('Version'), arch: field('Architecture') };
}

/** `control.tar.gz`, which stands in the beginning. */
async function debControl(path: string): Promise<Buffer> {
  const file = await open(path);
  try {
    const read = async (at: number, length: number) =>
      (await file.read(Buffer.alloc(length), 0, length, at)).buffer;
    let at = AR_MAGIC.length;
    if ((await read(0, at)).toString() !== AR_MAGIC) throw new Error('it is no Debian package');
    for (let member = 0; member < 2; member += 1) {
      const header = (await read(at, AR_HEADER_BYTES)).toString('latin1');
      const size = Number(header.slice(48, 58));
      if (!(size > 0 && size <= MOST_BYTES)) break;
      at += AR_HEADER_BYTES;
      if (header.startsWith('control.tar.gz')) return await read(at, size);
      at += size + (size % 2);
    }
    throw new Error('it does not say what it is');
  } finally {
    await file.close();
  }
}

function unpacked(source: Readable): AsyncIterable<Buffer> {
  const gunzip = createGunzip();
  source.once('error', (error) => gunzip.destroy(error));
  return source.pipe(gunzip);
}
