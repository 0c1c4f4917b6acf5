import type { PodSpec } from 'kubernetes-types/core/v1.d.ts';
import { LOCAL_PATH_PROVISIONER, PROVISIONED_BY } from '../../proto/local-path.ts';
import { type KubeObject, objectKey } from './object.ts';
import type { PersistentVolumeClaimObject, PersistentVolumeObject, PodObject } from './typed.ts';

/* Volumes that are directories on one device, made when the first pod that asks for one has a node. */

export { LOCAL_PATH_PROVISIONER, PROVISIONED_BY };
export const LOCAL_PATH_CLASS = 'local-path';
/** On a volume of ours until its device has removed the directory. */
export const DIRECTORY_FINALIZER = 'holdfast.dev/directory-on-device';

const HOSTNAME_LABEL = 'kubernetes.io/hostname';

export function isLocalPath({ metadata }: Pick<KubeObject, 'metadata'>): boolean {
  return metadata.annotations?.[PROVISIONED_BY] === LOCAL_PATH_PROVISIONER;
}

/** On which device a volume of ours is. */
export function nodeOfLocalPath(volume: PersistentVolumeObject): string | undefined {
  if (!isLocalPath(volume)) return undefined;
  const [term] = volume.spec.nodeAffinity?.required?.nodeSelectorTerms ?? [];
  return term?.matchExpressions?.find(({ key }) => key === HOSTNAME_LABEL)?.values?.[0];
}

/** Only that device reaches it. */
export function onlyOnNode(node: string): NonNullable<PersistentVolumeObject['spec']['nodeAffinity']> {
  const matchExpressions = [{ key: HOSTNAME_LABEL, operator: 'In', values: [node] }];
  return { required: { nodeSelectorTerms: [{ matchExpressions }] } };
}

/** `namespace/name` of the claims that a pod mounts, each once. */
export function claimsOf({ metadata, spec }: { metadata: KubeObject['metadata']; spec: PodSpec }): string[] {
  const names = (spec.volumes ?? []).flatMap(
    ({ persistentVolumeClaim }) => persistentVolumeClaim?.claimName ?? [],
  );
  return [...new Set(names)].map((name) => `${metadata.namespace}/${name}`);
}

export function isClaimOf(volume: PersistentVolumeObject, claim: PersistentVolumeClaimObject): boolean {
  const { claimRef } = volume.spec;
  if (!claimRef || `${claimRef.namespace}/${claimRef.name}` !== objectKey(claim)) return false;
  return !claimRef.uid || claimRef.uid === claim.metadata.uid;
}

/** Whether the device is to remove its directory: nobody has a claim to it any more, and it is not to be kept. */
export function isAbandoned(volume: PersistentVolumeObject, claim: KubeObject | undefined): boolean {
  const { metadata, spec } = volume;
  if (!metadata.deletionTimestamp || spec.persistentVolumeReclaimPolicy !== 'Delete') return false;
  return !claim || !isClaimOf(volume, claim as PersistentVolumeClaimObject);
}

/** The first of these pods that has a node: there a volume is made. */
export function nodeOfFirst(pods: readonly PodObject[]): string | undefined {
  const placed = pods.filter(({ spec }) => spec.nodeName);
  const createdAt = (pod: PodObject) => pod.metadata.creationTimestamp ?? '';
  return placed.sort((a, b) => (createdAt(a) < createdAt(b) ? -1 : 1))[0]?.spec.nodeName;
}
