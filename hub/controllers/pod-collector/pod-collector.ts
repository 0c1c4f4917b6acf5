import { objectKey } from '../../resources/object.ts';
import { isTerminal } from '../../resources/pod-state.ts';
import { pods } from '../../resources/table-of-resources.ts';
import type { PodObject } from '../../resources/typed.ts';
import {
  type ControllerContext,
  type RunningController,
  startController,
  unlessGone,
} from '../controller.ts';

/** kube-controller-manager's `--terminated-pod-gc-threshold`. */
const DEFAULT_THRESHOLD = 12_500;
const COLLECT = 'collect';

/** Deletes the oldest of the pods that have ended, once there are more of them than anybody will look at. */
export function startPodCollector(
  context: ControllerContext,
  threshold = DEFAULT_THRESHOLD,
): RunningController {
  const { registry } = context;
  const ended = new Map<string, PodObject>(); // by key
  return startController(context, {
    name: 'pod-collector',
    watches: [
      {
        resource: pods,
        keys: ({ type, object }) => {
          const pod = object as PodObject;
          if (type !== 'DELETED' && isTerminal(pod)) ended.set(objectKey(pod), pod);
          else ended.delete(objectKey(pod));
          return ended.size > threshold ? [COLLECT] : [];
        },
      },
    ],
    sync: async () => {
      for (const { metadata } of oldest([...ended.values()], ended.size - threshold)) {
        const { namespace, name = '', uid = '' } = metadata;
        const options = { gracePeriodSeconds: 0, preconditions: { uid } };
        await unlessGone(registry.delete(pods, namespace, name, options));
      }
      return undefined;
    },
  });
}

/** The `count` that were created first. Pure. */
export function oldest(ended: readonly PodObject[], count: number): readonly PodObject[] {
  const createdAt = ({ metadata }: PodObject) => metadata.creationTimestamp ?? '';
  const order = [...ended].sort((a, b) =>
    createdAt(a) < createdAt(b) ? -1 : createdAt(a) > createdAt(b) ? 1 : 0,
  );
  return order.slice(0, Math.max(0, count));
}
