import { isOffline, placementOn } from '../../controllers/daemon-set/placement.ts';
import type { DaemonSetObject, NodeObject, PodObject } from '../../resources/typed.ts';
import type { ForecastDevice } from './wave-forecast.ts';

/** The devices that a DaemonSet matches; `pods` are those of the revision. Pure. */
export function devicesOf(
  set: DaemonSetObject,
  nodes: readonly NodeObject[],
  pods: readonly PodObject[],
): readonly ForecastDevice[] {
  const live = pods.filter(({ metadata }) => !metadata.deletionTimestamp);
  const there = new Set(live.map(({ spec }) => spec.nodeName));
  return nodes
    .filter((node) => placementOn(set, node).shouldRun)
    .map((node) => ({
      node: node.metadata.name ?? '',
      labels: node.metadata.labels ?? {},
      isOnline: !isOffline(node),
      hasRevision: there.has(node.metadata.name),
    }));
}
