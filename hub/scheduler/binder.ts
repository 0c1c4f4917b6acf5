import type { PodCondition } from 'kubernetes-types/core/v1.d.ts';
import type { Registry } from '../registry/registry.ts';
import { ApiError, conflict, notFound } from '../resources/api-error.ts';
import type { KubeObject } from '../resources/object.ts';
import { podCondition, withPodCondition } from '../resources/pod-state.ts';
import { pods } from '../resources/table-of-resources.ts';
import type { PodObject } from '../resources/typed.ts';

const SCHEDULER = { fieldManager: 'default-scheduler' };
const STATUS = { ...SCHEDULER, subresource: 'status' } as const;

/** Stores a decision. Throws 404 or 409 when the pod is gone, ending, or was bound by somebody else. */
export async function bindPod(
  registry: Registry,
  { metadata: { namespace, name = '', uid } }: PodObject,
  nodeName: string,
): Promise<void> {
  const bind = (current: KubeObject | undefined) => {
    if (current?.metadata.uid !== uid || !current) throw notFound(pods, name);
    const { spec, metadata } = current as PodObject;
    if (metadata.deletionTimestamp) throw conflict(pods, name, `pod ${name} is being deleted`);
    if (spec.nodeName)
      throw conflict(pods, name, `pod ${name} is already assigned to node "${spec.nodeName}"`);
    return { ...current, spec: { ...spec, nodeName } };
  };
  await registry.modify(pods, namespace, name, bind, SCHEDULER);
}

/** Tells in the pod's status how its scheduling went, if that is news. A pod that is gone does not matter. */
export async function writeScheduled(
  registry: Registry,
  { metadata: { namespace, name = '', uid } }: PodObject,
  { status, reason, message }: Pick<PodCondition, 'status' | 'reason' | 'message'>,
  at: string,
): Promise<void> {
  const change = (current: KubeObject | undefined) => {
    if (current?.metadata.uid !== uid || !current) throw notFound(pods, name);
    const pod = current as PodObject;
    const old = podCondition(pod, 'PodScheduled');
    if (old?.status === status && old.reason === reason && old.message === message) return pod;
    // An unbound pod only: a refusal must not outlive a binding that was made meanwhile.
    if (status === 'False' && pod.spec.nodeName) return pod;
    return withPodCondition(pod, {
      type: 'PodScheduled',
      status,
      ...(reason !== undefined && { reason }),
      ...(message !== undefined && { message }),
      lastTransitionTime: at,
    });
  };
  try {
    await registry.modify(pods, namespace, name, change, STATUS);
  } catch (error) {
    if (!(error instanceof ApiError && error.code === 404)) throw error;
  }
}
