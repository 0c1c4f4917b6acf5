import type { DaemonSetStatus } from 'kubernetes-types/apps/v1.d.ts';
import { isCandidate } from '../../fleet/candidate.ts';
import type { KubeObject } from '../../resources/object.ts';
import { availableInMs, isReady } from '../../resources/pod-state.ts';
import { sooner } from '../../resources/time.ts';
import type { DaemonSetObject, NodeObject, PodObject } from '../../resources/typed.ts';
import { resolveAmount } from '../amounts.ts';
import { isOffline, type Placement, placementOn } from './placement.ts';
import { REVISION_HASH } from './revisions.ts';

export interface DaemonSetPlan {
  /** Names of the nodes that get a pod. */
  readonly create: readonly string[];
  readonly remove: readonly { readonly pod: PodObject; readonly why: 'surplus' | 'failed' | 'outdated' }[];
  readonly status: DaemonSetStatus;
  /** Milliseconds until a pod that is ready becomes available. */
  readonly wakeInMs: number | undefined;
}

interface Input {
  readonly set: DaemonSetObject;
  /** Of the current template. */
  readonly hash: string;
  readonly nowMs: number;
  /** Milliseconds until a pod that has failed on this node may be replaced. */
  readonly failedWaitMs: (node: string) => number;
  /** A rollout policy decides when which device changes: only what is missing is made here. */
  readonly hasPolicy?: boolean;
}

/** One node with the pods that the DaemonSet has there. */
interface Spot extends Placement {
  readonly name: string;
  readonly node: NodeObject | undefined;
  /** All, the oldest first; an ending one still occupies its place. */
  readonly pods: readonly PodObject[];
  readonly live: readonly PodObject[];
}

type Removal = DaemonSetPlan['remove'][number];

const isEnding = ({ metadata }: KubeObject) => metadata.deletionTimestamp !== undefined;

/** The next step of a DaemonSet: where pods are missing, which must go, and what its status is. */
export function planDaemonSet(
  input: Input,
  nodes: readonly NodeObject[],
  pods: readonly PodObject[],
): DaemonSetPlan {
  const spots = spotsOf(input.set, nodes, pods);
  const { status, wakeInMs } = planStatus(input, spots);
  if (isEnding(input.set)) return { create: [], remove: [], status, wakeInMs };
  const remove = spots.flatMap((spot) => misplaced(input, spot));
  const create = spots.filter(({ shouldRun, pods: there }) => shouldRun && there.every(isCandidate));
  const wait = failedWait(input, spots);
  const { type } = input.set.spec.updateStrategy ?? {};
  const going = new Set(remove.map(({ pod }) => pod));
  const rolling = type === 'OnDelete' || input.hasPolicy ? NO_STEP : planRolling(input, spots, going);
  return {
    create: [...create, ...rolling.create].map(({ name }) => name),
    remove: [...remove, ...rolling.remove],
    status,
    wakeInMs: sooner(wakeInMs, wait),
  };
}

const NO_STEP: { create: readonly Spot[]; remove: readonly Removal[] } = { create: [], remove: [] };

function spotsOf(set: DaemonSetObject, nodes: readonly NodeObject[], pods: readonly PodObject[]): Spot[] {
  const byNode = Map.groupBy(pods, ({ spec }) => spec.nodeName ?? '');
  const spots = nodes.map((node): Spot => {
    const name = node.metadata.name ?? '';
    const there = (byNode.get(name) ?? []).toSorted(byAge);
    byNode.delete(name);
    return {
      name,
      node,
      pods: there,
      live: there.filter((pod) => !isEnding(pod)),
      ...placementOn(set, node),
    };
  });
  for (const [name, there] of byNode)
    spots.push({
      name,
      node: undefined,
      pods: there,
      live: there.filter((pod) => !isEnding(pod)),
      shouldRun: false,
      mayStay: false,
    });
  return spots;
}

function byAge(a: PodObject, b: PodObject): number {
  const order = ({ metadata }: PodObject) => `${metadata.creationTimestamp} ${metadata.name}`;
  return order(a) < order(b) ? -1 : 1;
}

const isFailed = ({ status }: PodObject) => status?.phase === 'Failed' || status?.phase === 'Succeeded';

/** Pods where none may be, pods that have ended, and all but the oldest of each template. */
function misplaced({ hash, failedWaitMs, hasPolicy }: Input, { name, live, mayStay }: Spot): Removal[] {
  if (!mayStay) return live.map((pod) => ({ pod, why: 'surplus' }));
  const running = live.filter((pod) => !isFailed(pod));
  const hashOf = (pod: PodObject) => pod.metadata.labels?.[REVISION_HASH];
  // Without a policy there is the current template, and all that came before.
  const generations = Map.groupBy(running, (pod) => (hasPolicy ? hashOf(pod) : hashOf(pod) === hash));
  const surplus = [...generations.values()].flatMap((pods) => pods.slice(1));
  return [
    ...live
      .filter((pod) => isFailed(pod) && failedWaitMs(name) <= 0)
      .map((pod): Removal => ({ pod, why: 'failed' })),
    ...surplus.map((pod): Removal => ({ pod, why: 'surplus' })),
  ];
}

/** When the next of the failed pods may be replaced. */
function failedWait({ failedWaitMs }: Input, spots: readonly Spot[]): number | undefined {
  return spots
    .filter(({ live }) => live.some(isFailed))
    .map(({ name }) => failedWaitMs(name))
    .filter((wait) => wait > 0)
    .reduce<number | undefined>(sooner, undefined);
}

/**
 * Replaces old pods. What is not available anyway is replaced at once; of the rest only as many as may be missing.
 * Nodes that are offline are not counted against that number: devices that are away must not hold up the others.
 */
function planRolling(
  input: Input,
  spots: readonly Spot[],
  going: ReadonlySet<PodObject>,
): { create: readonly Spot[]; remove: readonly Removal[] } {
  const wanted = spots.filter(({ shouldRun }) => shouldRun);
  const { maxSurge, maxUnavailable } = input.set.spec.updateStrategy?.rollingUpdate ?? {};
  const surge = resolveAmount(maxSurge, wanted.length, 'up');
  if (surge > 0) return planSurge(input, wanted, going, surge);
  const budget = Math.max(1, resolveAmount(maxUnavailable ?? 1, wanted.length, 'up'));
  const remove: Removal[] = [];
  const candidates: Removal[] = [];
  let missing = 0;
  for (const spot of wanted) {
    const { old, current } = generationsOf(input, spot, going);
    const serving = current ?? old;
    const isServing = serving !== undefined && isAvailableTo(input, serving);
    if (!isServing && !(spot.node && isOffline(spot.node))) missing += 1;
    if (!old || current) continue;
    (isServing ? candidates : remove).push({ pod: old, why: 'outdated' });
  }
  return { create: [], remove: [...remove, ...candidates.slice(0, Math.max(0, budget - missing))] };
}

/** The new pod is made beside the old one, which goes when the new one is available. */
function planSurge(
  input: Input,
  wanted: readonly Spot[],
  going: ReadonlySet<PodObject>,
  surge: number,
): { create: readonly Spot[]; remove: readonly Removal[] } {
  const remove: Removal[] = [];
  const urgent: Spot[] = [];
  const patient: Spot[] = [];
  let under = 0;
  for (const spot of wanted) {
    const { old, current } = generationsOf(input, spot, going);
    if (!old) continue;
    if (current) {
      if (isAvailableTo(input, current)) remove.push({ pod: old, why: 'outdated' });
      else if (!(spot.node && isOffline(spot.node))) under += 1;
    } else if (spot.pods.length === spot.live.length) {
      (isAvailableTo(input, old) ? patient : urgent).push(spot);
    }
  }
  return { create: [...urgent, ...patient.slice(0, Math.max(0, surge - under))], remove };
}

function isAvailableTo({ set, nowMs }: Input, pod: PodObject): boolean {
  return availableInMs(pod, set.spec.minReadySeconds ?? 0, nowMs) === 0;
}

function generationsOf({ hash }: Input, { live }: Spot, going: ReadonlySet<PodObject>) {
  const staying = live.filter((pod) => !going.has(pod));
  const isCurrent = (pod: PodObject) => pod.metadata.labels?.[REVISION_HASH] === hash;
  return { current: staying.find(isCurrent), old: staying.find((pod) => !isCurrent(pod)) };
}

function planStatus(
  { set, hash, nowMs }: Input,
  spots: readonly Spot[],
): { status: DaemonSetStatus; wakeInMs: number | undefined } {
  const { collisionCount } = set.status ?? {};
  const counts = { desired: 0, current: 0, misscheduled: 0, ready: 0, available: 0, updated: 0 };
  let wakeInMs: number | undefined;
  for (const { shouldRun, pods } of spots) {
    if (!shouldRun && pods.length > 0) counts.misscheduled += 1;
    if (!shouldRun) continue;
    counts.desired += 1;
    const [first] = pods.toSorted((a, b) => Number(isEnding(a)) - Number(isEnding(b)));
    if (!first) continue;
    counts.current += 1;
    const wait = isEnding(first) ? undefined : availableInMs(first, set.spec.minReadySeconds ?? 0, nowMs);
    if (isReady(first)) counts.ready += 1;
    if (wait === 0) counts.available += 1;
    else wakeInMs = sooner(wakeInMs, wait);
    const isUpdated = (pod: PodObject) =>
      !isEnding(pod) && pod.metadata.labels?.[REVISION_HASH] === hash && !isCandidate(pod);
    if (pods.some(isUpdated)) counts.updated += 1;
  }
  const status: DaemonSetStatus = {
    currentNumberScheduled: counts.current,
    desiredNumberScheduled: counts.desired,
    numberMisscheduled: counts.misscheduled,
    numberReady: counts.ready,
    ...(counts.updated > 0 && { updatedNumberScheduled: counts.updated }),
    ...(counts.available > 0 && { numberAvailable: counts.available }),
    ...(counts.desired > counts.available && { numberUnavailable: counts.desired - counts.available }),
    observedGeneration: set.metadata.generation ?? 0,
    ...(collisionCount !== undefined && { collisionCount }),
  };
  return { status, wakeInMs };
}
