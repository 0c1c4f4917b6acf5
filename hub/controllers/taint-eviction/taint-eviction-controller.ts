import { nodes, pods } from '../../resources/table-of-resources.ts';
import type { NodeObject, PodObject } from '../../resources/typed.ts';
import {
  type ControllerContext,
  type RunningController,
  startController,
  unlessGone,
} from '../controller.ts';
import { podsToEvict } from './taint-eviction-plan.ts';

const SOURCE = 'taint-eviction-controller';

/** Deletes pods that may not stay on their node. */
export function startTaintEvictionController(context: ControllerContext): RunningController {
  return startController(context, {
    name: 'taint-eviction',
    watches: [
      { resource: nodes, keys: ({ object }) => [object.metadata.name ?? ''] },
      { resource: pods, keys: ({ object }) => nodesOf(object as PodObject) },
    ],
    sync: (node) => evictFrom(context, node),
  });
}

async function evictFrom({ registry, events }: ControllerContext, name: string): Promise<undefined> {
  const node = registry.get(nodes, undefined, name) as NodeObject | undefined;
  if (!node?.spec?.taints) return;
  const there = registry.byIndex(pods, 'spec.nodeName', name) as readonly PodObject[];
  await Promise.all(
    podsToEvict(node, there).map(async (pod) => {
      const { namespace, name: podName = '', uid = '' } = pod.metadata;
      const removed = await unlessGone(registry.delete(pods, namespace, podName, { preconditions: { uid } }));
      if (!removed) return;
      const message = `Marking for deletion Pod ${namespace}/${podName}`;
      events.record(SOURCE, pod, { type: 'Normal', reason: 'TaintManagerEviction', message });
    }),
  );
}

function nodesOf({ spec: { nodeName } }: PodObject): string[] {
  return nodeName ? [nodeName] : [];
}
