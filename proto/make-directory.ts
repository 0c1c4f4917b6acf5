import { mkdirSync } from 'node:fs';

const WHY: Readonly<Record<string, string>> = {
  EEXIST: 'a file has this name',
  ENOTDIR: 'a part of this path is a file',
  EACCES: 'this user may not write there',
  EPERM: 'this user may not write there',
  EROFS: 'the disk is read-only',
  ENOSPC: 'the disk is full',
};

/** With those that it is in, for this user alone, unless it is there. `flag`: what names it. Throws in one line. */
export function makeDirectory(path: string, flag: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    throw new Error(`the directory "${path}" (--${flag}) can not be made: ${WHY[code] ?? message}`);
  }
}
