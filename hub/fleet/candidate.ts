import { ACCEPTED_CONDITION, podUpdateOf } from '../../proto/pod-update.ts';
import { podCondition } from '../resources/pod-state.ts';
import type { PodObject } from '../resources/typed.ts';

/** Whether the pod is still to be decided on by its device: it is not what runs there. */
export function isCandidate(pod: PodObject): boolean {
  return podUpdateOf(pod) !== undefined && podCondition(pod, ACCEPTED_CONDITION)?.status !== 'True';
}
