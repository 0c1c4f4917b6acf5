import { isOffline, placementOn } from '../../controllers/daemon-set/placement.ts';
import { isCandidate } from '../../fleet/candidate.ts';
import type { DaemonSetObject, NodeObject, PodObject } from '../../resources/typed.ts';
import type { ForecastDevice } from './wave-forecast.ts';
import type { WorkloadKind, WorkloadObject } from './workload.ts';

/** What is there now. */
export interface Surroundings {
  readonly nodes: readonly NodeObject[];
  /** All of the workload's. */
  readonly pods: readonly PodObject[];
  readonly hashLabel: string;
  /** Of the revision that the change would go to. */
  readonly hash: string;
}

/** The devices that a change would go to. Pure. */
export function devicesOf(
  kind: WorkloadKind,
  workload: WorkloadObject,
  { nodes, pods, hashLabel, hash }: Surroundings,
): readonly ForecastDevice[] {
  const settled = Map.groupBy(
    pods.filter((pod) => !isCandidate(pod)),
    ({ spec }) => spec.nodeName ?? '',
  );
  const runsOn = (node: NodeObject) =>
    kind === 'DaemonSet'
      ? placementOn(workload as DaemonSetObject, node).shouldRun
      : settled.has(node.metadata.name ?? '');
  return nodes.filter(runsOn).map((node) => {
    const there = settled.get(node.metadata.name ?? '') ?? [];
    const hasRevision = ({ metadata }: PodObject) => hash !== '' && metadata.labels?.[hashLabel] === hash;
    return {
      node: node.metadata.name ?? '',
      labels: node.metadata.labels ?? {},
      isOnline: !isOffline(node),
      hasRevision: there.length > 0 && there.every(hasRevision),
    };
  });
}
