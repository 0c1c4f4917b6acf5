import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Mount } from '../runtime/runtime.ts';
import { HOSTS_PATH, managedHosts } from './hosts.ts';
import type { Container, Pod } from './pod.ts';
import { hostsFile, type VolumeRoots } from './volumes.ts';

/**
 * Writes the container's `/etc/hosts` where the engine would not write the right one, and says how it is mounted. All
 * containers of the pod see one file, which is in memory: it is made again for each of them, if it is not there.
 */
export async function makeHostsFile(
  pod: Pod,
  container: Container,
  podIp: string,
  roots: VolumeRoots,
): Promise<Mount[]> {
  const ofDevice = pod.spec.hostNetwork ? await readFile(HOSTS_PATH, 'utf8').catch(() => '') : '';
  const text = managedHosts(pod, container, { podIp, ofDevice });
  if (text === undefined) return [];
  const path = hostsFile(pod.metadata.uid, roots);
  if ((await readFile(path, 'utf8').catch(() => undefined)) !== text) {
    await mkdir(dirname(path), { recursive: true, mode: 0o711 });
    await writeFile(path, text, { mode: 0o644 });
    await chmod(path, 0o644); // whatever this agent's own mask is
  }
  return [{ source: path, target: HOSTS_PATH, readOnly: false }];
}
