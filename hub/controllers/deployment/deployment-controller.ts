import { baselineOf, policyNameOf, rolloutsOf } from '../../fleet/current-rollout.ts';
import { ApiError } from '../../resources/api-error.ts';
import { REVISION } from '../../resources/deployment.ts';
import { controllerOf, type KubeObject, objectKey } from '../../resources/object.ts';
import { isTerminal } from '../../resources/pod-state.ts';
import { deployments, pods, replicaSets } from '../../resources/table-of-resources.ts';
import { sooner } from '../../resources/time.ts';
import type { DeploymentObject, PodObject, ReplicaSetObject } from '../../resources/typed.ts';
import {
  type ControllerContext,
  type ObjectEvent,
  type RunningController,
  splitKey,
  startController,
  unlessGone,
} from '../controller.ts';
import { controllerReference, keysOfOwner, Orphans, planClaims, settleClaims } from '../ownership.ts';
import { createPods, removePods } from '../replica-set/pods.ts';
import { changeExisting, writeStatus } from '../status.ts';
import { NO_DEADLINE } from './deployment-conditions.ts';
import {
  type DeploymentPlan,
  planDeployment,
  planDeploymentStatus,
  type ReplicaSetUpdate,
} from './deployment-plan.ts';
import { type PlacesPlan, planPlaces } from './places.ts';
import { type Generations, newReplicaSet, sortGenerations } from './replica-sets.ts';

const SOURCE = 'deployment-controller';

/** Rolls Deployments out over their ReplicaSets. */
export function startDeploymentController(context: ControllerContext): RunningController {
  const { registry } = context;
  const orphans = new Orphans();
  return startController(context, {
    name: 'deployment',
    watches: [
      { resource: deployments, keys: ({ object }) => [objectKey(object)] },
      { resource: replicaSets, keys: keysOfOwner(registry, deployments, orphans) },
      { resource: pods, keys: (event) => waitingForPod(context, event) },
    ],
    sync: (key) => syncDeployment(context, orphans, key),
  });
}

/**
 * `Recreate` waits until the last old pod is gone, which no ReplicaSet's status tells; under a RolloutPolicy the pods
 * themselves are counted.
 */
function waitingForPod({ registry }: ControllerContext, { type, object }: ObjectEvent): string[] {
  const { namespace } = object.metadata;
  const set = registry.get(replicaSets, namespace, controllerOf(object)?.name ?? '');
  const name = set && controllerOf(set)?.name;
  if (name === undefined) return [];
  const deployment = registry.get(deployments, namespace, name) as DeploymentObject | undefined;
  if (!deployment) return [];
  const isGoing = type === 'DELETED' || isTerminal(object as PodObject);
  const waits =
    policyNameOf(deployment) !== undefined || (isGoing && deployment.spec.strategy?.type === 'Recreate');
  return waits ? [`${namespace}/${name}`] : [];
}

async function syncDeployment(
  context: ControllerContext,
  orphans: Orphans,
  key: string,
): Promise<number | undefined> {
  const { registry, now } = context;
  const { namespace, name } = splitKey(key);
  const deployment = registry.get(deployments, namespace, name) as DeploymentObject | undefined;
  if (!deployment) return undefined;
  const owned = registry.byIndex(replicaSets, 'controller', deployment.metadata.uid ?? '');
  const claims = planClaims(deployment, deployment.spec.selector, owned, orphans.in(namespace));
  const reference = controllerReference(deployments, deployment);
  const sets = await settleClaims(registry, replicaSets, reference, claims, SOURCE);
  const generations = sortGenerations(deployment, sets as readonly ReplicaSetObject[]);
  const places = placesOf(context, deployment, generations);
  const plan = planDeployment(deployment, generations, hasOldPods(context, generations), places?.sizes);
  const { created, failure, collided, revised } = await execute(context, deployment, plan, places);
  if (!revised) return undefined; // written meanwhile: that write has woken this key again
  const nowMs = now();
  // A rollout over a fleet takes the time that its policy gives it.
  const judged = places
    ? { ...revised, spec: { ...revised.spec, progressDeadlineSeconds: NO_DEADLINE } }
    : revised;
  const { status, wakeInMs } = planDeploymentStatus(judged, generations, {
    created,
    failure: failure?.message,
    nowMs,
  });
  if (collided) status.collisionCount = (status.collisionCount ?? 0) + 1;
  await unlessGone(writeStatus(registry, deployments, revised, status, SOURCE));
  if (failure) throw failure;
  return sooner(wakeInMs, places?.wakeInMs);
}

/** Undefined for a Deployment that is changed in Kubernetes' own way. */
function placesOf(
  { registry, now }: ControllerContext,
  deployment: DeploymentObject,
  generations: Generations,
): PlacesPlan | undefined {
  if (policyNameOf(deployment) === undefined) return undefined;
  const { current, old } = generations;
  const owned = [...(current ? [current] : []), ...old].flatMap(
    ({ metadata: { uid = '' } }) => registry.byIndex(pods, 'controller', uid) as readonly PodObject[],
  );
  const [newest] = rolloutsOf(registry, deployment);
  return planPlaces(deployment, generations, owned, newest && baselineOf(newest).hash, now());
}

function hasOldPods({ registry }: ControllerContext, { old }: Generations): boolean {
  return old.some(({ metadata: { uid = '' } }) =>
    registry.byIndex(pods, 'controller', uid).some((pod) => !isTerminal(pod as PodObject)),
  );
}

interface Outcome {
  readonly created?: KubeObject;
  readonly failure?: Error;
  /** Another template's ReplicaSet has the name: the next pass makes another one. */
  readonly collided?: boolean;
}

/** All writes of a plan share one commit. `revised` is the Deployment as it then is. */
async function execute(
  context: ControllerContext,
  deployment: DeploymentObject,
  plan: DeploymentPlan,
  places: PlacesPlan | undefined,
): Promise<Outcome & { readonly revised: DeploymentObject | undefined }> {
  const [outcome, revised, failure] = await Promise.all([
    create(context, deployment, plan.create),
    writeRevision(context, deployment, plan.revision),
    places?.baseline && createPods(context, places.baseline, places.create),
    removePods(context, deployment, places?.remove ?? []),
    ...plan.updates.map((update) => applyUpdate(context, deployment, update)),
    ...plan.remove.map(({ metadata: { namespace, name = '', uid = '' } }) =>
      unlessGone(context.registry.delete(replicaSets, namespace, name, { preconditions: { uid } })),
    ),
  ]);
  return { ...(failure && { failure }), ...outcome, revised };
}

async function create(
  context: ControllerContext,
  deployment: DeploymentObject,
  wanted: DeploymentPlan['create'],
): Promise<Outcome> {
  if (!wanted) return {};
  const { registry } = context;
  const set = newReplicaSet(deployment, controllerReference(deployments, deployment), wanted);
  try {
    const created = await registry.create(replicaSets, set, { fieldManager: SOURCE });
    tellScaling(context, deployment, created.metadata.name ?? '', 0, wanted.replicas);
    return { created };
  } catch (error) {
    if (error instanceof ApiError && error.reason === 'AlreadyExists') return { collided: true };
    const failure = error instanceof Error ? error : new Error(String(error));
    const message = `Failed to create new replica set "${set.metadata.name}": ${failure.message}`;
    context.events.record(SOURCE, deployment, { type: 'Warning', reason: 'ReplicaSetCreateError', message });
    return { failure };
  }
}

/** Undefined when somebody wrote the Deployment since it was read. */
async function writeRevision(
  { registry }: ControllerContext,
  deployment: DeploymentObject,
  revision: number | undefined,
): Promise<DeploymentObject | undefined> {
  if (revision === undefined) return deployment;
  const annotations = { ...deployment.metadata.annotations, [REVISION]: `${revision}` };
  const revised = { ...deployment, metadata: { ...deployment.metadata, annotations } };
  return (await unlessGone(registry.update(deployments, revised, { fieldManager: SOURCE }))) as
    | DeploymentObject
    | undefined;
}

async function applyUpdate(
  context: ControllerContext,
  deployment: DeploymentObject,
  { set, replicas, annotations, minReadySeconds }: ReplicaSetUpdate,
): Promise<void> {
  const change = (current: KubeObject) => {
    const { minReadySeconds: _, ...spec } = (current as ReplicaSetObject).spec;
    return {
      ...current,
      metadata: { ...current.metadata, annotations: { ...annotations } },
      spec: { ...spec, replicas, ...(minReadySeconds > 0 && { minReadySeconds }) },
    };
  };
  const written = await changeExisting(context.registry, replicaSets, set, change, { fieldManager: SOURCE });
  const before = set.spec.replicas ?? 1;
  if (written && before !== replicas)
    tellScaling(context, deployment, set.metadata.name ?? '', before, replicas);
}

function tellScaling(
  { events }: ControllerContext,
  deployment: DeploymentObject,
  name: string,
  from: number,
  to: number,
): void {
  const direction = to > from ? 'up' : 'down';
  const message = `Scaled ${direction} replica set ${name} from ${from} to ${to}`;
  if (from !== to)
    events.record(SOURCE, deployment, { type: 'Normal', reason: 'ScalingReplicaSet', message });
}
