import { isCandidate } from '../../fleet/candidate.ts';
import { rowName } from '../../fleet/current-rollout.ts';
import { type DeviceUpdateObject, deviceUpdates } from '../../fleet/device-update.ts';
import type { RolloutSpec } from '../../fleet/rollout.ts';
import type { Registry } from '../../registry/registry.ts';
import { nodes, pods } from '../../resources/table-of-resources.ts';
import { parseTime } from '../../resources/time.ts';
import type { DaemonSetObject, NodeObject, PodObject } from '../../resources/typed.ts';
import { isOffline, placementOn } from '../daemon-set/placement.ts';
import { REVISION_HASH } from '../daemon-set/revisions.ts';
import type { Device } from './device-plan.ts';

/** The devices of a DaemonSet as a rollout sees them, and pods of other rollouts that no device needs any more. */
export interface Fleet {
  readonly devices: readonly Device[];
  readonly leftOver: readonly PodObject[];
}

export function fleetOf(registry: Registry, set: DaemonSetObject, { to }: RolloutSpec, nowMs: number): Fleet {
  const owned = registry.byIndex(pods, 'controller', set.metadata.uid ?? '') as readonly PodObject[];
  const live = owned.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  const byNode = Map.groupBy(live, ({ spec }) => spec.nodeName ?? '');
  const leftOver: PodObject[] = [];
  const devices: Device[] = [];
  for (const node of registry.list(nodes).items as readonly NodeObject[]) {
    if (!placementOn(set, node).shouldRun) continue;
    const name = node.metadata.name ?? '';
    const there = byNode.get(name) ?? [];
    const isNext = ({ metadata }: PodObject) => metadata.labels?.[REVISION_HASH] === to.hash;
    const others = there.filter((pod) => !isNext(pod));
    leftOver.push(...others.filter(isCandidate));
    devices.push({
      node: name,
      labels: node.metadata.labels ?? {},
      isOnline: !isOffline(node),
      steadyMs: nowMs - changedAtMs(node, nowMs),
      old: others.find((pod) => !isCandidate(pod)),
      next: there.find(isNext),
      row: rowOf(registry, set, name)?.spec,
    });
  }
  return { devices, leftOver };
}

/** When the node's readiness last changed. */
function changedAtMs({ status, metadata }: NodeObject, nowMs: number): number {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  return Math.min(nowMs, parseTime(ready?.lastTransitionTime ?? metadata.creationTimestamp) ?? nowMs);
}

export function rowOf(
  registry: Registry,
  { metadata: { namespace, name = '' } }: DaemonSetObject,
  node: string,
): DeviceUpdateObject | undefined {
  return registry.get(deviceUpdates, namespace, rowName(name, node)) as DeviceUpdateObject | undefined;
}
