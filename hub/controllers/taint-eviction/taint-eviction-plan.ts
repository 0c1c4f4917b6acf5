import { untoleratedTaint } from '../../resources/node-matching.ts';
import { isTerminal } from '../../resources/pod-state.ts';
import type { NodeObject, PodObject } from '../../resources/typed.ts';

/**
 * Those of the node's pods that a taint with the effect NoExecute drives away. Who tolerates it for some seconds only
 * stays as well: the seconds of a device that is merely away would run out.
 */
export function podsToEvict({ spec }: NodeObject, pods: readonly PodObject[]): readonly PodObject[] {
  const taints = spec?.taints?.filter(({ effect }) => effect === 'NoExecute') ?? [];
  if (taints.length === 0) return [];
  return pods.filter(
    (pod) =>
      pod.metadata.deletionTimestamp === undefined &&
      !isTerminal(pod) &&
      untoleratedTaint(taints, pod.spec.tolerations, ['NoExecute']),
  );
}
