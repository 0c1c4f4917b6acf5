import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parsePackageName } from './package-name.ts';

/** A file, or the packages in a directory; what else is there is left out. Throws where there is none. */
export function packagesAt(path: string): string[] {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found) throw new Error(`"${path}" is not there: name a package, or a directory of them`);
  if (!found.isDirectory()) return [path];
  const names = readdirSync(path).filter((name) => parsePackageName(name));
  if (names.length === 0) throw new Error(`there is no package in "${path}"`);
  return names.sort().map((name) => join(path, name));
}
