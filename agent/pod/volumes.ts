import { join } from 'node:path';
import type { KeyToPath, Volume } from 'kubernetes-types/core/v1.d.ts';
import type { Mount } from '../runtime/runtime.ts';
import { ConfigurationError, configMapData, secretData } from './environment.ts';
import type { Configuration, Container, Pod } from './pod.ts';

/*
 * What a pod's volumes are on this device: directories to make, files to write, and where containers see them. Pure;
 * volume-files.ts does it.
 */

/** Where the agent keeps pods' directories. Secrets go to memory, not to flash. */
export interface VolumeRoots {
  readonly data: string;
  readonly memory: string;
}

export interface ProjectedFile {
  /** Relative to the volume; never outside of it. */
  readonly path: string;
  readonly content: Buffer;
  readonly mode: number;
}

export type VolumePlan =
  | { readonly type: 'directory'; readonly path: string }
  | { readonly type: 'host'; readonly path: string; readonly kind: string }
  | { readonly type: 'files'; readonly path: string; readonly files: readonly ProjectedFile[] };

const DEFAULT_MODE = 0o644;

/** The pod's own directories: all of it may be removed once the pod is gone. */
export function podDirectories(uid: string, roots: VolumeRoots): string[] {
  return [join(roots.data, 'pods', uid), join(roots.memory, 'pods', uid)];
}

/** Every volume of the pod. Throws ConfigurationError for what is missing or not supported. */
export function planVolumes(pod: Pod, configuration: Configuration, roots: VolumeRoots): VolumePlan[] {
  return (pod.spec.volumes ?? []).map((volume) => planVolume(pod, volume, configuration, roots));
}

/** What one container mounts. */
export function mountsOf(pod: Pod, container: Container, roots: VolumeRoots): Mount[] {
  return (container.volumeMounts ?? []).map((mount) => {
    const volume = pod.spec.volumes?.find(({ name }) => name === mount.name);
    if (!volume) throw new ConfigurationError(`volume "${mount.name}" is not in the pod's spec`);
    if (mount.subPath || mount.subPathExpr) {
      throw new ConfigurationError(`volumeMount "${mount.name}": subPath is not supported by this agent yet`);
    }
    const projected = volume.configMap !== undefined || volume.secret !== undefined;
    return {
      source: pathOf(pod, volume, roots),
      target: mount.mountPath,
      readOnly: (mount.readOnly ?? false) || projected,
    };
  });
}

function planVolume(pod: Pod, volume: Volume, configuration: Configuration, roots: VolumeRoots): VolumePlan {
  const path = pathOf(pod, volume, roots);
  const { configMap, secret, hostPath } = volume;
  if (hostPath) return { type: 'host', path, kind: hostPath.type ?? '' };
  if (configMap) {
    const data = configMapData(pod, configMap.name ?? '', configMap.optional, configuration);
    return { type: 'files', path, files: projectedFiles(volume.name, data, configMap) };
  }
  if (secret) {
    const data = secretData(pod, secret.secretName ?? '', secret.optional, configuration);
    return { type: 'files', path, files: projectedFiles(volume.name, data, secret) };
  }
  return { type: 'directory', path };
}

function pathOf(pod: Pod, volume: Volume, roots: VolumeRoots): string {
  if (volume.hostPath) return volume.hostPath.path;
  const root = volume.secret || volume.emptyDir?.medium === 'Memory' ? roots.memory : roots.data;
  const kind = ['emptyDir', 'configMap', 'secret'].find((source) => source in volume);
  if (!kind) {
    const [source = 'none'] = Object.keys(volume).filter((key) => key !== 'name');
    throw new ConfigurationError(
      `volume "${volume.name}" is of the kind "${source}", which this agent does not support yet: ` +
        'use emptyDir, hostPath, configMap or secret',
    );
  }
  return join(root, 'pods', pod.metadata.uid, 'volumes', volume.name);
}

function projectedFiles(
  volume: string,
  data: Readonly<Record<string, Buffer>>,
  { items, defaultMode, optional }: { items?: KeyToPath[]; defaultMode?: number; optional?: boolean },
): ProjectedFile[] {
  const mode = defaultMode ?? DEFAULT_MODE;
  if (!items) return Object.entries(data).map(([path, content]) => ({ path, content, mode }));
  return items.flatMap((item) => {
    const content = data[item.key];
    if (item.path.startsWith('/') || item.path.split('/').includes('..')) {
      throw new ConfigurationError(`volume "${volume}": path "${item.path}" leads out of the volume`);
    }
    if (content) return [{ path: item.path, content, mode: item.mode ?? mode }];
    if (optional) return [];
    throw new ConfigurationError(`volume "${volume}" references non-existent config key: ${item.key}`);
  });
}
