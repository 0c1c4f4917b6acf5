import { appendFileSync, existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';

/*
 * What was imported from files, a line each: names of images, and which files need not be looked at again. Processes that import add
 * to it at any time, so it is never rewritten.
 */

const FILE = 'imported';

export async function importedImages(dataDir: string): Promise<string[]> {
  return (await linesOf(dataDir)).flatMap((line) => (line.startsWith('image ') ? line.slice(6) : []));
}

/** By what a file is known again, without reading it. */
export async function fileKey(file: string): Promise<string> {
  const { size, mtimeMs } = await stat(file);
  return `${basename(file)} ${size} ${mtimeMs}`;
}

export async function isImported(file: string, dataDir: string): Promise<boolean> {
  return (await linesOf(dataDir)).includes(`file ${await fileKey(file)}`);
}

export async function saveImported(
  dataDir: string,
  { images = [], files = [] }: { images?: readonly string[]; files?: readonly string[] },
): Promise<void> {
  const known = new Set(await linesOf(dataDir));
  const lines = [...images.map((name) => `image ${name}`), ...files.map((file) => `file ${file}`)];
  const added = lines.filter((line) => !known.has(line));
  if (added.length > 0)
    appendFileSync(join(dataDir, FILE), added.map((line) => `${line}\n`).join(''), {
      mode: 0o600,
      flush: true,
    });
}

async function linesOf(dataDir: string): Promise<string[]> {
  const path = join(dataDir, FILE);
  return existsSync(path) ? (await readFile(path, 'utf8')).split('\n').filter(Boolean) : [];
}
