import type {
  Container,
  EnvFromSource,
  EnvVar,
  PodSpec,
  PodTemplateSpec,
  Volume,
} from 'kubernetes-types/core/v1.d.ts';
import type { KubeObject } from './object.ts';

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

/** What a pod reads its configuration from. */
export type ConfigurationKind = 'ConfigMap' | 'Secret';

type Rename = (kind: ConfigurationKind, name: string) => string;

/**
 * The same spec with other names of the ConfigMaps and Secrets that its containers read. Not of those that images are
 * pulled with: these are no part of what runs.
 */
export function renameConfiguration(spec: PodSpec, rename: Rename): PodSpec {
  const { volumes, initContainers, containers } = spec;
  return {
    ...spec,
    ...(volumes && { volumes: volumes.map((volume) => renameInVolume(volume, rename)) }),
    ...(initContainers && { initContainers: initContainers.map((each) => renameInContainer(each, rename)) }),
    ...(containers && { containers: containers.map((each) => renameInContainer(each, rename)) }),
  };
}

/** `ConfigMap/name` and `Secret/name` of all that the containers read, each once, in order. */
export function configurationOf(spec: PodSpec | undefined): readonly string[] {
  const found = new Set<string>();
  if (spec)
    renameConfiguration(spec, (kind, name) => {
      found.add(`${kind}/${name}`);
      return name;
    });
  return [...found].sort();
}

/** For `indexes`: `namespace/ConfigMap/name` of all that a workload's template reads. */
export function templateConfiguration({ metadata, spec }: KubeObject): readonly string[] {
  const { template } = (spec ?? {}) as { template?: PodTemplateSpec };
  return configurationOf(template?.spec).map((key) => `${metadata.namespace}/${key}`);
}

function renameInVolume(volume: Volume, rename: Rename): Volume {
  const { configMap, secret, projected } = volume;
  return {
    ...volume,
    ...(configMap?.name && { configMap: { ...configMap, name: rename('ConfigMap', configMap.name) } }),
    ...(secret?.secretName && { secret: { ...secret, secretName: rename('Secret', secret.secretName) } }),
    ...(projected?.sources && {
      projected: { ...projected, sources: projected.sources.map((source) => renameInSource(source, rename)) },
    }),
  };
}

type Source = NonNullable<NonNullable<Volume['projected']>['sources']>[number];

function renameInSource(source: Source, rename: Rename): Source {
  const { configMap, secret } = source;
  return {
    ...source,
    ...(configMap?.name && { configMap: { ...configMap, name: rename('ConfigMap', configMap.name) } }),
    ...(secret?.name && { secret: { ...secret, name: rename('Secret', secret.name) } }),
  };
}

function renameInContainer(container: Container, rename: Rename): Container {
  const { env, envFrom } = container;
  return {
    ...container,
    ...(env && { env: env.map((variable) => renameInVariable(variable, rename)) }),
    ...(envFrom && { envFrom: envFrom.map((source) => renameInEnvFrom(source, rename)) }),
  };
}

function renameInVariable(variable: EnvVar, rename: Rename): EnvVar {
  const { configMapKeyRef, secretKeyRef } = variable.valueFrom ?? {};
  if (!configMapKeyRef?.name && !secretKeyRef?.name) return variable;
  const valueFrom = {
    ...variable.valueFrom,
    ...(configMapKeyRef?.name && {
      configMapKeyRef: { ...configMapKeyRef, name: rename('ConfigMap', configMapKeyRef.name) },
    }),
    ...(secretKeyRef?.name && {
      secretKeyRef: { ...secretKeyRef, name: rename('Secret', secretKeyRef.name) },
    }),
  };
  return { ...variable, valueFrom };
}

function renameInEnvFrom(source: EnvFromSource, rename: Rename): EnvFromSource {
  const { configMapRef, secretRef } = source;
  return {
    ...source,
    ...(configMapRef?.name && {
      configMapRef: { ...configMapRef, name: rename('ConfigMap', configMapRef.name) },
    }),
    ...(secretRef?.name && { secretRef: { ...secretRef, name: rename('Secret', secretRef.name) } }),
  };
}
