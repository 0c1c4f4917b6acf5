import { readFileSync } from 'node:fs';

declare const HOLDFAST_VERSION: string | undefined;

/** The bundle has the version built in; run from source, it is the package's. */
export function hubVersion(): string {
  if (typeof HOLDFAST_VERSION === 'string') return HOLDFAST_VERSION;
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  return `v${version}`;
}
