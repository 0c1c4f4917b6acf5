import { tarHeader } from '../proto/tar-header.ts';

const BLOCK_BYTES = 512;

/** A thing in an archive; its path has no slash in front. */
export type TarEntry =
  | { readonly type: 'file'; readonly path: string; readonly mode: number; readonly content: Buffer }
  | { readonly type: 'directory'; readonly path: string; readonly mode: number }
  | { readonly type: 'link'; readonly path: string; readonly target: string };

/** A ustar archive. Everything belongs to root and is as old as 1970: the same entries always give the same bytes. */
export const tarOf = (entries: readonly TarEntry[]): Buffer => Buffer.concat(tarParts(entries));

/** The same in parts: what a file holds is one by itself. */
export function tarParts(entries: readonly TarEntry[]): Buffer[] {
  const blocks = entries.flatMap((entry) => {
    if (entry.type !== 'file') return [header(entry)];
    const { content } = entry;
    return [header(entry), content, Buffer.alloc(-content.length & (BLOCK_BYTES - 1))];
  });
  return [...blocks, Buffer.alloc(2 * BLOCK_BYTES)];
}

function header(entry: TarEntry): Buffer {
  const { path, type } = entry;
  if (type === 'link') return tarHeader({ path, type, mode: 0o777, target: entry.target });
  const size = type === 'file' ? entry.content.length : 0;
  return tarHeader({ path, type, mode: entry.mode, size });
}
