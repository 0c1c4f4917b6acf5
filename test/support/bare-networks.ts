import { execFileSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { basename, join } from 'node:path';
import { monotonicMs } from '../../agent/monotonic.ts';
import { BareNetworks } from '../../agent/runtime/bare-networks.ts';
import { bareNetworkId, linkName, networksDirectory } from '../../agent/runtime/network-name.ts';

/** What was left by agents that were killed, whose directories of what they need while they run are below `dir`. */
export async function removeBareNetworks(dir: string): Promise<void> {
  for (const runDir of globSync(join(dir, '{run,*-run}'))) {
    const networks = new BareNetworks(networksDirectory(runDir), monotonicMs);
    for (const { id } of await networks.list()) await networks.remove(id);
  }
}

/** Names of the pod's that `ip netns` knows, of its first attempts. */
export function bareNetworksOf(uid: string): string[] {
  const names = new Set(Array.from({ length: 20 }, (_, attempt) => linkName(bareNetworkId(uid, attempt))));
  return execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' })
    .split('\n')
    .map((line) => line.split(' ')[0] ?? '')
    .filter((name) => names.has(name));
}

/** Of the device whose directory this is. */
export function toldOfIn(runDir: string): string[] {
  return globSync(join(networksDirectory(runDir), '*')).map((path) => basename(path, '.json'));
}
