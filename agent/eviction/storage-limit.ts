import { type Container, ownContainersOf, type Pod } from '../pod/pod.ts';
import { parseQuantity } from '../pod/quantity.ts';

/** Whether somebody has to look at how much of the disk the pod holds. Pure. */
export function hasStorageLimit(pod: Pod): boolean {
  const ofVolume = pod.spec.volumes?.some(
    ({ emptyDir }) => emptyDir?.sizeLimit && emptyDir.medium !== 'Memory',
  );
  return Boolean(ofVolume) || ownContainersOf(pod).some((container) => storageLimit(container) !== undefined);
}

export function storageLimit({ resources }: Pick<Container, 'resources'>): number | undefined {
  return parseQuantity(resources?.limits?.['ephemeral-storage']);
}
