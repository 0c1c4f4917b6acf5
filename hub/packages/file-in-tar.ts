import { buffer } from 'node:stream/consumers';
import { filesOfTar } from '../../proto/bundle/tar-reader.ts';

/**
 * The content of a file in a tar archive, which is read no further; undefined when it is not there. Rejects when the
 * archive breaks off, or the file is larger than `mostBytes`.
 */
export async function fileInTar(
  archive: AsyncIterable<Buffer>,
  wanted: string,
  mostBytes: number,
): Promise<Buffer | undefined> {
  for await (const { path, size, content } of filesOfTar(archive)) {
    if (path === wanted && size <= mostBytes) return buffer(content);
    if (path === wanted) throw new Error(`"${path}" in it must have at most ${mostBytes} bytes, has ${size}`);
    for await (const _ of content); // passed over
  }
  return undefined;
}
