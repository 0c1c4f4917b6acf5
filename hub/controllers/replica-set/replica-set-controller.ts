import { controllerOf, type KubeObject, objectKey } from '../../resources/object.ts';
import { pods, replicaSets } from '../../resources/table-of-resources.ts';
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
import { podFromTemplate } from '../pod-from-template.ts';
import { writeStatus } from '../status.ts';
import { planPods, planStatus } from './replica-set-plan.ts';

const SOURCE = 'replicaset-controller';
/** So many pods are created at once; the store makes one commit of them. */
const BATCH = 500;

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
  const plan = planPods(set, owned, () => relatedPods(context, set), now());
  const [failure] = await Promise.all([
    createPods(context, set, plan.create),
    removePods(context, set, plan.remove),
  ]);
  const { status, wakeInMs } = planStatus(set, podsOf(context, set), failure?.message, now());
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

/** Returns why not all could be created. */
async function createPods(
  { registry, events }: ControllerContext,
  set: ReplicaSetObject,
  count: number,
): Promise<Error | undefined> {
  const { template } = set.spec;
  if (!template) return undefined;
  const pod = podFromTemplate(template, {
    namespace: set.metadata.namespace,
    reference: controllerReference(replicaSets, set),
  });
  for (let created = 0; created < count; created += BATCH) {
    const size = Math.min(BATCH, count - created);
    const results = await Promise.allSettled(
      Array.from({ length: size }, () => registry.create(pods, pod, { fieldManager: SOURCE })),
    );
    for (const result of results) {
      if (result.status === 'fulfilled') {
        const message = `Created pod: ${result.value.metadata.name}`;
        events.record(SOURCE, set, { type: 'Normal', reason: 'SuccessfulCreate', message });
        continue;
      }
      const failure = result.reason instanceof Error ? result.reason : new Error(String(result.reason));
      const message = `Error creating: ${failure.message}`;
      events.record(SOURCE, set, { type: 'Warning', reason: 'FailedCreate', message });
      return failure;
    }
  }
  return undefined;
}

async function removePods(
  { registry, events }: ControllerContext,
  set: ReplicaSetObject,
  surplus: readonly PodObject[],
): Promise<void> {
  const remove = async ({ metadata: { namespace, name = '', uid = '' } }: PodObject) => {
    const removed = await unlessGone(registry.delete(pods, namespace, name, { preconditions: { uid } }));
    const message = `Deleted pod: ${name}`;
    if (removed) events.record(SOURCE, set, { type: 'Normal', reason: 'SuccessfulDelete', message });
  };
  await Promise.all(surplus.map(remove));
}
