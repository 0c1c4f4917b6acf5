import type { EnvFromSource, EnvVar, EnvVarSource } from 'kubernetes-types/core/v1.d.ts';
import { type Configuration, type Container, ownContainersOf, type Pod } from './pod.ts';
import { parseQuantity } from './quantity.ts';

/** What the container wants cannot be made of what is here. The message names what is missing. */
export class ConfigurationError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ConfigurationError';
  }
}

/** Facts that field references may ask for and the pod's own object does not say. */
export interface Placement {
  readonly node: string;
  readonly hostIp: string;
  /** Empty until the pod has a network. */
  readonly podIp: string;
}

/** The container's variables as `NAME=value`, references resolved, in the order in which later ones may use earlier. */
export function environment(
  pod: Pod,
  container: Container,
  configuration: Configuration,
  placement: Placement,
): string[] {
  const values = new Map<string, string>();
  for (const source of container.envFrom ?? []) {
    for (const [name, value] of importedVariables(pod, source, configuration)) values.set(name, value);
  }
  for (const variable of container.env ?? []) {
    const value = variableValue(pod, container, variable, configuration, placement);
    if (value !== undefined) values.set(variable.name, expand(value, values));
  }
  return [...values].map(([name, value]) => `${name}=${value}`);
}

/** Kubernetes' `$(NAME)`: unknown names stay as they are, `$$` is a dollar sign. */
export function expand(text: string, values: ReadonlyMap<string, string>): string {
  return text.replace(/\$(\$|\(([^)]*)\))/g, (whole, inner: string, name: string) => {
    if (inner === '$') return '$';
    return values.get(name) ?? whole;
  });
}

function importedVariables(
  pod: Pod,
  source: EnvFromSource,
  configuration: Configuration,
): [string, string][] {
  const prefix = source.prefix ?? '';
  const { configMapRef, secretRef } = source;
  const data = configMapRef
    ? configMapData(pod, configMapRef.name ?? '', configMapRef.optional, configuration)
    : secretData(pod, secretRef?.name ?? '', secretRef?.optional, configuration);
  return Object.entries(data).map(([key, value]) => [prefix + key, value.toString()]);
}

function variableValue(
  pod: Pod,
  container: Container,
  { name, value, valueFrom }: EnvVar,
  configuration: Configuration,
  placement: Placement,
): string | undefined {
  if (!valueFrom) return value ?? '';
  if (valueFrom.fieldRef) return fieldValue(pod, valueFrom.fieldRef.fieldPath, placement);
  if (valueFrom.resourceFieldRef) return resourceValue(pod, container, valueFrom.resourceFieldRef);
  const { configMapKeyRef, secretKeyRef } = valueFrom;
  const reference = configMapKeyRef ?? secretKeyRef;
  if (!reference) throw new ConfigurationError(`env "${name}" has a source that this agent does not know`);
  const read = configMapKeyRef ? configMapData : secretData;
  const found = read(pod, reference.name ?? '', reference.optional, configuration)[reference.key];
  if (found !== undefined || reference.optional) return found?.toString();
  const kind = configMapKeyRef ? 'ConfigMap' : 'Secret';
  throw new ConfigurationError(
    `couldn't find key ${reference.key} in ${kind} ${pod.metadata.namespace}/${reference.name}`,
  );
}

/** A ConfigMap's keys and values, as bytes. Throws ConfigurationError when it is missing and not optional. */
export function configMapData(
  pod: Pod,
  name: string,
  optional: boolean | undefined,
  configuration: Configuration,
): Record<string, Buffer> {
  const configMap = configuration.configMap(pod.metadata.namespace, name);
  if (!configMap && !optional) throw new ConfigurationError(`configmap "${name}" not found`);
  return {
    ...mapValues(configMap?.data ?? {}, (text) => Buffer.from(text)),
    ...mapValues(configMap?.binaryData ?? {}, (text) => Buffer.from(text, 'base64')),
  };
}

export function secretData(
  pod: Pod,
  name: string,
  optional: boolean | undefined,
  configuration: Configuration,
): Record<string, Buffer> {
  const secret = configuration.secret(pod.metadata.namespace, name);
  if (!secret && !optional) throw new ConfigurationError(`secret "${name}" not found`);
  return mapValues(secret?.data ?? {}, (text) => Buffer.from(text, 'base64'));
}

function mapValues(record: Record<string, string>, change: (text: string) => Buffer): Record<string, Buffer> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
}

/** https://kubernetes.io/docs/concepts/workloads/pods/downward-api/#downwardapi-fieldRef */
function fieldValue(pod: Pod, path: string, { node, hostIp, podIp }: Placement): string {
  const { metadata, spec } = pod;
  const [, map, key] = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(path) ?? [];
  if (map && key) return metadata[map as 'labels' | 'annotations']?.[key] ?? '';
  switch (path) {
    case 'metadata.name':
      return metadata.name;
    case 'metadata.namespace':
      return metadata.namespace;
    case 'metadata.uid':
      return metadata.uid;
    case 'spec.nodeName':
      return node;
    case 'spec.serviceAccountName':
      return spec.serviceAccountName ?? 'default';
    case 'status.hostIP':
    case 'status.hostIPs':
      return hostIp;
    case 'status.podIP':
    case 'status.podIPs':
      return podIp;
    default:
      throw new ConfigurationError(`field "${path}" is not one that a variable can refer to`);
  }
}

function resourceValue(
  pod: Pod,
  container: Container,
  { resource, divisor, containerName }: NonNullable<EnvVarSource['resourceFieldRef']>,
): string {
  const of = containerName ? ownContainersOf(pod).find(({ name }) => name === containerName) : container;
  const [kind, name = ''] = resource.split('.') as ['limits' | 'requests', string];
  const amount = parseQuantity(of?.resources?.[kind]?.[name]) ?? 0;
  return String(Math.ceil(amount / (parseQuantity(divisor) || 1)));
}
