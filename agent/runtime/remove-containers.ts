import { DockerRuntime } from './docker-runtime.ts';

/** Those of all pods of a node whose agent does not run, and never will again. Resolves with how many there were. */
export async function removeContainersOf(node: string, host: string): Promise<number> {
  const runtime = new DockerRuntime({ host, node, monotonicMs: () => performance.now() });
  const found = await runtime.list();
  await Promise.all(found.map(({ id }) => runtime.remove(id)));
  return found.length;
}
