import type { Registry } from '../../registry/registry.ts';
import type { ResourceDefinition } from '../../resources/definition.ts';
import {
  claimsOf,
  DIRECTORY_FINALIZER,
  isClaimOf,
  isLocalPath,
  nodeOfFirst,
  nodeOfLocalPath,
} from '../../resources/local-path.ts';
import { type KubeObject, objectKey } from '../../resources/object.ts';
import { isTerminal } from '../../resources/pod-state.ts';
import {
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  storageClasses,
} from '../../resources/table-of-resources.ts';
import type {
  PersistentVolumeClaimObject,
  PersistentVolumeObject,
  PodObject,
  StorageClassObject,
} from '../../resources/typed.ts';
import {
  type ControllerContext,
  type Running,
  splitKey,
  startController,
  unlessGone,
} from '../controller.ts';
import { phaseOfVolume, planClaim } from './binding-plan.ts';

const SOURCE = { fieldManager: 'persistentvolume-controller' };
const STATUS = { ...SOURCE, subresource: 'status' } as const;
const PROTECTION = 'kubernetes.io/pvc-protection';
const BOUND = 'pv.kubernetes.io/bind-completed';
const SELECTED_NODE = 'volume.kubernetes.io/selected-node';
/** Volumes have no namespace, and so no slash. */
const isClaimKey = (key: string) => key.includes('/');

/** Gives claims volumes, makes those of the class local-path, and lets go of those that nobody claims any more. */
export function startVolumeController(context: ControllerContext): Running {
  const { registry } = context;
  const pending = () =>
    claims(registry)
      .filter(({ spec }) => !spec.volumeName)
      .map(objectKey);
  return startController(context, {
    name: 'volume-binding',
    watches: [
      {
        resource: persistentVolumeClaims,
        keys: ({ object }) => [
          objectKey(object),
          ...volumesOf(registry, object as PersistentVolumeClaimObject),
        ],
      },
      {
        resource: persistentVolumes,
        keys: ({ object }) => {
          const { claimRef } = (object as PersistentVolumeObject).spec;
          const own = claimRef ? [`${claimRef.namespace}/${claimRef.name}`] : pending();
          return [objectKey(object), ...own];
        },
      },
      { resource: pods, keys: ({ object }) => claimsOf(object as PodObject) },
      { resource: storageClasses, keys: pending },
      {
        resource: nodes,
        keys: ({ type, object }) =>
          type === 'DELETED'
            ? volumes(registry)
                .filter((each) => nodeOfLocalPath(each) === object.metadata.name)
                .map(objectKey)
            : [],
      },
    ],
    sync: async (key) => {
      if (isClaimKey(key)) await syncClaim(context, key);
      else await syncVolume(registry, key);
      return undefined;
    },
  });
}

async function syncClaim({ registry, events }: ControllerContext, key: string): Promise<void> {
  const { namespace, name } = splitKey(key);
  const claim = registry.get(persistentVolumeClaims, namespace, name) as
    | PersistentVolumeClaimObject
    | undefined;
  if (!claim) return;
  const users = (registry.byIndex(pods, 'claim', key) as readonly PodObject[]).filter(
    (pod) => !isTerminal(pod),
  );
  if (claim.metadata.deletionTimestamp) {
    if (users.length === 0) await dropFinalizer(registry, persistentVolumeClaims, claim, PROTECTION);
    return;
  }
  const plan = planClaim({
    claim,
    storageClass: registry.get(storageClasses, undefined, claim.spec.storageClassName ?? '') as
      | StorageClassObject
      | undefined,
    volumes: volumes(registry),
    node: nodeOfFirst(users),
  });
  switch (plan.type) {
    case 'provision':
      // The watch of volumes brings the claim back, which then finds its own.
      await unlessGone(registry.create(persistentVolumes, plan.volume, SOURCE));
      return;
    case 'bind':
      return bind(registry, claim, plan.volume);
    case 'lost':
      return setPhase(registry, persistentVolumeClaims, claim, 'Lost');
    case 'wait': {
      const { isWarning, reason, message } = plan;
      events.record('persistentvolume-controller', claim, {
        type: isWarning ? 'Warning' : 'Normal',
        reason,
        message,
      });
    }
  }
}

/** The volume first: of two claims that want it, one gets it. */
async function bind(
  registry: Registry,
  claim: PersistentVolumeClaimObject,
  volume: PersistentVolumeObject,
): Promise<void> {
  const { namespace = '', name = '', uid = '' } = claim.metadata;
  const claimRef = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name, uid };
  const { name: volumeName = '' } = volume.metadata;
  let isOurs = false;
  await change(registry, persistentVolumes, volume, (current) => {
    const { spec } = current as PersistentVolumeObject;
    isOurs = !spec.claimRef || isClaimOf(current as PersistentVolumeObject, claim);
    return isOurs && !spec.claimRef?.uid ? { ...current, spec: { ...spec, claimRef } } : current;
  });
  if (!isOurs) return;
  const node = nodeOfLocalPath(volume);
  await change(registry, persistentVolumeClaims, claim, (current) => {
    const { spec, metadata } = current as PersistentVolumeClaimObject;
    if (spec.volumeName === volumeName && metadata.annotations?.[BOUND]) return current;
    const annotations = { ...metadata.annotations, [BOUND]: 'yes', ...(node && { [SELECTED_NODE]: node }) };
    const finalizers = [...new Set([...(metadata.finalizers ?? []), PROTECTION])];
    return { ...current, metadata: { ...metadata, annotations, finalizers }, spec: { ...spec, volumeName } };
  });
  const { accessModes = [], capacity = {} } = volume.spec;
  await setPhase(registry, persistentVolumeClaims, claim, 'Bound', { accessModes, capacity });
  await setPhase(registry, persistentVolumes, volume, 'Bound');
}

async function syncVolume(registry: Registry, name: string): Promise<void> {
  const volume = registry.get(persistentVolumes, undefined, name) as PersistentVolumeObject | undefined;
  if (!volume) return;
  const { claimRef, persistentVolumeReclaimPolicy } = volume.spec;
  const claim =
    claimRef && registry.get(persistentVolumeClaims, claimRef.namespace ?? '', claimRef.name ?? '');
  const phase = phaseOfVolume(volume, claim as PersistentVolumeClaimObject | undefined);
  if (volume.metadata.deletionTimestamp) {
    const node = nodeOfLocalPath(volume);
    const isKept = persistentVolumeReclaimPolicy !== 'Delete';
    const hasDevice = node !== undefined && registry.get(nodes, undefined, node) !== undefined;
    if (phase !== 'Bound' && (isKept || !hasDevice))
      await dropFinalizer(registry, persistentVolumes, volume, DIRECTORY_FINALIZER);
    return;
  }
  await setPhase(registry, persistentVolumes, volume, phase);
  if (phase === 'Released' && persistentVolumeReclaimPolicy === 'Delete' && isLocalPath(volume))
    await unlessGone(registry.delete(persistentVolumes, undefined, name, {}));
}

function volumes(registry: Registry): readonly PersistentVolumeObject[] {
  return registry.list(persistentVolumes).items as PersistentVolumeObject[];
}

function claims(registry: Registry): readonly PersistentVolumeClaimObject[] {
  return registry.list(persistentVolumeClaims).items as PersistentVolumeClaimObject[];
}

/** The volume that it has, or that names it. */
function volumesOf(registry: Registry, claim: PersistentVolumeClaimObject): string[] {
  const own = registry.byIndex(persistentVolumes, 'claim', objectKey(claim)).map(objectKey);
  return claim.spec.volumeName ? [...own, claim.spec.volumeName] : own;
}

async function setPhase(
  registry: Registry,
  resource: ResourceDefinition,
  object: KubeObject,
  phase: string,
  rest: object = {},
): Promise<void> {
  await change(
    registry,
    resource,
    object,
    (current) => {
      const status = (current.status ?? {}) as { phase?: string };
      return status.phase === phase ? current : { ...current, status: { ...status, ...rest, phase } };
    },
    STATUS,
  );
}

async function dropFinalizer(
  registry: Registry,
  resource: ResourceDefinition,
  object: KubeObject,
  finalizer: string,
): Promise<void> {
  await change(registry, resource, object, (current) => {
    const { finalizers = [] } = current.metadata;
    if (!finalizers.includes(finalizer)) return current;
    const left = finalizers.filter((each) => each !== finalizer);
    return { ...current, metadata: { ...current.metadata, finalizers: left } };
  });
}

/** Nothing where the object is gone, or another has its name. */
async function change(
  registry: Registry,
  resource: ResourceDefinition,
  { metadata: { namespace, name = '', uid } }: KubeObject,
  update: (current: KubeObject) => KubeObject,
  options: typeof SOURCE | typeof STATUS = SOURCE,
): Promise<void> {
  if (registry.get(resource, namespace, name)?.metadata.uid !== uid) return;
  const write = registry.modify(
    resource,
    namespace,
    name,
    (current) => {
      if (current?.metadata.uid !== uid) throw new Error(`${name} is another now`);
      return update(current as KubeObject);
    },
    options,
  );
  await unlessGone(write);
}
