import { join } from 'node:path';
import type { Volume, VolumeMount } from 'kubernetes-types/core/v1.d.ts';
import { LOCAL_PATH_PROVISIONER, PROVISIONED_BY } from '../../proto/local-path.ts';
import type { Mount } from '../runtime/runtime.ts';
import { ConfigurationError } from './configuration-error.ts';
import type { Placement } from './downward.ts';
import { expand } from './environment.ts';
import type { ClaimedVolume, Configuration, Container, ImageVolume, Pod } from './pod.ts';
import { type ProjectedFile, type ProjectionSources, projectedFiles } from './projected-files.ts';
import { parseQuantity } from './quantity.ts';

/*
 * What a pod's volumes are on this device: directories to make, files to write, and where containers see them. Pure;
 * volume-files.ts does it.
 */

/** Where the agent keeps pods' directories. Secrets go to memory, not to flash. */
export interface VolumeRoots {
  readonly data: string;
  readonly memory: string;
}

/** What volumes are made of, beside the pod itself. */
export interface VolumeContext {
  readonly configuration: Configuration;
  readonly roots: VolumeRoots;
  readonly placement: Pick<Placement, 'allocatable'>;
  /** The volume of a claim of the pod's namespace, if it has one on this device. */
  readonly volumeOf: (namespace: string, claim: string) => ClaimedVolume | undefined;
  /** The tokens that the pod asks for, as far as there are any. */
  readonly tokens: ProjectionSources['tokens'];
  /** Why there are not more. */
  readonly tokenProblem: string;
}

/** `group`: whose it is, where the pod says so. */
export type VolumePlan =
  | { readonly type: 'directory'; readonly path: string; readonly group?: number }
  /** A file system of its own in memory. */
  | {
      readonly type: 'memory';
      readonly path: string;
      readonly group?: number;
      readonly sizeBytes: number;
      /** Whether it must not become larger, or just should not. */
      readonly isLimited: boolean;
    }
  | { readonly type: 'host'; readonly path: string; readonly kind: string }
  /** The files of an image, as they are. */
  | { readonly type: 'image'; readonly path: string; readonly image: string; readonly mayPull: boolean }
  | {
      readonly type: 'files';
      readonly path: string;
      readonly group?: number;
      readonly files: readonly ProjectedFile[];
    };

/** A mount whose source is not known before the container is to be made. */
export interface PlannedMount extends Mount {
  /** What of the source it is, where it is not all. */
  readonly subPath?: string;
  /** Whether what it holds was written by this agent alone: no container can have put links there. */
  readonly isOurs: boolean;
}

/** Volumes that this agent writes, and containers only read. */
const WRITTEN_BY_AGENT = ['configMap', 'secret', 'downwardAPI', 'projected'] as const;

/** Where the directories of all pods are. */
export const podsDirectories = ({ data, memory }: VolumeRoots) => [join(data, 'pods'), join(memory, 'pods')];

/** The pod's own directories: all of it may be removed once the pod is gone. */
export function podDirectories(uid: string, roots: VolumeRoots): string[] {
  return podsDirectories(roots).map((directory) => join(directory, uid));
}

export function volumeDirectory({ metadata }: Pod, volume: string, root: string): string {
  return join(root, 'pods', metadata.uid, 'volumes', volume);
}

/** The tokens that the hub gave for the pod. */
export function tokensFile(uid: string, { memory }: VolumeRoots): string {
  return join(memory, 'pods', uid, 'tokens.json');
}

/** Where parts of volumes are, while containers that mount them are made. */
export function subPathsDirectory(uid: string, { memory }: VolumeRoots): string {
  return join(memory, 'pods', uid, 'sub-paths');
}

/** The `/etc/hosts` of the pod's containers, where this agent writes it. */
export function hostsFile(uid: string, { memory }: VolumeRoots): string {
  return join(memory, 'pods', uid, 'etc-hosts');
}

/** Throws ConfigurationError for what is missing or not supported. */
export function planVolume(pod: Pod, volume: Volume, context: VolumeContext): VolumePlan {
  const path = pathOf(pod, volume, context);
  if (volume.persistentVolumeClaim) return planClaimed(claimedVolume(pod, volume, context), path);
  if (volume.hostPath) return { type: 'host', path, kind: volume.hostPath.type ?? '' };
  const { image } = volume as ImageVolume;
  if (image)
    return { type: 'image', path, image: image.reference ?? '', mayPull: image.pullPolicy !== 'Never' };
  const { fsGroup } = pod.spec.securityContext ?? {};
  const group = fsGroup === undefined ? {} : { group: fsGroup };
  if (volume.emptyDir?.medium === 'Memory')
    return {
      ...{ type: 'memory', path, ...group },
      sizeBytes: memorySize(pod, volume, context),
      isLimited: volume.emptyDir.sizeLimit !== undefined,
    };
  if (volume.emptyDir) return { type: 'directory', path, ...group };
  return { type: 'files', path, ...group, files: projectedFiles(pod, volume, context) };
}

/** What one container mounts. `values`: its variables, for paths that are made of them. */
export function mountsOf(
  pod: Pod,
  container: Container,
  context: MountContext,
  values: ReadonlyMap<string, string>,
): PlannedMount[] {
  return (container.volumeMounts ?? []).map((mount) => {
    const volume = pod.spec.volumes?.find(({ name }) => name === mount.name);
    if (!volume) throw new ConfigurationError(`volume "${mount.name}" is not in the pod's spec`);
    refuseRecursive(mount);
    // What is in an image somebody else has written, links as well.
    const isImage = (volume as ImageVolume).image !== undefined;
    const isOurs = WRITTEN_BY_AGENT.some((source) => volume[source] !== undefined);
    const subPath = subPathOf(mount, values);
    return {
      source: pathOf(pod, volume, context),
      target: mount.mountPath,
      readOnly: (mount.readOnly ?? volume.persistentVolumeClaim?.readOnly ?? false) || isOurs || isImage,
      ...propagationOf(mount, container),
      ...(subPath && { subPath }),
      isOurs,
    };
  });
}

/** As the kubelet: the least of what the volume, the pod's containers together, and the node may have. */
function memorySize({ spec }: Pod, { emptyDir }: Volume, { placement }: VolumeContext): number {
  const limits = spec.containers.map(({ resources }) => parseQuantity(resources?.limits?.['memory']));
  const ofPod = limits.every((limit) => limit !== undefined)
    ? limits.reduce<number>((sum, limit) => sum + (limit ?? 0), 0)
    : undefined;
  const sizes = [parseQuantity(emptyDir?.sizeLimit), ofPod, parseQuantity(placement.allocatable['memory'])];
  return Math.ceil(Math.min(...sizes.filter((size) => size !== undefined && size > 0).map(Number)));
}

/** Where the data of a volume is that this device was asked to make. */
export function claimedDirectory({ metadata }: ClaimedVolume, { data }: VolumeRoots): string {
  return join(data, 'volumes', metadata.name);
}

function isLocalPath({ metadata }: ClaimedVolume): boolean {
  return metadata.annotations?.[PROVISIONED_BY] === LOCAL_PATH_PROVISIONER;
}

function claimedVolume(
  pod: Pod,
  { persistentVolumeClaim }: Volume,
  { volumeOf }: MountContext,
): ClaimedVolume {
  const { claimName = '' } = persistentVolumeClaim ?? {};
  const volume = volumeOf(pod.metadata.namespace, claimName);
  if (volume) return volume;
  throw new ConfigurationError(`persistentvolumeclaim "${claimName}" has no volume on this device yet`);
}

function planClaimed(volume: ClaimedVolume, path: string): VolumePlan {
  if (isLocalPath(volume)) return { type: 'directory', path };
  const { hostPath } = volume.spec;
  return { type: 'host', path, kind: hostPath ? (hostPath.type ?? '') : 'Directory' };
}

function claimedPath(volume: ClaimedVolume, roots: VolumeRoots): string {
  if (isLocalPath(volume)) return claimedDirectory(volume, roots);
  const { hostPath, local, volumeMode } = volume.spec;
  const path = hostPath?.path ?? local?.path;
  if (path !== undefined && volumeMode !== 'Block') return path;
  throw new ConfigurationError(
    `persistentvolume "${volume.metadata.name}" is of a kind that this agent does not support: ` +
      'use the class local-path, or a hostPath or local volume with a file system',
  );
}

type MountContext = Pick<VolumeContext, 'roots' | 'volumeOf'>;

function pathOf(pod: Pod, volume: Volume, context: MountContext): string {
  const { roots } = context;
  if (volume.hostPath) return volume.hostPath.path;
  if (volume.persistentVolumeClaim) return claimedPath(claimedVolume(pod, volume, context), roots);
  refuseUnknown(volume);
  const root = isInMemory(volume) ? roots.memory : roots.data;
  return volumeDirectory(pod, volume.name, root);
}

function isInMemory({ secret, emptyDir, projected, image }: ImageVolume): boolean {
  if (secret || image || emptyDir?.medium === 'Memory') return true;
  return projected?.sources?.some((source) => source.secret || source.serviceAccountToken) ?? false;
}

const KNOWN_SOURCES = ['emptyDir', 'image', ...WRITTEN_BY_AGENT];
const KNOWN_MEDIA = ['', 'Memory'];

function refuseUnknown(volume: Volume): void {
  const [source = 'none'] = Object.keys(volume).filter((key) => key !== 'name');
  if (!KNOWN_SOURCES.includes(source))
    throw new ConfigurationError(
      `volume "${volume.name}" is of the kind "${source}", which this agent does not support: ` +
        `use ${KNOWN_SOURCES.join(', ')}, hostPath or persistentVolumeClaim`,
    );
  const { medium = '' } = volume.emptyDir ?? {};
  if (!KNOWN_MEDIA.includes(medium))
    throw new ConfigurationError(
      `volume "${volume.name}" wants the medium "${medium}", which this agent does not support: use "Memory", or none`,
    );
}

function subPathOf(
  { name, subPath, subPathExpr }: VolumeMount,
  values: ReadonlyMap<string, string>,
): string | undefined {
  const path = subPathExpr ? expand(subPathExpr, values) : subPath;
  if (!path) return undefined;
  // What is not known stays as it is: a directory of that name is not what is wanted.
  if (subPathExpr && /\$\([^)]*\)/.test(path))
    throw new ConfigurationError(
      `volumeMount "${name}": subPathExpr "${subPathExpr}" names a variable that is not set`,
    );
  if (path.startsWith('/')) throw new ConfigurationError(`subPath "${path}" must not be an absolute path`);
  if (path.split('/').includes('..')) throw new ConfigurationError(`subPath "${path}" must not contain ".."`);
  return path;
}

const PROPAGATIONS: Readonly<Record<string, NonNullable<Mount['propagation']>>> = {
  None: 'rprivate',
  HostToContainer: 'rslave',
  Bidirectional: 'rshared',
};

function propagationOf(
  { name, mountPropagation }: VolumeMount,
  { securityContext }: Container,
): Pick<Mount, 'propagation'> {
  if (!mountPropagation) return {};
  const propagation = PROPAGATIONS[mountPropagation];
  if (!propagation)
    throw new ConfigurationError(
      `volumeMount "${name}": mountPropagation "${mountPropagation}" is not known: use None, HostToContainer or Bidirectional`,
    );
  if (propagation === 'rshared' && !securityContext?.privileged)
    throw new ConfigurationError(
      `volumeMount "${name}": Bidirectional mount propagation is for privileged containers only`,
    );
  return { propagation };
}

function refuseRecursive(mount: VolumeMount): void {
  const { recursiveReadOnly } = mount as { recursiveReadOnly?: string };
  if (recursiveReadOnly !== 'Enabled') return;
  throw new ConfigurationError(
    `volumeMount "${mount.name}" requested recursive read-only mode, but it is not supported by the runtime: ` +
      'use IfPossible, or leave recursiveReadOnly out',
  );
}
