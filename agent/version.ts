import { readFileSync } from 'node:fs';

declare const HOLDFAST_VERSION: string | undefined;

let version: string | undefined;

/** The bundle has the version built in; run from source, it is the package's. */
export function agentVersion(): string {
  version ??= typeof HOLDFAST_VERSION === 'string' ? HOLDFAST_VERSION : packageVersion();
  return version;
}

function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  return `v${version}`;
}
