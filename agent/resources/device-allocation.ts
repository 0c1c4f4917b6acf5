import { isInit, isSidecar, ownContainersOf, type Pod } from '../pod/pod.ts';
import { parseQuantity } from '../pod/quantity.ts';
import type { PodDevices } from './pod-devices.ts';

/* Which devices a pod has for itself. Pure. */

/** One that a pod can have. */
export interface DeviceUnit {
  /** The same over restarts: what it is called in the settings. */
  readonly id: string;
  readonly isThere: boolean;
  /** The nodes that its names lead to now: no other unit may be given one of them meanwhile. */
  readonly nodes: readonly string[];
}

/** By resource. */
export type DeviceUnits = ReadonlyMap<string, readonly DeviceUnit[]>;

export type Allocation =
  | { readonly devices: PodDevices }
  /** Of what there is too little, in the kubelet's words. */
  | { readonly lack: string };

/** Gives each container its own; what initializes uses those of who comes after it. `taken`: ids that others have. */
export function allocateDevices(pod: Pod, units: DeviceUnits, taken: ReadonlySet<string>): Allocation {
  const devices: Record<string, Record<string, readonly string[]>> = {};
  for (const [resource, all] of units) {
    const found = allocateResource(pod, resource, freeOf(all, units, taken));
    if ('lack' in found) return found;
    for (const [container, ids] of found.ids) devices[container] = { ...devices[container], [resource]: ids };
  }
  return { devices };
}

function freeOf(all: readonly DeviceUnit[], units: DeviceUnits, taken: ReadonlySet<string>): string[] {
  const holders = [...units.values()].flat().filter(({ id }) => taken.has(id));
  const nodes = new Set(holders.flatMap((unit) => unit.nodes));
  return all
    .filter(
      ({ id, isThere, nodes: own }) => isThere && !taken.has(id) && !own.some((node) => nodes.has(node)),
    )
    .map(({ id }) => id);
}

function allocateResource(
  pod: Pod,
  resource: string,
  free: readonly string[],
): { readonly ids: ReadonlyMap<string, readonly string[]> } | { readonly lack: string } {
  const rest = [...free];
  const ids = new Map<string, string[]>();
  const wantedBy = (name: string) => wanted(pod, name, resource);
  const take = (container: string, reusable: readonly string[]) => {
    const count = wantedBy(container);
    const reused = reusable.slice(0, count);
    const own = rest.splice(0, count - reused.length);
    if (count > 0) ids.set(container, [...reused, ...own]);
    return reused.length + own.length < count
      ? lackOf(resource, count, reused.length + own.length)
      : undefined;
  };
  const inits = pod.spec.initContainers ?? [];
  const staying = [...inits.filter(({ name }) => isSidecar(pod, name)), ...pod.spec.containers];
  for (const { name } of staying) {
    const lack = take(name, []);
    if (lack) return { lack };
  }
  const spare: string[] = []; // of those that initialize, one after the other
  for (const [index, { name }] of inits.entries()) {
    if (!isInit(pod, name)) continue;
    const later = [...pod.spec.containers, ...inits.slice(index).filter((each) => isSidecar(pod, each.name))];
    const reusable = [...later.flatMap((each) => ids.get(each.name) ?? []), ...spare];
    const lack = take(name, reusable);
    if (lack) return { lack };
    spare.push(...(ids.get(name) ?? []).filter((id) => !reusable.includes(id)));
  }
  return { ids };
}

function wanted(pod: Pod, container: string, resource: string): number {
  const found = ownContainersOf(pod).find(({ name }) => name === container);
  return parseQuantity(found?.resources?.limits?.[resource]) ?? 0;
}

function lackOf(resource: string, requested: number, available: number): string {
  return `Allocate failed due to requested number of devices unavailable for ${resource}. Requested: ${requested}, Available: ${available}, which is unexpected`;
}
