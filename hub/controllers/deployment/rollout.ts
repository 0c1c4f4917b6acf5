import type { DeploymentSpec } from 'kubernetes-types/apps/v1.d.ts';
import type { DeploymentObject, ReplicaSetObject } from '../../resources/typed.ts';
import { resolveAmount } from '../amounts.ts';
import { DESIRED_REPLICAS, type Generations, MAX_REPLICAS } from './replica-sets.ts';

/*
 * How many replicas each ReplicaSet of a Deployment should have next. The numbers are Kubernetes'; other than there,
 * one pass scales up and down at once, since it computes with what it has just decided.
 */

/** The wanted `spec.replicas` of each ReplicaSet that should change, by name, and of the one still to be created. */
export interface Sizes {
  /** Undefined: no ReplicaSet of the current template is wanted yet. */
  readonly current: number | undefined;
  readonly old: ReadonlyMap<string, number>;
}

export interface Bounds {
  readonly maxSurge: number;
  readonly maxUnavailable: number;
}

const NONE: ReadonlyMap<string, number> = new Map();

const nameOf = ({ metadata }: ReplicaSetObject) => metadata.name ?? '';
const sizeOf = (set: ReplicaSetObject | undefined) => set?.spec.replicas ?? (set ? 1 : 0);
const sum = (numbers: readonly number[]) => numbers.reduce((total, each) => total + each, 0);

/** A status may be older than the last change of size: what is to go is not counted as available. */
const availableOf = (set: ReplicaSetObject | undefined) =>
  Math.min(set?.status?.availableReplicas ?? 0, sizeOf(set));

/** Pods that a set is still to give up take room until they are going. */
const occupiedBy = (set: ReplicaSetObject | undefined) => Math.max(sizeOf(set), set?.status?.replicas ?? 0);

/** Surge is rounded up, unavailability down; both zero would never move, so one may then be unavailable. */
export function boundsOf({ replicas = 1, strategy }: DeploymentSpec): Bounds {
  if (strategy?.type !== 'RollingUpdate') return { maxSurge: 0, maxUnavailable: 0 };
  const { maxSurge: surge, maxUnavailable: unavailable } = strategy.rollingUpdate ?? {};
  const maxSurge = resolveAmount(surge, replicas, 'up');
  const maxUnavailable = resolveAmount(unavailable, replicas, 'down');
  if (maxSurge === 0 && maxUnavailable === 0) return { maxSurge, maxUnavailable: 1 };
  return { maxSurge, maxUnavailable: Math.min(maxUnavailable, replicas) };
}

/** Whether `spec.replicas` changed since the ReplicaSets were last scaled. */
export function isScaling({ spec }: DeploymentObject, { current, old }: Generations): boolean {
  return [current, ...old].some((set) => {
    const desired = set?.metadata.annotations?.[DESIRED_REPLICAS];
    return set && sizeOf(set) > 0 && desired !== undefined && desired !== `${spec.replicas ?? 1}`;
  });
}

/** One step of a rolling update: up as far as the surge allows, down as far as availability allows. */
export function planRolling({ spec }: DeploymentObject, { current, old }: Generations): Sizes {
  const { replicas = 1 } = spec;
  const { maxSurge, maxUnavailable } = boundsOf(spec);
  const oldTotal = sum(old.map(sizeOf));
  const room = Math.max(0, replicas + maxSurge - sum([...old, current].map(occupiedBy)));
  const next = Math.min(replicas, sizeOf(current) + room);
  const minAvailable = replicas - maxUnavailable;
  const notYetAvailable = Math.max(0, next - availableOf(current));
  const spare = oldTotal + next - minAvailable - notYetAvailable;
  return { current: next, old: shrinkOld(old, spare, availableOf(current), minAvailable) };
}

/** First what is not available anyway, then as many of the available as can be spared. */
function shrinkOld(
  old: readonly ReplicaSetObject[],
  spare: number,
  availableNew: number,
  minAvailable: number,
): ReadonlyMap<string, number> {
  if (spare <= 0) return NONE;
  const sizes = new Map(old.map((set) => [nameOf(set), sizeOf(set)]));
  const shrink = (set: ReplicaSetObject, by: number) =>
    sizes.set(nameOf(set), (sizes.get(nameOf(set)) ?? 0) - by);
  let left = spare;
  for (const set of old) {
    const unhealthy = Math.min(left, sizeOf(set) - availableOf(set));
    shrink(set, unhealthy);
    left -= unhealthy;
  }
  let surplus = availableNew + sum(old.map(availableOf)) - minAvailable;
  for (const set of old) {
    const healthy = Math.max(0, Math.min(surplus, left, sizes.get(nameOf(set)) ?? 0));
    shrink(set, healthy);
    surplus -= healthy;
    left -= healthy;
  }
  return sizes;
}

/** All old pods go first; `oldPodsLeft` also counts those that are still ending. */
export function planRecreate(
  { spec }: DeploymentObject,
  { current, old }: Generations,
  oldPodsLeft: boolean,
): Sizes {
  const emptied = new Map(old.map((set) => [nameOf(set), 0]));
  if (oldPodsLeft) return { current: current && sizeOf(current), old: emptied };
  return { current: spec.replicas ?? 1, old: emptied };
}

/** Another `spec.replicas`: one set takes it over; in the middle of a rollout all do, in proportion. */
export function planScale(deployment: DeploymentObject, generations: Generations): Sizes {
  const { current, old } = generations;
  const { replicas = 1, strategy } = deployment.spec;
  const all = current ? [...old, current] : [...old];
  const active = all.filter((set) => sizeOf(set) > 0);
  const only = active.length > 1 ? undefined : (active[0] ?? current ?? all.at(-1));
  if (active.length <= 1) return sizesOf(generations, only ? new Map([[nameOf(only), replicas]]) : NONE);
  if (current && sizeOf(current) === replicas && availableOf(current) === replicas)
    return { current: replicas, old: new Map(old.map((set) => [nameOf(set), 0])) };
  if (strategy?.type !== 'RollingUpdate') return sizesOf(generations, NONE);
  return sizesOf(generations, inProportion(deployment, active));
}

function sizesOf({ current, old }: Generations, sizes: ReadonlyMap<string, number>): Sizes {
  return {
    current: current && (sizes.get(nameOf(current)) ?? sizeOf(current)),
    old: new Map(
      old.flatMap((set) => {
        const size = sizes.get(nameOf(set));
        return size === undefined ? [] : [[nameOf(set), size] as const];
      }),
    ),
  };
}

/** The largest sets take their share first; what rounding leaves goes to the very largest. */
function inProportion(
  { spec, status }: DeploymentObject,
  active: readonly ReplicaSetObject[],
): ReadonlyMap<string, number> {
  const { replicas = 1 } = spec;
  const { maxSurge } = boundsOf(spec);
  const maxReplicas = replicas > 0 ? replicas + maxSurge : 0;
  const toAdd = maxReplicas - sum(active.map(sizeOf));
  // Among equals the newer grows first, and the older shrinks first. `active` is in the order of age.
  const sorted = (toAdd > 0 ? active.toReversed() : [...active]).sort((a, b) => sizeOf(b) - sizeOf(a));
  const sizes = new Map<string, number>();
  let left = toAdd;
  for (const set of sorted) {
    const before = Number(set.metadata.annotations?.[MAX_REPLICAS]) || status?.replicas || sizeOf(set);
    const share = Math.round((sizeOf(set) * maxReplicas) / before) - sizeOf(set);
    const added = toAdd > 0 ? Math.min(share, left) : Math.max(share, left);
    sizes.set(nameOf(set), sizeOf(set) + added);
    left -= added;
  }
  const [largest] = sorted;
  if (largest) sizes.set(nameOf(largest), Math.max(0, (sizes.get(nameOf(largest)) ?? 0) + left));
  return sizes;
}
