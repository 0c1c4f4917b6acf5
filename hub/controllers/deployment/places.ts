import { podUpdateOf } from '../../../proto/pod-update.ts';
import { isCandidate } from '../../fleet/candidate.ts';
import { isActive } from '../../resources/pod-state.ts';
import type { DeploymentObject, PodObject, ReplicaSetObject } from '../../resources/typed.ts';
import { planPods, type ReplicaSetPlan } from '../replica-set/replica-set-plan.ts';
import { type Generations, HASH_LABEL } from './replica-sets.ts';
import type { Sizes } from './rollout.ts';

/*
 * A Deployment under a RolloutPolicy: a pod is changed where it is, so what the Deployment keeps is the number of its
 * places. Its ReplicaSets have as many replicas as there are pods of theirs, and create and remove none themselves.
 */

/**
 * The pods that stand for a place: not those that a device is still to decide on, nor those whose place it has given to
 * another that it took.
 */
export function podsOfPlaces(pods: readonly PodObject[]): PodObject[] {
  const settled = pods.filter((pod) => !isCandidate(pod));
  const replaced = new Set(settled.filter(isActive).map((pod) => podUpdateOf(pod)?.replaces));
  return settled.filter(({ metadata }) => !replaced.has(metadata.uid));
}

export interface PlacesPlan extends ReplicaSetPlan {
  /** Whose pods are created. */
  readonly baseline: ReplicaSetObject | undefined;
  readonly sizes: Sizes;
}

/**
 * Which pods to add or remove. New ones are of the revision that a device begins with: `baselineHash`, or the current one
 * where no rollout says otherwise.
 */
export function planPlaces(
  deployment: DeploymentObject,
  { current, old }: Generations,
  pods: readonly PodObject[],
  baselineHash: string | undefined,
  nowMs: number,
): PlacesPlan {
  const places = podsOfPlaces(pods);
  const sets = current ? [current, ...old] : old;
  const hashOf = ({ metadata }: PodObject | ReplicaSetObject) => metadata.labels?.[HASH_LABEL];
  const baseline = sets.find((set) => hashOf(set) === baselineHash) ?? current ?? old.at(-1);
  const plan = planPods(deployment, places, () => places, nowMs);
  const create = baseline ? plan.create : 0;
  const going = new Set(plan.remove);
  const staying = places.filter((pod) => isActive(pod) && !going.has(pod));
  const sizeOf = (set: ReplicaSetObject) =>
    staying.filter((pod) => hashOf(pod) === hashOf(set)).length + (set === baseline ? create : 0);
  return {
    ...plan,
    create,
    baseline,
    sizes: {
      current: current ? sizeOf(current) : deployment.spec.paused ? undefined : 0,
      old: new Map(old.map((set) => [set.metadata.name ?? '', sizeOf(set)])),
    },
  };
}
