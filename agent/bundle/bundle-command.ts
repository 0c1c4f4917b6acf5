import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { verifyBundle } from '../../proto/bundle/verify-bundle.ts';
import type { Identity } from '../state/agent-state.ts';
import { importBundle } from './import-bundle.ts';

interface Around {
  readonly dataDir: string;
  readonly dockerHost: string;
  readonly output: 'text' | 'json';
}

const USAGE = 'say "bundle import FILE" or "bundle inspect FILE"';

/** `holdfast-agent bundle import FILE | inspect FILE`: resolves with what to print. Rejects with what is wrong. */
export async function bundleCommand(
  [verb, file, ...more]: readonly string[],
  { dataDir, dockerHost, output }: Around,
): Promise<string> {
  if (!file || more.length > 0) throw new Error(USAGE);
  const ca = caOf(dataDir);
  if (verb === 'inspect') {
    const { images, files, created } = await verifyBundle(file, ca);
    if (output === 'json')
      return JSON.stringify({ created, images, files: Object.keys(files) }, undefined, 2);
    const others = Object.keys(files).filter((path) => /^(packages|manifests)\//.test(path));
    return [...images.map(({ name, architecture }) => `image ${name} (${architecture})`), ...others].join(
      '\n',
    );
  }
  if (verb !== 'import') throw new Error(USAGE);
  const imported = await importBundle(file, { ca, engine: dockerHost, dataDir });
  if (output === 'json') return JSON.stringify(imported, undefined, 2);
  const { loaded, present, foreign, packages } = imported;
  return [
    ...loaded.map((name) => `image ${name} loaded`),
    ...present.map((name) => `image ${name} was there`),
    ...foreign.map((name) => `image ${name} is for another processor: left out`),
    ...packages.map((name) => `${name} kept`),
  ].join('\n');
}

/** The file beside the database, which belongs to the agent alone while it runs. */
function caOf(dataDir: string): string {
  try {
    const identity = JSON.parse(readFileSync(join(dataDir, 'identity.json'), 'utf8')) as Identity;
    return identity.caCertificate;
  } catch (error) {
    throw new Error(`this device has joined no hub whose bundles it could trust (data: "${dataDir}")`, {
      cause: error,
    });
  }
}
