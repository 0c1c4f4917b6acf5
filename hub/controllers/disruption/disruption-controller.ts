import type { Registry } from '../../registry/registry.ts';
import { controllerOf, type KubeObject, objectKey } from '../../resources/object.ts';
import { isTerminal } from '../../resources/pod-state.ts';
import { matchesLabelSelector } from '../../resources/selector.ts';
import { podDisruptionBudgets, pods } from '../../resources/table-of-resources.ts';
import type { PodDisruptionBudgetObject, PodObject } from '../../resources/typed.ts';
import {
  type ControllerContext,
  type ObjectEvent,
  type RunningController,
  splitKey,
  startController,
  unlessGone,
} from '../controller.ts';
import { writeStatus } from '../status.ts';
import { planDisruption } from './disruption-plan.ts';

const SOURCE = 'disruption-controller';

/** Tells in each PodDisruptionBudget's status how many of its pods may be disrupted: what evictions go by. */
export function startDisruptionController(context: ControllerContext): RunningController {
  const { registry } = context;
  return startController(context, {
    name: 'disruption',
    watches: [
      { resource: podDisruptionBudgets, keys: ({ object }) => [objectKey(object)] },
      { resource: pods, keys: (event) => budgetsOf(registry, event) },
    ],
    sync: (key) => syncBudget(context, key),
  });
}

/** Also of a pod whose labels changed: what it was counted for before looks at its pods again when it goes by them. */
function budgetsOf(registry: Registry, { object }: ObjectEvent): string[] {
  const { namespace = '' } = object.metadata;
  return registry.list(podDisruptionBudgets, { namespace }).items.map(objectKey);
}

async function syncBudget(context: ControllerContext, key: string): Promise<number | undefined> {
  const { registry, now } = context;
  const { namespace = '', name } = splitKey(key);
  const budget = registry.get(podDisruptionBudgets, namespace, name) as PodDisruptionBudgetObject | undefined;
  if (!budget) return undefined;
  const selected = registry
    .list(pods, { namespace })
    .items.filter(({ metadata }) => matchesLabelSelector(budget.spec.selector, metadata.labels))
    .filter((pod) => !isTerminal(pod as PodObject)) as PodObject[];
  const { status, wakeInMs } = planDisruption(budget, selected, desiredOf(registry, selected), now());
  await unlessGone(writeStatus(registry, podDisruptionBudgets, budget, status, SOURCE));
  return wakeInMs;
}

/** The sum of what the owners of the pods want; undefined when one of them does not say. */
function desiredOf(registry: Registry, selected: readonly PodObject[]): number | undefined {
  const owners = new Map<string, number>(); // by uid
  for (const pod of selected) {
    const owner = scaledOwner(registry, pod);
    if (!owner) return undefined;
    owners.set(owner.uid, owner.replicas);
  }
  return [...owners.values()].reduce((sum, replicas) => sum + replicas, 0);
}

/** The outermost owner that can be scaled: of a Deployment's pod the Deployment, not one of its ReplicaSets. */
function scaledOwner(registry: Registry, object: KubeObject): { uid: string; replicas: number } | undefined {
  const reference = controllerOf(object);
  const resource = registry.definitions.find(
    ({ kind, group }) => kind === reference?.kind && group === groupOf(reference.apiVersion),
  );
  const owner = resource && registry.get(resource, object.metadata.namespace, reference?.name ?? '');
  if (!owner || owner.metadata.uid !== reference?.uid) return undefined;
  const further = scaledOwner(registry, owner);
  if (further) return further;
  return resource.scale && { uid: owner.metadata.uid ?? '', replicas: resource.scale.replicas(owner) };
}

function groupOf(apiVersion: string): string {
  return apiVersion.includes('/') ? (apiVersion.split('/')[0] ?? '') : '';
}
