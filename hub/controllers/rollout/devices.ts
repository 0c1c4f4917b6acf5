import { podUpdateOf } from '../../../proto/pod-update.ts';
import { isCandidate } from '../../fleet/candidate.ts';
import { keepsPlaces, nameInFleet, rowName } from '../../fleet/current-rollout.ts';
import { type DeviceUpdateObject, deviceUpdates } from '../../fleet/device-update.ts';
import type { RolloutSpec } from '../../fleet/rollout.ts';
import type { Registry } from '../../registry/registry.ts';
import type { KubeObject } from '../../resources/object.ts';
import { nodes } from '../../resources/table-of-resources.ts';
import { parseTime } from '../../resources/time.ts';
import type { NodeObject, PodObject } from '../../resources/typed.ts';
import { isOffline } from '../daemon-set/placement.ts';
import type { Device } from './device-plan.ts';
import type { WorkloadKind } from './workload.ts';

/** The devices of a workload as a rollout sees them, and pods of other rollouts that no device needs any more. */
export interface Fleet {
  readonly devices: readonly Device[];
  readonly leftOver: readonly PodObject[];
}

export function fleetOf(
  registry: Registry,
  kind: WorkloadKind,
  workload: KubeObject,
  { to }: RolloutSpec,
  nowMs: number,
): Fleet {
  const live = kind
    .pods(registry, workload)
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  const byNode = Map.groupBy(live, ({ spec }) => spec.nodeName ?? '');
  const leftOver: PodObject[] = [];
  const devices: Device[] = [];
  for (const node of registry.list(nodes).items as readonly NodeObject[]) {
    const name = node.metadata.name ?? '';
    const there = byNode.get(name) ?? [];
    const surplus = there.filter((pod) => isCandidate(pod) && !isWanted(kind, pod, to, there));
    leftOver.push(...surplus);
    if (!kind.runsOn(workload, node, there)) continue;
    const isNext = (pod: PodObject) => kind.hashOf(pod) === to.hash;
    const rest = there.filter((pod) => !surplus.includes(pod));
    devices.push({
      node: name,
      labels: node.metadata.labels ?? {},
      isOnline: !isOffline(node),
      steadyMs: nowMs - changedAtMs(node, nowMs),
      old: rest.filter((pod) => !isNext(pod)),
      next: rest.filter(isNext),
      row: rowOf(registry, kind, workload, name)?.spec,
    });
  }
  return { devices, leftOver };
}

/**
 * A pod that a device is still to decide on: of this rollout, and for a place that is still there and that no other
 * stands for.
 */
function isWanted(
  kind: WorkloadKind,
  pod: PodObject,
  to: RolloutSpec['to'],
  there: readonly PodObject[],
): boolean {
  if (kind.hashOf(pod) !== to.hash) return false;
  if (keepsPlaces(kind.resource.kind)) return true;
  const replaced = podUpdateOf(pod)?.replaces;
  const [first] = there.filter((other) => podUpdateOf(other)?.replaces === replaced);
  return first === pod && there.some(({ metadata }) => metadata.uid === replaced);
}

/** When the node's readiness last changed. */
function changedAtMs({ status, metadata }: NodeObject, nowMs: number): number {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  return Math.min(nowMs, parseTime(ready?.lastTransitionTime ?? metadata.creationTimestamp) ?? nowMs);
}

export function rowOf(
  registry: Registry,
  { resource }: WorkloadKind,
  { metadata: { namespace, name = '' } }: KubeObject,
  node: string,
): DeviceUpdateObject | undefined {
  const row = registry.get(deviceUpdates, namespace, rowName(nameInFleet(resource.kind, name), node));
  return row as DeviceUpdateObject | undefined;
}
