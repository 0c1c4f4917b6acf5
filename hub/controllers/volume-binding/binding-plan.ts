import {
  DIRECTORY_FINALIZER,
  isClaimOf,
  LOCAL_PATH_PROVISIONER,
  onlyOnNode,
  PROVISIONED_BY,
} from '../../resources/local-path.ts';
import { compareQuantities, parseQuantity } from '../../resources/quantity.ts';
import { matchesLabelSelector } from '../../resources/selector.ts';
import type {
  PersistentVolumeClaimObject,
  PersistentVolumeObject,
  StorageClassObject,
} from '../../resources/typed.ts';

/* Which volume a claim gets. Pure. */

export interface ClaimInput {
  readonly claim: PersistentVolumeClaimObject;
  readonly storageClass: StorageClassObject | undefined;
  readonly volumes: readonly PersistentVolumeObject[];
  /** Of the first pod that uses the claim and has a node. */
  readonly node: string | undefined;
}

export type ClaimPlan =
  | { readonly type: 'bind'; readonly volume: PersistentVolumeObject }
  | { readonly type: 'provision'; readonly volume: PersistentVolumeObject }
  /** Its volume is there no more. */
  | { readonly type: 'lost' }
  | { readonly type: 'wait'; readonly isWarning: boolean; readonly reason: string; readonly message: string };

export function planClaim({ claim, storageClass, volumes, node }: ClaimInput): ClaimPlan {
  const { volumeName, storageClassName = '' } = claim.spec;
  if (volumeName) {
    const volume = volumes.find(({ metadata }) => metadata.name === volumeName);
    if (!volume) return { type: 'lost' };
    if (isClaimOf(volume, claim) || !volume.spec.claimRef) return { type: 'bind', volume };
    return waits(true, 'FailedBinding', `volume "${volumeName}" already bound to a different claim.`);
  }
  const volume = volumes.find((each) => isClaimOf(each, claim)) ?? bestOf(claim, volumes);
  if (volume) return { type: 'bind', volume };
  if (storageClass?.provisioner === LOCAL_PATH_PROVISIONER) return planLocalPath(claim, storageClass, node);
  if (storageClassName === '')
    return waits(
      false,
      'FailedBinding',
      'no persistent volumes available for this claim and no storage class is set',
    );
  if (!storageClass)
    return waits(true, 'ProvisioningFailed', `storageclass.storage.k8s.io "${storageClassName}" not found`);
  return waits(
    false,
    'ExternalProvisioning',
    `Waiting for a volume to be created either by the external provisioner '${storageClass.provisioner}' or manually by the system administrator.`,
  );
}

function planLocalPath(
  claim: PersistentVolumeClaimObject,
  storageClass: StorageClassObject,
  node: string | undefined,
): ClaimPlan {
  const { accessModes = [], volumeMode, selector } = claim.spec;
  const problem = accessModes.some((mode) => !LOCAL_MODES.includes(mode))
    ? `only ${LOCAL_MODES.join(' and ')} are possible: it is a directory of one device`
    : volumeMode === 'Block'
      ? 'it is a directory, and no block device'
      : selector && 'claim.spec.selector is not supported';
  if (problem)
    return waits(
      true,
      'ProvisioningFailed',
      `failed to provision volume with StorageClass "${storageClass.metadata.name}": ${problem}`,
    );
  if (!node)
    return waits(false, 'WaitForFirstConsumer', 'waiting for first consumer to be created before binding');
  return { type: 'provision', volume: localVolume(claim, storageClass, node) };
}

const LOCAL_MODES = ['ReadWriteOnce', 'ReadWriteOncePod'];

/** Where it is on the device is the agent's to say. */
function localVolume(
  { metadata: { namespace = '', name = '', uid = '' }, spec }: PersistentVolumeClaimObject,
  { metadata, reclaimPolicy = 'Delete' }: StorageClassObject,
  node: string,
): PersistentVolumeObject {
  const volume = `pvc-${uid}`;
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: {
      name: volume,
      annotations: { [PROVISIONED_BY]: LOCAL_PATH_PROVISIONER },
      finalizers: [DIRECTORY_FINALIZER],
    },
    spec: {
      capacity: { storage: spec.resources?.requests?.['storage'] ?? '0' },
      accessModes: spec.accessModes ?? [],
      persistentVolumeReclaimPolicy: reclaimPolicy,
      storageClassName: metadata.name ?? '',
      volumeMode: 'Filesystem',
      claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name, uid },
      nodeAffinity: onlyOnNode(node),
      hostPath: { path: `/var/lib/holdfast/agent/volumes/${volume}`, type: 'DirectoryOrCreate' },
    },
  };
}

/** The smallest that will do. */
function bestOf(
  claim: PersistentVolumeClaimObject,
  volumes: readonly PersistentVolumeObject[],
): PersistentVolumeObject | undefined {
  return volumes
    .filter((volume) => suits(claim, volume))
    .sort((a, b) => compareQuantities(capacityOf(a), capacityOf(b)))[0];
}

function suits({ spec }: PersistentVolumeClaimObject, volume: PersistentVolumeObject): boolean {
  const { metadata, spec: offered } = volume;
  const wanted = parseQuantity(spec.resources?.requests?.['storage'] ?? '0');
  return (
    !offered.claimRef &&
    !metadata.deletionTimestamp &&
    (offered.storageClassName ?? '') === (spec.storageClassName ?? '') &&
    (offered.volumeMode ?? 'Filesystem') === (spec.volumeMode ?? 'Filesystem') &&
    (spec.accessModes ?? []).every((mode) => offered.accessModes?.includes(mode)) &&
    wanted !== undefined &&
    compareQuantities(capacityOf(volume), wanted) >= 0 &&
    (!spec.selector || matchesLabelSelector(spec.selector, metadata.labels ?? {}))
  );
}

function capacityOf({ spec }: PersistentVolumeObject) {
  const zero = parseQuantity('0');
  const capacity = parseQuantity(spec.capacity?.['storage'] ?? '0') ?? zero;
  if (!capacity) throw new Error('zero is a quantity');
  return capacity;
}

function waits(isWarning: boolean, reason: string, message: string): ClaimPlan {
  return { type: 'wait', isWarning, reason, message };
}

export type VolumePhase = 'Available' | 'Bound' | 'Released';

/** What a volume is, by the claim that it names. */
export function phaseOfVolume(
  volume: PersistentVolumeObject,
  claim: PersistentVolumeClaimObject | undefined,
): VolumePhase {
  const { claimRef } = volume.spec;
  if (!claimRef) return 'Available';
  if (claim && isClaimOf(volume, claim))
    return claim.spec.volumeName === volume.metadata.name ? 'Bound' : 'Available';
  return claimRef.uid ? 'Released' : 'Available';
}
