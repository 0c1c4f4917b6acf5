import type { ObjectFieldSelector, ResourceFieldSelector } from 'kubernetes-types/core/v1.d.ts';
import { ConfigurationError } from './configuration-error.ts';
import { type Container, ownContainersOf, type Pod } from './pod.ts';
import { parseQuantity } from './quantity.ts';

/*
 * What a pod can be told of itself, in variables and in files. Pure.
 * https://kubernetes.io/docs/concepts/workloads/pods/downward-api/
 */

/** Facts that references may ask for and the pod's own object does not say. */
export interface Placement {
  readonly node: string;
  readonly hostIp: string;
  /** Empty until the pod has a network. */
  readonly podIp: string;
  /** What the node has for pods, by resource: the limit of containers that have none. */
  readonly allocatable: Readonly<Record<string, string>>;
}

/** Of a label or annotation: which map, and which key of it. */
const MAP_ENTRY = /^metadata\.(labels|annotations)\['(.+)'\]$/;

/** A field of the pod as text, for variables. Throws ConfigurationError for one that cannot be referred to. */
export function fieldValue(pod: Pod, path: string, { node, hostIp, podIp }: Placement): string {
  switch (path) {
    case 'spec.nodeName':
      return node;
    case 'spec.serviceAccountName':
      return pod.spec.serviceAccountName ?? 'default';
    case 'status.hostIP':
    case 'status.hostIPs':
      return hostIp;
    case 'status.podIP':
    case 'status.podIPs':
      return podIp;
    default: {
      const value = metadataValue(pod, path);
      if (value !== undefined) return value;
      throw new ConfigurationError(`field "${path}" is not one that a variable can refer to`);
    }
  }
}

/** The same for files, which may have all labels or annotations, but nothing that is known only later. */
export function fileFieldValue(pod: Pod, { fieldPath: path }: ObjectFieldSelector): string {
  const { labels, annotations } = pod.metadata;
  if (path === 'metadata.labels') return linesOf(labels);
  if (path === 'metadata.annotations') return linesOf(annotations);
  const value = metadataValue(pod, path);
  if (value !== undefined) return value;
  throw new ConfigurationError(`field "${path}" is not one that a file can have`);
}

function metadataValue({ metadata }: Pod, path: string): string | undefined {
  const [, map, key] = MAP_ENTRY.exec(path) ?? [];
  if (map && key) return metadata[map as 'labels' | 'annotations']?.[key] ?? '';
  switch (path) {
    case 'metadata.name':
      return metadata.name;
    case 'metadata.namespace':
      return metadata.namespace;
    case 'metadata.uid':
      return metadata.uid;
    default:
      return undefined;
  }
}

/** `key="value"`, sorted by key, as the kubelet writes them. */
function linesOf(entries: Readonly<Record<string, string>> | undefined): string {
  return Object.entries(entries ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .join('\n');
}

/**
 * What a container asks for or may use, in units of the divisor, rounded up. Who has no limit may use what the node has.
 * `container` is whose it is unless the reference names another.
 */
export function resourceValue(
  pod: Pod,
  container: Container | undefined,
  { resource, divisor, containerName }: ResourceFieldSelector,
  { allocatable }: Pick<Placement, 'allocatable'>,
): string {
  const all = ownContainersOf(pod);
  const of = containerName ? all.find(({ name }) => name === containerName) : container;
  if (!of) throw new ConfigurationError(`container "${containerName ?? ''}" is not in the pod's spec`);
  const [kind, name = ''] = splitAtDot(resource);
  if (kind !== 'limits' && kind !== 'requests')
    throw new ConfigurationError(`resource "${resource}" is not one that can be referred to`);
  const given = of.resources?.[kind]?.[name];
  const amount = parseQuantity(given ?? (kind === 'limits' ? allocatable[name] : undefined)) ?? 0;
  return String(Math.ceil(roundedOff(amount / (parseQuantity(divisor) || 1))));
}

/** Only the first: `requests.hugepages-2Mi`, `limits.example.com/x`. */
function splitAtDot(text: string): [string, string] {
  const at = text.indexOf('.');
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

/** 0.3 / 0.001 is to be 300, not a little more: a number's error must not count as one more. */
function roundedOff(amount: number): number {
  return Number(amount.toPrecision(15));
}
