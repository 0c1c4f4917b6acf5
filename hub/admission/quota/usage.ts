import type { ResourceQuotaSpec, ScopedResourceSelectorRequirement } from 'kubernetes-types/core/v1.d.ts';
import type { ResourceDefinition } from '../../resources/definition.ts';
import type { KubeObject } from '../../resources/object.ts';
import { qualityOfService } from '../../resources/pod-quality.ts';
import { isTerminal } from '../../resources/pod-state.ts';
import { podTotals } from '../../resources/pod-totals.ts';
import { addQuantities, parseQuantity, type Quantity } from '../../resources/quantity.ts';
import type { PodObject, ServiceObject } from '../../resources/typed.ts';

/** Amounts by the names that quotas have for them. */
export type Usage = ReadonlyMap<string, Quantity>;

const ONE: Quantity = { value: 1n, scale: 0, format: 'decimal' };
/** Core kinds that have a name of their own besides `count/…`. */
const COUNTED = [
  'configmaps',
  'persistentvolumeclaims',
  'replicationcontrollers',
  'resourcequotas',
  'secrets',
  'services',
];
/** Requests of these are also counted under the bare name. */
const BARE = ['cpu', 'memory', 'ephemeral-storage'];
const CLASS_SUFFIX = '.storageclass.storage.k8s.io/';

/** `count/deployments.apps`, `count/pods`. */
export function countName({ group, plural }: ResourceDefinition): string {
  return `count/${plural}${group ? `.${group}` : ''}`;
}

/** What one object takes of a namespace's quotas. Pure. */
export function usageOf(resource: ResourceDefinition, object: KubeObject): Usage {
  const usage = new Map([[countName(resource), ONE]]);
  if (resource.group !== '') return usage;
  if (COUNTED.includes(resource.plural)) usage.set(resource.plural, ONE);
  if (resource.plural === 'pods') addPod(usage, object as PodObject);
  if (resource.plural === 'services') addService(usage, object as ServiceObject);
  if (resource.plural === 'persistentvolumeclaims') addClaim(usage, object);
  return usage;
}

/** A pod that has ended takes nothing any more, but its place in the store. */
function addPod(usage: Map<string, Quantity>, pod: PodObject): void {
  if (isTerminal(pod)) return;
  usage.set('pods', ONE);
  const { requests, limits } = podTotals(pod);
  for (const [name, text] of Object.entries(requests)) {
    set(usage, `requests.${name}`, text);
    if (BARE.includes(name)) set(usage, name, text);
  }
  for (const [name, text] of Object.entries(limits)) set(usage, `limits.${name}`, text);
}

function addService(usage: Map<string, Quantity>, { spec }: ServiceObject): void {
  const { type, ports = [] } = spec;
  const allocates = (spec as { allocateLoadBalancerNodePorts?: boolean }).allocateLoadBalancerNodePorts;
  if (type === 'LoadBalancer') usage.set('services.loadbalancers', ONE);
  if (type === 'NodePort' || (type === 'LoadBalancer' && allocates !== false))
    usage.set('services.nodeports', { ...ONE, value: BigInt(ports.length) });
}

function addClaim(usage: Map<string, Quantity>, { spec }: KubeObject): void {
  const { resources, storageClassName } = spec as {
    resources?: { requests?: { storage?: string } };
    storageClassName?: string;
  };
  const storage = resources?.requests?.storage;
  if (storage !== undefined) set(usage, 'requests.storage', storage);
  if (!storageClassName) return;
  usage.set(`${storageClassName}${CLASS_SUFFIX}persistentvolumeclaims`, ONE);
  if (storage !== undefined) set(usage, `${storageClassName}${CLASS_SUFFIX}requests.storage`, storage);
}

function set(usage: Map<string, Quantity>, name: string, text: string): void {
  const quantity = parseQuantity(text);
  if (quantity) usage.set(name, quantity);
}

export function plus(left: Quantity | undefined, right: Quantity): Quantity {
  return left ? addQuantities(left, right) : right;
}

export function minus(left: Quantity | undefined, right: Quantity): Quantity {
  const negative = { ...right, value: -right.value };
  return left ? addQuantities(left, negative) : negative;
}

/** Whether the quota is about this object; only pods have scopes. */
export function isInScope(
  { scopes = [], scopeSelector }: ResourceQuotaSpec,
  resource: ResourceDefinition,
  object: KubeObject,
): boolean {
  const terms: ScopedResourceSelectorRequirement[] = [
    ...scopes.map((scopeName) => ({ scopeName, operator: 'Exists' })),
    ...(scopeSelector?.matchExpressions ?? []),
  ];
  if (terms.length === 0) return true;
  if (resource.group !== '' || resource.plural !== 'pods') return false;
  return terms.every((term) => podMatches(object as PodObject, term));
}

function podMatches(pod: PodObject, { scopeName, operator, values = [] }: ScopedResourceSelectorRequirement) {
  const { spec } = pod;
  switch (scopeName) {
    case 'BestEffort':
      return qualityOfService(spec) === 'BestEffort';
    case 'NotBestEffort':
      return qualityOfService(spec) !== 'BestEffort';
    case 'Terminating':
      return spec.activeDeadlineSeconds !== undefined;
    case 'NotTerminating':
      return spec.activeDeadlineSeconds === undefined;
    case 'PriorityClass':
      return classMatches(spec.priorityClassName ?? '', operator, values);
    case 'CrossNamespacePodAffinity':
      return crossesNamespaces(pod);
    default:
      return false;
  }
}

function classMatches(name: string, operator: string, values: readonly string[]): boolean {
  if (operator === 'Exists') return name !== '';
  if (operator === 'DoesNotExist') return name === '';
  return values.includes(name) === (operator === 'In');
}

function crossesNamespaces({ spec: { affinity } }: PodObject): boolean {
  const terms = [affinity?.podAffinity, affinity?.podAntiAffinity].flatMap((each) => [
    ...(each?.requiredDuringSchedulingIgnoredDuringExecution ?? []),
    ...(each?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(
      ({ podAffinityTerm }) => podAffinityTerm,
    ),
  ]);
  return terms.some(
    (term) =>
      (term.namespaces?.length ?? 0) > 0 ||
      (term as { namespaceSelector?: object }).namespaceSelector !== undefined,
  );
}
