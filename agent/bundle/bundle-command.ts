import { verifyBundle } from '../../proto/bundle/verify-bundle.ts';
import { saveImported } from '../images/imported.ts';
import { readIdentityFile } from '../state/identity-file.ts';
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
  const { caCertificate: ca } = readIdentityFile(dataDir);
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
  // No room that is needed is made with these, whoever has had them first.
  await saveImported(dataDir, { images: [...imported.loaded, ...imported.present] });
  if (output === 'json') return JSON.stringify(imported, undefined, 2);
  const { loaded, present, foreign, packages } = imported;
  return [
    ...loaded.map((name) => `image ${name} loaded`),
    ...present.map((name) => `image ${name} was there`),
    ...foreign.map((name) => `image ${name} is for another processor: left out`),
    ...packages.map((name) => `${name} kept`),
  ].join('\n');
}
