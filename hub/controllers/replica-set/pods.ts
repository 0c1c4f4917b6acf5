import type { KubeObject } from '../../resources/object.ts';
import { pods, replicaSets } from '../../resources/table-of-resources.ts';
import type { PodObject, ReplicaSetObject } from '../../resources/typed.ts';
import { type ControllerContext, unlessGone } from '../controller.ts';
import { controllerReference } from '../ownership.ts';
import { podFromTemplate } from '../pod-from-template.ts';

/** Who creates and removes pods of ReplicaSets. */
export const SOURCE = 'replicaset-controller';
/** So many pods are created at once; the store makes one commit of them. */
const BATCH = 500;

/** Returns why not all could be created. */
export async function createPods(
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

/** `owner`: of whom people are told that they are gone. */
export async function removePods(
  { registry, events }: ControllerContext,
  owner: KubeObject,
  surplus: readonly PodObject[],
): Promise<void> {
  const remove = async ({ metadata: { namespace, name = '', uid = '' } }: PodObject) => {
    const removed = await unlessGone(registry.delete(pods, namespace, name, { preconditions: { uid } }));
    const message = `Deleted pod: ${name}`;
    if (removed) events.record(SOURCE, owner, { type: 'Normal', reason: 'SuccessfulDelete', message });
  };
  await Promise.all(surplus.map(remove));
}
