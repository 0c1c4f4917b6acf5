import { matchesNodeAffinity, untoleratedTaint } from '../resources/node-matching.ts';
import { qualityOfService } from '../resources/pod-quality.ts';
import type { NodeState } from './cluster-state.ts';
import type { PodNeighbours } from './neighbours.ts';
import { type PodDemand, portsConflict } from './pod-demand.ts';
import type { VolumeReach } from './volume-reach.ts';

/**
 * Why a pod does not fit a node, in Kubernetes' words, which people search for. A node is counted under each of the
 * reasons that its first failing filter gives.
 */
type Filter = (demand: PodDemand, state: NodeState, neighbours: PodNeighbours) => readonly string[];

const FITS: readonly string[] = [];
const UNSCHEDULABLE = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' };

export const isSchedulable: Filter = ({ pod }, { node }) =>
  node.spec.unschedulable && untoleratedTaint([UNSCHEDULABLE], pod.spec.tolerations, ['NoSchedule'])
    ? ['node(s) were unschedulable']
    : FITS;

const MEMORY_PRESSURE = 'node.kubernetes.io/memory-pressure';

/** A node that is not ready has a taint for it; see ClusterState. Who asked for memory is not kept away by the want of it. */
export const toleratesTaints: Filter = ({ pod }, { taints }) => {
  const copes =
    taints.some(({ key }) => key === MEMORY_PRESSURE) && qualityOfService(pod.spec) !== 'BestEffort';
  const others = taints.filter(({ key }) => key !== UNSCHEDULABLE.key && !(copes && key === MEMORY_PRESSURE));
  const taint = untoleratedTaint(others, pod.spec.tolerations, ['NoSchedule', 'NoExecute']);
  return taint ? [`node(s) had untolerated taint {${taint.key}: ${taint.value ?? ''}}`] : FITS;
};

export const matchesAffinity: Filter = ({ pod }, { node }) =>
  matchesNodeAffinity(pod.spec, node) ? FITS : ["node(s) didn't match Pod's node affinity/selector"];

export const hasFreePorts: Filter = ({ hostPorts }, { pods }) => {
  if (hostPorts.length === 0) return FITS;
  const taken = [...pods.values()].flatMap((other) => other.hostPorts);
  const conflicts = hostPorts.some((wanted) => taken.some((port) => portsConflict(wanted, port)));
  return conflicts ? ["node(s) didn't have free ports for the requested pod ports"] : FITS;
};

/** A node that does not say how many pods it takes, takes any number; of all else it has what it says. */
export const hasRoom: Filter = ({ requests }, { allocatable, used }) => {
  const lacking: string[] = [];
  for (const [name, amount] of requests) {
    const limit = allocatable.get(name) ?? (name === 'pods' ? Number.POSITIVE_INFINITY : 0);
    if (amount === 0 || (used.get(name) ?? 0) + amount <= limit) continue;
    lacking.push(name === 'pods' ? 'Too many pods' : `Insufficient ${name}`);
  }
  return lacking;
};

export const suitsNeighbours: Filter = (_demand, { node }, neighbours) => {
  const reason = neighbours.objection(node);
  return reason === undefined ? FITS : [reason];
};

/** Where its volumes are, or may be. */
const reachesVolumes = (state: NodeState, volumes: VolumeReach | undefined): readonly string[] =>
  !volumes || volumes.reaches(state.node) ? FITS : ["node(s) didn't match PersistentVolume's node affinity"];

/** Cheap ones first. */
const FILTERS: readonly Filter[] = [
  isSchedulable,
  toleratesTaints,
  matchesAffinity,
  hasFreePorts,
  hasRoom,
  suitsNeighbours,
];

/** Empty when the pod fits. */
export function objections(
  demand: PodDemand,
  state: NodeState,
  neighbours: PodNeighbours,
  volumes?: VolumeReach,
): readonly string[] {
  for (const filter of FILTERS) {
    const reasons = filter(demand, state, neighbours);
    if (reasons.length > 0) return reasons;
  }
  return reachesVolumes(state, volumes);
}

/** `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable.` */
export function unschedulableMessage(
  nodeCount: number,
  reasons: ReadonlyMap<string, number>,
  ofAll?: string,
): string {
  if (nodeCount === 0) return 'no nodes available to schedule pods';
  if (ofAll) return `0/${nodeCount} nodes are available: ${ofAll}.`;
  const parts = [...reasons].map(([reason, count]) => `${count} ${reason}`).sort();
  return `0/${nodeCount} nodes are available: ${parts.join(', ')}.`;
}
