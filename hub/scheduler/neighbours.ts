import type { PodAffinityTerm } from 'kubernetes-types/core/v1.d.ts';
import { ownValue } from '../resources/object.ts';
import { matchesLabelSelector } from '../resources/selector.ts';
import type { NodeObject, PodObject } from '../resources/typed.ts';
import type { ClusterState } from './cluster-state.ts';
import type { PodDemand } from './pod-demand.ts';

/** Where something must or must not be: the values of one topology label. */
interface Domains {
  readonly topologyKey: string;
  readonly values: ReadonlySet<string>;
}

/**
 * What required pod affinity and anti-affinity say about a pod's place, computed once for a decision. Only pods that
 * state such terms cost a look at other pods, and then only at those of the namespaces that the terms name.
 */
export class PodNeighbours {
  readonly #wanted: readonly (Domains & { readonly anywhere: boolean })[];
  readonly #avoided: readonly Domains[];
  readonly #refused: readonly Domains[];

  constructor(demand: PodDemand, cluster: ClusterState) {
    this.#wanted = demand.affinity.map((term) => {
      const domains = domainsWith(term, demand.pod, cluster);
      // The first of a group that wants to be together may be anywhere.
      const isFirst = domains.values.size === 0 && selects(term, demand.pod, demand.pod);
      return { ...domains, anywhere: isFirst };
    });
    this.#avoided = demand.antiAffinity.map((term) => domainsWith(term, demand.pod, cluster));
    this.#refused = refusals(demand.pod, cluster);
  }

  /** Why the pod may not be on the node; undefined when it may. */
  objection({ metadata: { labels = {} } }: NodeObject): string | undefined {
    const isIn = ({ topologyKey, values }: Domains) => {
      const value = ownValue(labels, topologyKey);
      return value !== undefined && values.has(value);
    };
    const isWelcome = this.#wanted.every((domains) =>
      domains.anywhere ? ownValue(labels, domains.topologyKey) !== undefined : isIn(domains),
    );
    if (!isWelcome) return "node(s) didn't match pod affinity rules";
    if (this.#avoided.some(isIn)) return "node(s) didn't match pod anti-affinity rules";
    if (this.#refused.some(isIn)) return "node(s) didn't satisfy existing pods anti-affinity rules";
    return undefined;
  }
}

/** `namespaceSelector: {}` means every namespace; one with conditions is not supported and selects the pod's own. */
function namespacesOf(
  { namespaces, namespaceSelector }: PodAffinityTerm,
  owner: PodObject,
): 'all' | string[] {
  const isEverything =
    namespaceSelector !== undefined &&
    Object.keys(namespaceSelector.matchLabels ?? {}).length === 0 &&
    !namespaceSelector.matchExpressions?.length;
  if (isEverything) return 'all';
  return namespaces?.length ? namespaces : [owner.metadata.namespace ?? ''];
}

/** Whether a term that `owner` states selects another pod. */
function selects(term: PodAffinityTerm, owner: PodObject, other: PodObject): boolean {
  const where = namespacesOf(term, owner);
  const isThere = where === 'all' || where.includes(other.metadata.namespace ?? '');
  return isThere && matchesLabelSelector(term.labelSelector, other.metadata.labels);
}

function domainsWith(term: PodAffinityTerm, owner: PodObject, cluster: ClusterState): Domains {
  const { topologyKey } = term;
  const where = namespacesOf(term, owner);
  const values = new Set<string>();
  for (const namespace of where === 'all' ? cluster.namespaces : where) {
    for (const { demand, node } of cluster.podsIn(namespace)) {
      const value = ownValue(cluster.node(node)?.node.metadata.labels, topologyKey);
      if (value !== undefined && matchesLabelSelector(term.labelSelector, demand.pod.metadata.labels))
        values.add(value);
    }
  }
  return { topologyKey, values };
}

function refusals(pod: PodObject, cluster: ClusterState): Domains[] {
  const refused: Domains[] = [];
  for (const { demand, node } of cluster.repelling) {
    for (const term of demand.antiAffinity) {
      const value = ownValue(cluster.node(node)?.node.metadata.labels, term.topologyKey);
      if (value !== undefined && selects(term, demand.pod, pod))
        refused.push({ topologyKey: term.topologyKey, values: new Set([value]) });
    }
  }
  return refused;
}
