import { matchesNodeSelectorTerm, untoleratedTaint } from '../resources/node-matching.ts';
import type { NodeState } from './cluster-state.ts';
import type { PodDemand } from './pod-demand.ts';

/** How well a pod is placed on a node that it fits: 0 to 100. */
type Score = (demand: PodDemand, state: NodeState) => number;

const BEST = 100;
/** What a container that asks for nothing is taken to use, so that such pods spread too. CPU in thousandths, bytes. */
const ASSUMED = { cpu: 100, memory: 200 * 1024 * 1024 };

/** Prefers the emptier node. */
export const leastAllocated: Score = ({ requests }, { allocatable, used, pods }) => {
  const free = (['cpu', 'memory'] as const).flatMap((name) => {
    const limit = allocatable.get(name) ?? 0;
    if (limit === 0) return [];
    const wanted = (used.get(name) ?? 0) + (requests.get(name) || ASSUMED[name]);
    return [Math.max(0, 1 - wanted / limit)];
  });
  if (free.length === 0) return BEST / (1 + pods.size);
  return (BEST * free.reduce((sum, each) => sum + each, 0)) / free.length;
};

/** Prefers the node with fewer pods of the same owner. */
export const spreadByOwner: Score = ({ owner }, { owners }) =>
  owner === undefined ? BEST : BEST / (1 + (owners.get(owner) ?? 0));

/** The share of the stated preferences, by weight, that the node has. */
export const preferredAffinity: Score = ({ pod }, { node }) => {
  const terms = pod.spec.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  const total = terms.reduce((sum, { weight }) => sum + weight, 0);
  if (total === 0) return 0;
  const met = terms.filter(({ preference }) => matchesNodeSelectorTerm(preference, node));
  return (BEST * met.reduce((sum, { weight }) => sum + weight, 0)) / total;
};

/** Avoids nodes that ask to be avoided. */
export const fewestDiscouragements: Score = ({ pod }, { taints }) => {
  const { tolerations } = pod.spec;
  const count = taints.filter((taint) => untoleratedTaint([taint], tolerations, ['PreferNoSchedule'])).length;
  return BEST / (1 + count);
};

/** The weights are those of Kubernetes' plugins for the same things. */
const SCORES: readonly { readonly score: Score; readonly weight: number }[] = [
  { score: leastAllocated, weight: 1 },
  { score: spreadByOwner, weight: 2 },
  { score: preferredAffinity, weight: 2 },
  { score: fewestDiscouragements, weight: 3 },
];

export function scoreOf(demand: PodDemand, state: NodeState): number {
  return SCORES.reduce((sum, { score, weight }) => sum + weight * score(demand, state), 0);
}

/** The best of the nodes that a pod fits; among equals the one with fewer pods, then the first by name. */
export function bestOf(demand: PodDemand, states: readonly NodeState[]): NodeState | undefined {
  let best: { state: NodeState; score: number } | undefined;
  for (const state of states) {
    const score = scoreOf(demand, state);
    if (!best || score > best.score || (score === best.score && isPreferred(state, best.state)))
      best = { state, score };
  }
  return best?.state;
}

function isPreferred(a: NodeState, b: NodeState): boolean {
  if (a.pods.size !== b.pods.size) return a.pods.size < b.pods.size;
  return a.name < b.name;
}
