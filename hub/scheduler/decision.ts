import type { ClusterState, NodeState } from './cluster-state.ts';
import { objections, unschedulableMessage } from './filters.ts';
import { PodNeighbours } from './neighbours.ts';
import type { PodDemand } from './pod-demand.ts';
import { bestOf } from './scores.ts';
import type { VolumeReach } from './volume-reach.ts';

export type Decision =
  | { readonly node: string; readonly message?: undefined }
  /** Why no node will do. */
  | { readonly node?: undefined; readonly message: string };

const FEW = 100;

/** In a large fleet the best of some fitting nodes is as good as the best of all; the shares are Kubernetes'. */
export function enoughNodes(nodeCount: number): number {
  if (nodeCount <= FEW) return nodeCount;
  const percent = Math.max(5, 50 - Math.floor(nodeCount / 125));
  return Math.max(FEW, Math.floor((nodeCount * percent) / 100));
}

/** Where a pod should go. `offset` is the node to begin at, so that in turn all nodes are looked at first. */
export function decide(
  demand: PodDemand,
  cluster: ClusterState,
  offset = 0,
  volumes: VolumeReach | undefined = undefined,
): Decision {
  const { nodes } = cluster;
  if (volumes?.problem) return { message: unschedulableMessage(nodes.length, new Map(), volumes.problem) };
  const neighbours = new PodNeighbours(demand, cluster);
  const enough = enoughNodes(nodes.length);
  const fitting: NodeState[] = [];
  const reasons = new Map<string, number>();
  for (let index = 0; index < nodes.length && fitting.length < enough; index += 1) {
    const state = nodes[(index + offset) % nodes.length];
    if (!state) continue;
    const against = objections(demand, state, neighbours, volumes);
    if (against.length === 0) fitting.push(state);
    for (const reason of against) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  }
  const best = bestOf(demand, fitting);
  return best ? { node: best.name } : { message: unschedulableMessage(nodes.length, reasons) };
}

/** The best of a few nodes on which something changed; undefined when the pod still fits none of them. */
export function decideAmong(
  demand: PodDemand,
  cluster: ClusterState,
  names: Iterable<string>,
  volumes: VolumeReach | undefined = undefined,
): string | undefined {
  if (volumes?.problem) return undefined;
  const neighbours = new PodNeighbours(demand, cluster);
  const fitting = [...names].flatMap((name) => {
    const state = cluster.node(name);
    return state && objections(demand, state, neighbours, volumes).length === 0 ? [state] : [];
  });
  return bestOf(demand, fitting)?.name;
}
