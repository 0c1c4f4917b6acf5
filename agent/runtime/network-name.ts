import { createHash } from 'node:crypto';

/** Of the network that the pods of a node are on, at the engine: several agents can share one. */
export function networkName(node: string): string {
  return `holdfast-${node}`;
}

/** The kernel's name of its bridge. At most 15 characters. */
export function bridgeName(node: string): string {
  return `hf-${createHash('sha256').update(node).digest('hex').slice(0, 8)}`;
}
