import { isCandidate } from '../../fleet/candidate.ts';
import { policyNameOf } from '../../fleet/current-rollout.ts';
import { controllerOf, type KubeObject, objectKey } from '../../resources/object.ts';
import { deployments, pods, replicaSets } from '../../resources/table-of-resources.ts';
import { sooner } from '../../resources/time.ts';
import type { PodObject, ReplicaSetObject } from '../../resources/typed.ts';
import {
  type ControllerContext,
  type RunningController,
  splitKey,
  startController,
  unlessGone,
} from '../controller.ts';
import { controllerReference, keysOfOwner, Orphans, planClaims, settleClaims } from '../ownership.ts';
import { writeStatus } from '../status.ts';
import { createPods, removePods, SOURCE } from './pods.ts';
import { planPods, planStatus, type ReplicaSetPlan } from './replica-set-plan.ts';

const NOTHING: ReplicaSetPlan = { create: 0, remove: [] };

/** Keeps as many pods as each ReplicaSet says. */
export function startReplicaSetController(context: ControllerContext): RunningController {
  const { registry } = context;
  const orphans = new Orphans();
  return startController(context, {
    name: 'replica-set',
    watches: [
      { resource: replicaSets, keys: ({ object }) => [objectKey(object)] },
      { resource: pods, keys: keysOfOwner(registry, replicaSets, orphans) },
    ],
    sync: (key) => syncReplicaSet(context, orphans, key),
  });
}

async function syncReplicaSet(
  context: ControllerContext,
  orphans: Orphans,
  key: string,
): Promise<number | undefined> {
  const { registry, now } = context;
  const { namespace, name } = splitKey(key);
  const set = registry.get(replicaSets, namespace, name) as ReplicaSetObject | undefined;
  if (!set) return undefined;
  const claims = planClaims(set, set.spec.selector, podsOf(context, set), orphans.in(namespace));
  const reference = controllerReference(replicaSets, set);
  const owned = (await settleClaims(registry, pods, reference, claims, SOURCE)) as readonly PodObject[];
  const isForeign = isUnderPolicy(context, set);
  const plan = isForeign ? NOTHING : planPods(set, owned, () => relatedPods(context, set), now());
  const [failure] = await Promise.all([
    createPods(context, set, plan.create),
    removePods(context, set, plan.remove),
  ]);
  const after = isForeign ? podsOf(context, set).filter((pod) => !isCandidate(pod)) : podsOf(context, set);
  const { status, wakeInMs } = planStatus(set, after, failure?.message, now());
  await unlessGone(writeStatus(registry, replicaSets, set, status, SOURCE));
  if (failure) throw failure;
  return sooner(wakeInMs, plan.wakeInMs);
}

function podsOf({ registry }: ControllerContext, set: KubeObject): readonly PodObject[] {
  return registry.byIndex(pods, 'controller', set.metadata.uid ?? '') as readonly PodObject[];
}

/** The pods of every ReplicaSet of the same Deployment. */
function relatedPods(context: ControllerContext, set: ReplicaSetObject): readonly PodObject[] {
  const owner = controllerOf(set);
  if (!owner) return podsOf(context, set);
  return context.registry
    .byIndex(replicaSets, 'controller', owner.uid)
    .flatMap((sibling) => podsOf(context, sibling));
}

/** A Deployment under a RolloutPolicy keeps the places of its pods itself. */
function isUnderPolicy({ registry }: ControllerContext, set: ReplicaSetObject): boolean {
  const owner = controllerOf(set);
  if (owner?.kind !== deployments.kind) return false;
  const deployment = registry.get(deployments, set.metadata.namespace, owner.name);
  return deployment?.metadata.uid === owner.uid && policyNameOf(deployment) !== undefined;
}
