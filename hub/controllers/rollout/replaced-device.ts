import { POD_UPDATE_ANNOTATION, podUpdateOf } from '../../../proto/pod-update.ts';
import { isCandidate } from '../../fleet/candidate.ts';
import { type DeviceUpdateObject, deviceUpdates } from '../../fleet/device-update.ts';
import type { Registry } from '../../registry/registry.ts';
import type { KubeObject } from '../../resources/object.ts';
import { podCondition, withPodCondition } from '../../resources/pod-state.ts';
import { pods } from '../../resources/table-of-resources.ts';
import type { PodObject } from '../../resources/typed.ts';
import { unlessGone } from '../controller.ts';
import { changeExisting } from '../status.ts';
import { SOURCE } from './pod-changes.ts';

/**
 * Another device takes a node's place. What the one before has taken is what runs there, and nothing to be tried again
 * with no way back; what it has rejected, or failed to do, says nothing of the new one: rollouts meet it as one that has
 * just joined.
 */
export async function forgetDecisions(registry: Registry, node: string): Promise<void> {
  const there = registry.byIndex(pods, 'spec.nodeName', node) as readonly PodObject[];
  const taken = there.filter((pod) => podUpdateOf(pod) && !isCandidate(pod));
  const options = { fieldManager: SOURCE };
  await Promise.all(taken.map((pod) => changeExisting(registry, pods, pod, settled, options)));
  const unknown = { ...options, subresource: 'status' } as const;
  await Promise.all(there.map((pod) => changeExisting(registry, pods, pod, notReady, unknown)));
  const rows = registry.list(deviceUpdates).items as readonly DeviceUpdateObject[];
  const own = rows.filter(({ spec }) => spec.node === node);
  await Promise.all(
    own.map(({ metadata: { namespace, name = '' } }) =>
      unlessGone(registry.delete(deviceUpdates, namespace, name, {})),
    ),
  );
}

/** What the device before told of it is not so any more; the new one tells when it is again. */
function notReady(pod: KubeObject): KubeObject {
  return ['ContainersReady', 'Ready'].reduce((current, type) => {
    const is = podCondition(current, type);
    return is?.status === 'True'
      ? withPodCondition(current, { ...is, status: 'False', reason: 'DeviceReplaced' })
      : current;
  }, pod as PodObject);
}

function settled(pod: KubeObject): KubeObject {
  const { [POD_UPDATE_ANNOTATION]: _, ...annotations } = pod.metadata.annotations ?? {};
  return { ...pod, metadata: { ...pod.metadata, annotations } };
}
