import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** Bytes of an engine's file of logs, and of those that it turned over. 0 for what cannot be seen from here. */
export async function bytesOfLogs(path: string): Promise<number> {
  if (!path) return 0;
  const [folder, name] = [dirname(path), basename(path)];
  const files = (await readdir(folder).catch(() => [])).filter((each) => each.startsWith(name));
  const sizes = await Promise.all(
    files.map((file) =>
      stat(join(folder, file)).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
