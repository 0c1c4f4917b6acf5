import type { Logger } from 'pino';
import type { Registry, WatchEvent } from '../registry/registry.ts';
import { ApiError } from '../resources/api-error.ts';
import { claimsOf } from '../resources/local-path.ts';
import { type KubeObject, objectKey } from '../resources/object.ts';
import { isTerminal } from '../resources/pod-state.ts';
import {
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  storageClasses,
} from '../resources/table-of-resources.ts';
import type { NodeObject, PodObject } from '../resources/typed.ts';
import { bindPod, writeScheduled } from './binder.ts';
import { ClusterState } from './cluster-state.ts';
import { decide, decideAmong } from './decision.ts';
import { demandOf, type PodDemand } from './pod-demand.ts';
import { SchedulingQueue } from './scheduling-queue.ts';
import { type VolumeReach, volumeReachOf } from './volume-reach.ts';

export interface SchedulerOptions {
  readonly registry: Registry;
  readonly log: Logger;
  readonly now: () => number;
  /** Writes an Event about a pod, without delay. */
  readonly record: (
    about: KubeObject,
    text: { readonly type: 'Normal' | 'Warning'; readonly reason: string; readonly message: string },
  ) => void;
}

const NAME = 'default-scheduler';
/** Decisions go on for so long before other work gets its turn. */
const TURN_MS = 10;
/** How often at most the messages of pods that fit nowhere are brought up to date. */
const REFRESH_MS = 1000;
const RETRY_MS = 1000;

type ObjectEvent = Exclude<WatchEvent, { type: 'SYNCED' }>;

/**
 * Gives each pending pod a node. Decisions are made one after the other, each seeing those before it, and stored at
 * once, so that many pods cost one commit. A pod that fits nowhere waits until a node or another pod changes, and is
 * then tried on what has changed only.
 */
export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #cluster = new ClusterState();
  readonly #queue = new SchedulingQueue();
  readonly #binding = new Set<string>();
  readonly #writes = new Set<Promise<void>>();
  /** Nodes of claims that have no volume yet, while their first pod is being bound. */
  readonly #claimNodes = new Map<string, string>();
  readonly #touched = new Set<string>(); // nodes on which a waiting pod may fit now
  readonly #retries = new Map<string, NodeJS.Timeout>();
  readonly #ends: readonly (() => void)[];
  #refresh: NodeJS.Timeout | undefined;
  #neighboursChanged = false;
  #isAwake = false;
  #isStopped = false;
  #offset = 0;

  constructor(options: SchedulerOptions) {
    this.#options = options;
    const { registry } = options;
    this.#ends = [
      registry.watch(nodes, {}, (event) => event.type !== 'SYNCED' && this.#followNode(event)),
      registry.watch(pods, {}, (event) => event.type !== 'SYNCED' && this.#followPod(event)),
      ...[persistentVolumeClaims, persistentVolumes, storageClasses].map((resource) =>
        registry.watch(resource, {}, (event) => event.type !== 'SYNCED' && this.#volumesChanged()),
      ),
    ];
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const end of this.#ends) end();
    clearTimeout(this.#refresh);
    for (const timer of this.#retries.values()) clearTimeout(timer);
    await Promise.all(this.#writes);
  }

  #followNode({ type, object }: ObjectEvent): void {
    const node = object as NodeObject;
    const name = node.metadata.name ?? '';
    if (type === 'DELETED') this.#cluster.removeNode(name);
    else if (!this.#cluster.putNode(node)) return;
    else this.#touched.add(name);
    this.#refreshSoon();
    this.#wake();
  }

  #followPod({ type, object }: ObjectEvent): void {
    const pod = object as PodObject;
    const key = objectKey(pod);
    if (type !== 'DELETED' && isWaiting(pod)) {
      if (!this.#binding.has(key) && this.#queue.offer(demandOf(pod))) this.#wake();
      return;
    }
    this.#queue.drop(key);
    if (type !== 'DELETED' && pod.spec.nodeName && !isTerminal(pod)) {
      if (this.#cluster.putPod(pod)) this.#noteNeighbours();
      return;
    }
    const freed = this.#cluster.removePod(key);
    if (freed === undefined) return;
    this.#touched.add(freed);
    this.#noteNeighbours();
    this.#wake();
  }

  #volumesChanged(): void {
    const waiting = this.#queue.parked.filter(({ pod }) => claimsOf(pod).length > 0);
    for (const demand of waiting) this.#queue.activate(demand);
    if (waiting.length > 0) this.#wake();
  }

  #reach({ pod }: PodDemand): VolumeReach | undefined {
    return volumeReachOf(this.#options.registry, pod, this.#claimNodes);
  }

  /** Another pod came or went: that matters to pods that wait for their neighbours. */
  #noteNeighbours(): void {
    if (!this.#queue.hasParked) return;
    this.#neighboursChanged = true;
    this.#wake();
  }

  /** In a microtask, when all changes of one commit have been seen. */
  #wake(): void {
    if (this.#isAwake || this.#isStopped) return;
    this.#isAwake = true;
    queueMicrotask(() => this.#run());
  }

  #run(): void {
    this.#isAwake = false;
    if (this.#isStopped) return;
    this.#reconsider();
    const started = performance.now();
    const demands = this.#queue.takeActive();
    for (const [index, demand] of demands.entries()) {
      if (performance.now() - started > TURN_MS) {
        for (const rest of demands.slice(index)) this.#queue.activate(rest);
        setImmediate(() => this.#wake());
        return;
      }
      this.#schedule(demand);
    }
  }

  /** Tries the pods that fit nowhere on what has changed since. */
  #reconsider(): void {
    const touched = [...this.#touched];
    const social = this.#neighboursChanged;
    this.#touched.clear();
    this.#neighboursChanged = false;
    if (touched.length === 0 && !social) return;
    for (const demand of this.#queue.parked) {
      const node = decideAmong(demand, this.#cluster, touched, this.#reach(demand));
      if (node !== undefined) this.#bind(demand, node);
      else if (social && this.#dependsOnNeighbours(demand)) this.#queue.activate(demand);
    }
  }

  #dependsOnNeighbours({ affinity, antiAffinity }: PodDemand): boolean {
    return affinity.length > 0 || antiAffinity.length > 0 || this.#cluster.hasRepelling;
  }

  #refreshSoon(): void {
    if (!this.#queue.hasParked) return;
    this.#queue.markStale();
    this.#refresh ??= setTimeout(() => {
      this.#refresh = undefined;
      this.#queue.activateStale();
      this.#wake();
    }, REFRESH_MS);
  }

  #schedule(demand: PodDemand): void {
    const { node, message } = decide(demand, this.#cluster, this.#offset, this.#reach(demand));
    this.#offset = (this.#offset + 1) % Math.max(1, this.#cluster.size);
    if (node !== undefined) {
      this.#bind(demand, node);
      return;
    }
    this.#queue.park(demand);
    this.#options.record(demand.pod, { type: 'Warning', reason: 'FailedScheduling', message });
    const refused = { status: 'False', reason: 'Unschedulable', message };
    this.#track(writeScheduled(this.#options.registry, demand.pod, refused, this.#at()));
  }

  #bind(demand: PodDemand, node: string): void {
    this.#queue.drop(demand.key);
    this.#binding.add(demand.key);
    this.#cluster.place(demand, node);
    for (const claim of claimsOf(demand.pod)) this.#claimNodes.set(claim, node);
    this.#noteNeighbours();
    this.#track(this.#store(demand, node));
  }

  async #store(demand: PodDemand, node: string): Promise<void> {
    const { registry, record } = this.#options;
    const { key, pod } = demand;
    try {
      await bindPod(registry, pod, node);
    } catch (error) {
      this.#undo(demand);
      if (!(error instanceof ApiError)) throw error;
      return;
    } finally {
      this.#binding.delete(key);
      for (const claim of claimsOf(pod)) this.#claimNodes.delete(claim);
    }
    record(pod, { type: 'Normal', reason: 'Scheduled', message: `Successfully assigned ${key} to ${node}` });
    await writeScheduled(registry, pod, { status: 'True' }, this.#at());
  }

  /** Takes back a decision that could not be stored, and tries again later if the pod still wants a node. */
  #undo({ key, pod }: PodDemand): void {
    const { registry } = this.#options;
    const freed = this.#cluster.removePod(key);
    if (freed !== undefined) this.#touched.add(freed);
    const { namespace, name = '' } = pod.metadata;
    const newest = registry.get(pods, namespace, name) as PodObject | undefined;
    if (!newest) return;
    this.#cluster.putPod(newest);
    if (!isWaiting(newest) || this.#isStopped) return;
    const retry = () => {
      this.#retries.delete(key);
      const current = registry.get(pods, namespace, name) as PodObject | undefined;
      if (!current || !isWaiting(current)) return;
      this.#queue.activate(demandOf(current));
      this.#wake();
    };
    clearTimeout(this.#retries.get(key));
    this.#retries.set(key, setTimeout(retry, RETRY_MS));
  }

  #at(): string {
    return `${new Date(this.#options.now()).toISOString().slice(0, 19)}Z`;
  }

  #track(write: Promise<void>): void {
    const tracked = write.catch((error: unknown) => {
      if (!this.#isStopped) this.#options.log.warn({ err: error }, 'scheduling not stored');
    });
    this.#writes.add(tracked);
    void tracked.finally(() => this.#writes.delete(tracked));
  }
}

/** Whether the pod is this scheduler's to place, now. */
function isWaiting(pod: PodObject): boolean {
  const { spec, metadata } = pod;
  const gates = 'schedulingGates' in spec && Array.isArray(spec.schedulingGates) ? spec.schedulingGates : [];
  return (
    !spec.nodeName &&
    metadata.deletionTimestamp === undefined &&
    !isTerminal(pod) &&
    (spec.schedulerName ?? NAME) === NAME &&
    gates.length === 0
  );
}
