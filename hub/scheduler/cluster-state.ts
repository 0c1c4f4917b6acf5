import type { Taint } from 'kubernetes-types/core/v1.d.ts';
import { readinessOf } from '../resources/node-matching.ts';
import { objectKey } from '../resources/object.ts';
import { isTerminal } from '../resources/pod-state.ts';
import type { NodeObject, PodObject } from '../resources/typed.ts';
import { sameJson } from '../schema/json-type.ts';
import { type Amounts, amountOf, demandOf, type PodDemand } from './pod-demand.ts';

/** A node and what is on it; kept up to date by each change, so that a decision adds nothing up. */
export interface NodeState {
  readonly name: string;
  readonly node: NodeObject;
  readonly allocatable: Amounts;
  /** Those of the spec, and those that its readiness amounts to although nobody has written them yet. */
  readonly taints: readonly Taint[];
  readonly used: Map<string, number>;
  readonly pods: Map<string, PodDemand>;
  /** How many pods of each owner. */
  readonly owners: Map<string, number>;
}

const NODE_TAINTS = {
  notReady: { key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' },
  unreachable: { key: 'node.kubernetes.io/unreachable', effect: 'NoSchedule' },
};

function taintsOf(node: NodeObject): Taint[] {
  const taints = node.spec.taints ?? [];
  const readiness = readinessOf(node);
  if (readiness === 'True') return taints;
  const implied = readiness === 'Unknown' ? NODE_TAINTS.unreachable : NODE_TAINTS.notReady;
  return taints.some(({ key }) => key === implied.key) ? taints : [...taints, implied];
}

function allocatableOf({ status }: NodeObject): Amounts {
  const given = status?.allocatable ?? status?.capacity ?? {};
  return new Map(Object.entries(given).map(([name, text]) => [name, amountOf(name, text)]));
}

function isSameToPods(a: NodeObject, b: NodeObject): boolean {
  return (
    sameJson(a.metadata.labels, b.metadata.labels) &&
    sameJson(a.spec, b.spec) &&
    sameJson(a.status?.allocatable, b.status?.allocatable) &&
    sameJson(a.status?.capacity, b.status?.capacity) &&
    readinessOf(a) === readinessOf(b)
  );
}

function add(counts: Map<string, number>, name: string, amount: number): void {
  const sum = (counts.get(name) ?? 0) + amount;
  if (sum === 0) counts.delete(name);
  else counts.set(name, sum);
}

/** Nodes and the pods on them, as the store says and as decisions that are being stored will make it. */
export class ClusterState {
  readonly #nodes = new Map<string, NodeState>();
  readonly #placed = new Map<string, string>(); // pod → node
  readonly #waitingForNode = new Map<string, Map<string, PodDemand>>(); // pods on nodes that are not there (yet)
  readonly #byNamespace = new Map<string, Map<string, { demand: PodDemand; node: string }>>();
  readonly #repelling = new Map<string, { demand: PodDemand; node: string }>();
  #order: NodeState[] | undefined;

  get size(): number {
    return this.#nodes.size;
  }

  /** All nodes, in an order that changes only with them. */
  get nodes(): readonly NodeState[] {
    this.#order ??= [...this.#nodes.values()];
    return this.#order;
  }

  node(name: string): NodeState | undefined {
    return this.#nodes.get(name);
  }

  /** Those in which pods are placed. */
  get namespaces(): Iterable<string> {
    return this.#byNamespace.keys();
  }

  /** Placed pods of a namespace, with their nodes. */
  podsIn(namespace: string): Iterable<{ readonly demand: PodDemand; readonly node: string }> {
    return this.#byNamespace.get(namespace)?.values() ?? [];
  }

  /** Placed pods that refuse others beside them (required anti-affinity). */
  get repelling(): Iterable<{ readonly demand: PodDemand; readonly node: string }> {
    return this.#repelling.values();
  }

  get hasRepelling(): boolean {
    return this.#repelling.size > 0;
  }

  /** Tells whether anything changed that a decision looks at: most changes of a node are its heartbeats. */
  putNode(node: NodeObject): boolean {
    const name = node.metadata.name ?? '';
    const old = this.#nodes.get(name);
    if (old && isSameToPods(old.node, node)) return false;
    const state: NodeState = {
      name,
      node,
      allocatable: allocatableOf(node),
      taints: taintsOf(node),
      used: old?.used ?? new Map(),
      pods: old?.pods ?? new Map(),
      owners: old?.owners ?? new Map(),
    };
    this.#nodes.set(name, state);
    this.#order = undefined;
    if (old) return true;
    for (const demand of this.#waitingForNode.get(name)?.values() ?? []) this.#occupy(state, demand);
    this.#waitingForNode.delete(name);
    return true;
  }

  removeNode(name: string): void {
    const state = this.#nodes.get(name);
    if (!state) return;
    this.#nodes.delete(name);
    this.#order = undefined;
    if (state.pods.size > 0) this.#waitingForNode.set(name, new Map(state.pods));
  }

  /** Follows a bound pod that has not ended. Tells whether anything changed that a decision looks at. */
  putPod(pod: PodObject): boolean {
    const { nodeName } = pod.spec;
    if (!nodeName || isTerminal(pod) || this.#isKnown(objectKey(pod), nodeName, pod)) return false;
    this.place(demandOf(pod), nodeName);
    return true;
  }

  /** Puts a pod onto a node: also one that is only being bound, so that the next decision sees it. */
  place(demand: PodDemand, nodeName: string): void {
    const { key } = demand;
    this.removePod(key);
    this.#placed.set(key, nodeName);
    const entry = { demand, node: nodeName };
    const namespace = demand.pod.metadata.namespace ?? '';
    const siblings = this.#byNamespace.get(namespace) ?? new Map();
    this.#byNamespace.set(namespace, siblings.set(key, entry));
    if (demand.antiAffinity.length > 0) this.#repelling.set(key, entry);
    const state = this.#nodes.get(nodeName);
    if (state) {
      this.#occupy(state, demand);
    } else {
      const waiting = this.#waitingForNode.get(nodeName) ?? new Map<string, PodDemand>();
      this.#waitingForNode.set(nodeName, waiting.set(key, demand));
    }
  }

  /** Returns the name of the node that has room now. */
  removePod(key: string): string | undefined {
    const nodeName = this.#placed.get(key);
    if (nodeName === undefined) return undefined;
    this.#placed.delete(key);
    this.#repelling.delete(key);
    const namespace = key.slice(0, key.indexOf('/'));
    const siblings = this.#byNamespace.get(namespace);
    siblings?.delete(key);
    if (siblings?.size === 0) this.#byNamespace.delete(namespace);
    const waiting = this.#waitingForNode.get(nodeName);
    waiting?.delete(key);
    if (waiting?.size === 0) this.#waitingForNode.delete(nodeName);
    const state = this.#nodes.get(nodeName);
    const demand = state?.pods.get(key);
    if (state && demand) this.#vacate(state, demand);
    return nodeName;
  }

  /** Most changes of a pod are of its status: nothing here depends on that. */
  #isKnown(key: string, nodeName: string, pod: PodObject): boolean {
    if (this.#placed.get(key) !== nodeName) return false;
    const known = this.#byNamespace.get(pod.metadata.namespace ?? '')?.get(key)?.demand.pod.metadata;
    const { uid, labels } = pod.metadata;
    return known?.uid === uid && sameJson(known?.labels, labels);
  }

  #occupy(state: NodeState, demand: PodDemand): void {
    state.pods.set(demand.key, demand);
    for (const [name, amount] of demand.requests) add(state.used, name, amount);
    if (demand.owner) add(state.owners, demand.owner, 1);
  }

  #vacate(state: NodeState, demand: PodDemand): void {
    state.pods.delete(demand.key);
    for (const [name, amount] of demand.requests) add(state.used, name, -amount);
    if (demand.owner) add(state.owners, demand.owner, -1);
  }
}
