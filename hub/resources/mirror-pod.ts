import type { KubeObject } from './object.ts';

/**
 * On the object of a pod that its device runs by itself: the uid that the pod has there. The object only shows the pod, as
 * in Kubernetes: https://kubernetes.io/docs/tasks/configure-pod-container/static-pod/
 */
export const MIRROR_ANNOTATION = 'kubernetes.io/config.mirror';

export function isMirror({ metadata }: Pick<KubeObject, 'metadata'>): boolean {
  return metadata.annotations?.[MIRROR_ANNOTATION] !== undefined;
}
