import type { PodSpec } from 'kubernetes-types/core/v1.d.ts';

/** The names of the ConfigMaps and Secrets that a pod's spec refers to, each once. */
export interface PodReferences {
  readonly configMaps: readonly string[];
  readonly secrets: readonly string[];
}

type Found = { configMaps: (string | undefined)[]; secrets: (string | undefined)[] };

export function referencesOf(spec: PodSpec): PodReferences {
  const found: Found = { configMaps: [], secrets: [] };
  fromVolumes(spec, found);
  fromEnvironment(spec, found);
  found.secrets.push(...(spec.imagePullSecrets ?? []).map(({ name }) => name));
  return { configMaps: unique(found.configMaps), secrets: unique(found.secrets) };
}

function fromVolumes(spec: PodSpec, found: Found): void {
  for (const volume of spec.volumes ?? []) {
    found.configMaps.push(volume.configMap?.name);
    found.secrets.push(volume.secret?.secretName);
    for (const source of volume.projected?.sources ?? []) {
      found.configMaps.push(source.configMap?.name);
      found.secrets.push(source.secret?.name);
    }
  }
}

function fromEnvironment(spec: PodSpec, found: Found): void {
  const { initContainers = [], containers = [], ephemeralContainers = [] } = spec;
  for (const container of [...initContainers, ...containers, ...ephemeralContainers]) {
    for (const source of container.envFrom ?? []) {
      found.configMaps.push(source.configMapRef?.name);
      found.secrets.push(source.secretRef?.name);
    }
    for (const { valueFrom } of container.env ?? []) {
      found.configMaps.push(valueFrom?.configMapKeyRef?.name);
      found.secrets.push(valueFrom?.secretKeyRef?.name);
    }
  }
}

function unique(names: readonly (string | undefined)[]): string[] {
  return [...new Set(names)].filter((name): name is string => !!name);
}
