import { closeSync, openSync, readSync } from 'node:fs';

/** The text of a file that has at most so many bytes; not all of a disk or of `/dev/zero`, whoever names that. Throws. */
export function readSmallFile(path: string, mostBytes: number): string {
  const file = openSync(path, 'r');
  try {
    const content = Buffer.alloc(mostBytes + 1);
    let length = 0;
    for (let read = -1; read !== 0; length += read)
      read = readSync(file, content, length, content.length - length, null);
    if (length > mostBytes) throw new Error(`it is longer than ${mostBytes} bytes`);
    return content.toString('utf8', 0, length);
  } finally {
    closeSync(file);
  }
}
