import { createHash } from 'node:crypto';

const BARE = 'network-'; // ids of containers are hexadecimal

/** Of the network that the pods of a node are on, at the engine: several agents can share one. */
export function networkName(node: string): string {
  return `holdfast-${node}`;
}

/** Of the container that keeps the network there where engines would take it away. */
export function holderName(network: string): string {
  return `hf.holder.${network}`;
}

/** The id of an infra container that is a network and nothing else. */
export function bareNetworkId(podUid: string, attempt: number): string {
  return `${BARE}${podUid}-${attempt}`;
}

export function isBareNetwork(id: string): boolean {
  return id.startsWith(BARE);
}

/** Where such a network is, while it is there: where `ip netns` finds it. */
export function networkFileOf(id: string): string {
  return `/run/netns/${linkName(id)}`;
}

/** Where an agent tells of such networks, below the directory of what it needs while it runs. */
export function networksDirectory(runDir: string): string {
  return `${runDir}/networks`;
}

/** The device's end of a container's link, and the namespace that is its network, where that is a file. At most 15 characters. */
export function linkName(containerId: string): string {
  return `hf${createHash('sha256').update(containerId).digest('hex').slice(0, 10)}`;
}

/** The kernel's name of its bridge. At most 15 characters. */
export function bridgeName(node: string): string {
  return `hf-${createHash('sha256').update(node).digest('hex').slice(0, 8)}`;
}
