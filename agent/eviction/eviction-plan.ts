import { emptyDirOverLimit } from '../pod/empty-dirs.ts';
import { isInit, ownContainersOf, type Pod } from '../pod/pod.ts';
import { isCritical } from '../pod/quality.ts';
import { parseQuantity } from '../pod/quantity.ts';
import { storageLimit } from './storage-limit.ts';
import { type Crossing, type Resource, resourceOf, type Signal } from './thresholds.ts';

/*
 * Who goes when the device runs out of something, and what is said of it: as the kubelet has it. Pure.
 * https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/#pod-selection-for-kubelet-eviction
 */

/** What a container uses: memory, what it wrote and logged, processes. */
export interface ContainerUse {
  readonly name: string;
  readonly memoryBytes: number;
  readonly diskBytes: number;
  readonly processes: number;
}

export interface PodUse {
  readonly pod: Pod;
  readonly containers: readonly ContainerUse[];
  /** What emptyDirs on disk hold, by the volume's name. */
  readonly volumes: ReadonlyMap<string, { readonly bytes: number; readonly inodes: number }>;
}

/** Who has less would be ended for nothing: something else has filled the disk. */
const WORTH_IT: Readonly<Record<Resource, number>> = {
  memory: 1,
  'ephemeral-storage': 1024 ** 2,
  inodes: 100,
  pids: 1,
};

/** Those that may be evicted, who goes first before the others. */
export function evictionOrder(signal: Signal, uses: readonly PodUse[]): PodUse[] {
  const resource = resourceOf(signal);
  const used = (each: PodUse) => usedOf(each, resource);
  const over = (each: PodUse) => used(each) - requestOf(each.pod, resource);
  const isOver = (each: PodUse) => (resource === 'pids' ? 0 : Number(over(each) > 0));
  const priority = ({ pod }: PodUse) => pod.spec.priority ?? 0;
  return uses
    .filter((each) => !isCritical(each.pod) && used(each) >= WORTH_IT[resource])
    .sort((a, b) => isOver(b) - isOver(a) || priority(a) - priority(b) || over(b) - over(a));
}

/** What the kubelet says of a pod that goes for want of something. */
export function evictionMessage({ signal, threshold, available }: Crossing, use: PodUse): string {
  const resource = resourceOf(signal);
  const quantity = (amount: number) => formatAmount(resource, amount);
  const parts = [
    `The node was low on resource: ${resource}.`,
    `Threshold quantity: ${quantity(threshold)}, available: ${quantity(available)}.`,
  ];
  for (const container of use.containers) {
    const used = usedByContainer(container, resource);
    const request = containerRequest(use.pod, container.name, resource);
    if (used > (parseQuantity(request) ?? 0))
      parts.push(
        `Container ${container.name} was using ${quantity(used)}, request is ${request}, has larger consumption of ${resource}.`,
      );
  }
  return parts.join(' ');
}

/** What the kubelet says of a pod that holds more of the disk than it may; undefined when it does not. */
export function overStorageLimit({ pod, containers, volumes }: PodUse): string | undefined {
  const bytes = new Map([...volumes].map(([name, use]) => [name, use.bytes]));
  const volume = emptyDirOverLimit(pod, bytes);
  if (volume) return volume;
  const limits = pod.spec.containers.flatMap((container) => storageLimit(container) ?? []);
  const limit = limits.reduce((sum, each) => sum + each, 0);
  if (limits.length > 0 && usedOf({ pod, containers, volumes }, 'ephemeral-storage') > limit)
    return `Pod ephemeral local storage usage exceeds the total limit of containers ${formatAmount('ephemeral-storage', limit)}.`;
  for (const container of ownContainersOf(pod)) {
    const used = containers.find(({ name }) => name === container.name)?.diskBytes ?? 0;
    if (used > (storageLimit(container) ?? Number.POSITIVE_INFINITY))
      return `Container ${container.name} exceeded its local ephemeral storage limit "${container.resources?.limits?.['ephemeral-storage']}".`;
  }
  return undefined;
}

function usedOf({ containers, volumes }: PodUse, resource: Resource): number {
  const inVolumes = [...volumes.values()].map(({ bytes, inodes }) =>
    resource === 'ephemeral-storage' ? bytes : resource === 'inodes' ? inodes : 0,
  );
  return [...containers.map((each) => usedByContainer(each, resource)), ...inVolumes].reduce(
    (a, b) => a + b,
    0,
  );
}

function usedByContainer({ memoryBytes, diskBytes, processes }: ContainerUse, resource: Resource): number {
  return { memory: memoryBytes, 'ephemeral-storage': diskBytes, inodes: 0, pids: processes }[resource];
}

function requestOf(pod: Pod, resource: Resource): number {
  return ownContainersOf(pod)
    .filter(({ name }) => !isInit(pod, name))
    .map(({ name }) => parseQuantity(containerRequest(pod, name, resource)) ?? 0)
    .reduce((sum, each) => sum + each, 0);
}

function containerRequest(pod: Pod, name: string, resource: Resource): string {
  const resources = ownContainersOf(pod).find((container) => container.name === name)?.resources;
  return resources?.requests?.[resource] ?? '0';
}

function formatAmount(resource: Resource, amount: number): string {
  const isBytes = resource === 'memory' || resource === 'ephemeral-storage';
  return isBytes && amount >= 1024 ? `${Math.floor(amount / 1024)}Ki` : String(Math.floor(amount));
}
