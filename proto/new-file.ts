import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Rejects where a file can not be made, or would take the place of what is none: a device as /dev/stdout, a directory.
 * With one line that says what to do.
 */
export async function checkNewFile(file: string): Promise<void> {
  const found = await stat(file).catch(() => undefined);
  if (found && !found.isFile())
    throw new Error(`"${file}" is there and is no file: name one that is to be made`);
  const directory = dirname(file);
  if (!(await stat(directory).catch(() => undefined))?.isDirectory())
    throw new Error(`"${file}" can not be made: "${directory}" is no directory`);
}
