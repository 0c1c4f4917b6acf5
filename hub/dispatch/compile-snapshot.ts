import { createHash } from 'node:crypto';
import { encodeObjects, type NamedObject } from '../../proto/snapshot.ts';
import type { ResourceDefinition } from '../resources/definition.ts';
import { claimsOf, isClaimOf, PROVISIONED_BY } from '../resources/local-path.ts';
import { isMirror } from '../resources/mirror-pod.ts';
import { type KubeObject, objectKey } from '../resources/object.ts';
import {
  configMaps,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  secrets,
} from '../resources/table-of-resources.ts';
import type {
  PersistentVolumeClaimObject,
  PersistentVolumeObject,
  PodObject,
  ServiceObject,
} from '../resources/typed.ts';

/** What a node needs, before it is numbered, sealed and signed. */
export interface CompiledSnapshot {
  /** Canonical JSON of the pods, the ConfigMaps and the Services, and of the Node when something is asked of the device itself. */
  readonly objects: Buffer;
  /** Canonical JSON of the Secrets; undefined when there are none. */
  readonly secrets: Buffer | undefined;
  /** Of all of it, and of the key it is to be sealed to: the same hash is the same snapshot. */
  readonly hash: string;
}

export interface SnapshotSource {
  /** The pods that are bound to the node. */
  readonly pods: readonly KubeObject[];
  /** The Services that select the pod. */
  readonly servicesOf: (pod: KubeObject) => readonly ServiceObject[];
  /** The node itself, if the device is to know something of it. */
  readonly node: NamedObject | undefined;
  readonly get: (resource: ResourceDefinition, namespace: string, name: string) => KubeObject | undefined;
  /** The volumes on the node's device whose directories it is to remove. */
  readonly abandoned: readonly PersistentVolumeObject[];
  /** SPKI DER, base64. */
  readonly sealingKey: string;
  /** Where the API is, for pods. */
  readonly apiPort: number;
}

/** The node's pods and everything that they refer to: pure, and the same for the same objects. */
export function compileSnapshot({
  pods: all,
  servicesOf,
  node,
  get,
  abandoned,
  sealingKey,
  apiPort,
}: SnapshotSource): CompiledSnapshot {
  const bound = all.filter((pod) => !isMirror(pod)); // of its own pods a device knows
  const referred = (resource: ResourceDefinition, index: 'configMap' | 'secret') =>
    [...new Set(bound.flatMap((pod) => [...(pods.indexes?.[index]?.(pod) ?? [])]))].flatMap((key) => {
      const [namespace = '', name = ''] = key.split('/');
      return get(resource, namespace, name) ?? [];
    });
  const services = new Map(all.flatMap(servicesOf).map((service) => [objectKey(service), service]));
  const plain = encodeObjects([
    ...claimed(bound, get),
    ...abandoned.map(toRemove),
    ...[...bound, ...referred(configMaps, 'configMap')].map(forDevice),
    ...[...services.values()].map(whereItLeads),
    ...(node ? [node] : []),
  ]);
  const sealed = referred(secrets, 'secret').map(forDevice);
  const secretBytes = sealed.length > 0 ? encodeObjects(sealed) : undefined;
  const hash = createHash('sha256')
    .update(sealingKey)
    .update('\0')
    .update(plain)
    .update('\0')
    .update(secretBytes ?? '')
    .update(`\0${apiPort}`);
  return { objects: plain, secrets: secretBytes, hash: hash.digest('hex') };
}

/** Another one when the device has to know of the object: not of a status, which it may have reported itself. */
export function fingerprint(object: KubeObject): string {
  return createHash('sha256')
    .update(encodeObjects([forDevice(object)]))
    .digest('base64');
}

/**
 * What the device needs of an object. Its status is the device's own to say, and what changes with each write, such as
 * resourceVersion, would make a new snapshot of every status that the device reports.
 */
function forDevice(object: KubeObject): NamedObject {
  const { status: _, metadata, ...rest } = object;
  const { name = '', namespace, uid, labels, deletionTimestamp, deletionGracePeriodSeconds } = metadata;
  const annotations = Object.entries(metadata.annotations ?? {}).filter(([key]) => key !== LAST_APPLIED);
  return {
    ...rest,
    metadata: {
      name,
      ...(namespace && { namespace }),
      ...(uid && { uid }),
      ...(labels && { labels }),
      ...(annotations.length > 0 && { annotations: Object.fromEntries(annotations) }),
      ...(deletionTimestamp && { deletionTimestamp, deletionGracePeriodSeconds }),
    },
  };
}

/** The claims of pods, as far as they have volumes, and those volumes. */
function claimed(bound: readonly KubeObject[], get: SnapshotSource['get']): NamedObject[] {
  const keys = new Set(bound.flatMap((pod) => claimsOf(pod as PodObject)));
  const volumes = new Map<string, NamedObject>();
  const claims = [...keys].flatMap((key) => {
    const [namespace = '', name = ''] = key.split('/');
    const claim = get(persistentVolumeClaims, namespace, name) as PersistentVolumeClaimObject | undefined;
    const { volumeName = '' } = claim?.spec ?? {};
    const volume = get(persistentVolumes, '', volumeName) as PersistentVolumeObject | undefined;
    if (!claim || !volume || !isClaimOf(volume, claim)) return [];
    volumes.set(volumeName, whereItIs(volume));
    const { uid = '' } = claim.metadata;
    return [
      {
        ...{ apiVersion: 'v1', kind: 'PersistentVolumeClaim' },
        ...{ metadata: { namespace, name, uid }, spec: { volumeName } },
      },
    ];
  });
  return [...claims, ...volumes.values()];
}

/** For the device a volume is where its data is: whether it is claimed is no concern of it. */
function whereItIs({ metadata, spec }: PersistentVolumeObject): NamedObject {
  const { name = '', uid = '', annotations } = metadata;
  const provisioner = annotations?.[PROVISIONED_BY];
  const { claimRef: _, nodeAffinity: __, capacity: ___, ...where } = spec;
  const volume = {
    ...{ apiVersion: 'v1', kind: 'PersistentVolume', spec: where },
    metadata: {
      ...{ name, uid },
      ...(provisioner && { annotations: { [PROVISIONED_BY]: provisioner } }),
    },
  };
  return volume;
}

/** Only of these the device is told that they are deleted: it removes what they hold. */
function toRemove(volume: PersistentVolumeObject): NamedObject {
  const { deletionTimestamp } = volume.metadata;
  const told = whereItIs(volume);
  return { ...told, metadata: { ...told.metadata, ...(deletionTimestamp && { deletionTimestamp }) } };
}

/** For the device a Service is a name for pods: what else it has would make new snapshots for nothing. */
function whereItLeads({ metadata, spec }: ServiceObject): NamedObject {
  const { name = '', namespace = '' } = metadata;
  const { selector, ports = [], publishNotReadyAddresses, clusterIP } = spec;
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace },
    spec: {
      selector,
      ...(clusterIP && { clusterIP }),
      ports: ports.map(({ name, protocol, port, targetPort }) => ({ name, protocol, port, targetPort })),
      ...(publishNotReadyAddresses && { publishNotReadyAddresses }),
    },
  };
  return service;
}

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';
