import type { NodeSelectorTerm } from 'kubernetes-types/core/v1.d.ts';
import type { Registry } from '../registry/registry.ts';
import { claimsOf, LOCAL_PATH_PROVISIONER, nodeOfFirst } from '../resources/local-path.ts';
import { matchesNodeSelectorTerm } from '../resources/node-matching.ts';
import { isTerminal } from '../resources/pod-state.ts';
import {
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  storageClasses,
} from '../resources/table-of-resources.ts';
import type {
  NodeObject,
  PersistentVolumeClaimObject,
  PersistentVolumeObject,
  PodObject,
  StorageClassObject,
} from '../resources/typed.ts';

/** Where the volumes of a pod are, as far as that is decided. */
export interface VolumeReach {
  /** Why the pod can go nowhere yet, in Kubernetes' words. */
  readonly problem?: string;
  readonly reaches: (node: NodeObject) => boolean;
}

const EVERYWHERE: VolumeReach = { reaches: () => true };

/** Undefined for a pod without claims. `deciding`: nodes of claims whose first pod is being bound just now. */
export function volumeReachOf(
  registry: Registry,
  pod: PodObject,
  deciding: ReadonlyMap<string, string>,
): VolumeReach | undefined {
  const keys = claimsOf(pod);
  if (keys.length === 0) return undefined;
  const reaches = keys.map((key) => claimReach(registry, key, deciding.get(key)));
  const problem = reaches.find((reach) => reach.problem)?.problem;
  return { ...(problem && { problem }), reaches: (node) => reaches.every((reach) => reach.reaches(node)) };
}

function claimReach(registry: Registry, key: string, deciding: string | undefined): VolumeReach {
  const [namespace = '', name = ''] = key.split('/');
  const claim = registry.get(persistentVolumeClaims, namespace, name) as
    | PersistentVolumeClaimObject
    | undefined;
  const cannot = (problem: string) => ({ ...EVERYWHERE, problem });
  if (!claim) return cannot(`persistentvolumeclaim "${name}" not found`);
  if (claim.metadata.deletionTimestamp) return cannot(`persistentvolumeclaim "${name}" is being deleted`);
  const { volumeName, storageClassName = '' } = claim.spec;
  if (volumeName) {
    const volume = registry.get(persistentVolumes, undefined, volumeName) as
      | PersistentVolumeObject
      | undefined;
    if (!volume)
      return cannot(`persistentvolumeclaim "${name}" bound to non-existent persistentvolume "${volumeName}"`);
    const terms = volume.spec.nodeAffinity?.required?.nodeSelectorTerms;
    return terms ? { reaches: (node) => matchesAny(terms, node) } : EVERYWHERE;
  }
  const storageClass = registry.get(storageClasses, undefined, storageClassName) as
    | StorageClassObject
    | undefined;
  if (storageClass?.provisioner !== LOCAL_PATH_PROVISIONER)
    return cannot('pod has unbound immediate PersistentVolumeClaims');
  // It will be where the first pod is.
  const users = (registry.byIndex(pods, 'claim', key) as readonly PodObject[]).filter(
    (pod) => !isTerminal(pod),
  );
  const only = nodeOfFirst(users) ?? deciding;
  return only === undefined ? EVERYWHERE : { reaches: ({ metadata }) => metadata.name === only };
}

function matchesAny(terms: readonly NodeSelectorTerm[], node: NodeObject): boolean {
  return terms.some((term) => matchesNodeSelectorTerm(term, node));
}
