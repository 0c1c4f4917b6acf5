import { monotonicMs } from '../monotonic.ts';
import { DockerRuntime } from './docker-runtime.ts';
import { networkName, networksDirectory } from './network-name.ts';

/** Those of all pods of a node whose agent does not run, and never will again, and their network. Resolves with how many there were. */
export async function removeContainersOf(node: string, host: string, runDir: string): Promise<number> {
  const runtime = new DockerRuntime({ host, node, monotonicMs, networksDir: networksDirectory(runDir) });
  const found = await runtime.list();
  await Promise.all(found.map(({ id }) => runtime.remove(id)));
  await runtime.removeNetwork(networkName(node));
  return found.length;
}
