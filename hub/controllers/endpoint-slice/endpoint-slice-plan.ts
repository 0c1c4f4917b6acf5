import type { ServicePort } from 'kubernetes-types/core/v1.d.ts';
import type { Endpoint, EndpointPort } from 'kubernetes-types/discovery/v1.d.ts';
import { familyOf } from '../../resources/addresses.ts';
import type { KubeObject } from '../../resources/object.ts';
import { isReady, isTerminal } from '../../resources/pod-state.ts';
import { isHeadless } from '../../resources/service-validation.ts';
import type { EndpointSliceObject, PodObject, ServiceObject } from '../../resources/typed.ts';
import { sameJson } from '../../schema/json-type.ts';
import { canonicalJson } from '../stable-hash.ts';

export const MANAGED_BY = 'endpointslice.kubernetes.io/managed-by';
export const MANAGER = 'endpointslice-controller.k8s.io';
export const SERVICE_NAME = 'kubernetes.io/service-name';
const HEADLESS = 'service.kubernetes.io/headless';
/** Kubernetes' `--max-endpoints-per-slice`. */
const MAX_ENDPOINTS = 100;

/** What a slice is to say, besides what every object says. */
export interface SliceContent {
  readonly addressType: string;
  readonly ports: readonly EndpointPort[];
  readonly endpoints: readonly Endpoint[];
}

export interface SlicePlan {
  readonly create: readonly SliceContent[];
  readonly update: readonly { readonly slice: EndpointSliceObject; readonly content: SliceContent }[];
  readonly remove: readonly EndpointSliceObject[];
}

/** Endpoints that can be told together: of one family, at the same ports. */
export interface EndpointGroup {
  readonly addressType: string;
  readonly ports: readonly EndpointPort[];
  readonly endpoints: Map<string, Endpoint>; // by the pod's uid
}

/**
 * Which slices tell where a Service's pods are. An endpoint stays in the slice that it is in, so that a change of one
 * pod is a write of one slice; what is new fills those that have room.
 */
export function planSlices(
  service: ServiceObject,
  endpoints: readonly EndpointGroup[],
  slices: readonly EndpointSliceObject[],
): SlicePlan {
  const groups = new Map(endpoints.map((group) => [groupKey(group), group]));
  const existing = Map.groupBy(slices, groupKey);
  const plans = [...groups].map(([key, group]) => planGroup(group, existing.get(key) ?? []));
  const stale = slices.filter((slice) => !groups.has(groupKey(slice)));
  const labels = sliceLabels(service);
  const differs = ({ slice, content }: SlicePlan['update'][number]) =>
    !sameJson(slice.endpoints, content.endpoints) || !sameJson(slice.metadata.labels, labels);
  return {
    create: plans.flatMap(({ create }) => create),
    update: plans.flatMap(({ update }) => update).filter(differs),
    remove: [...plans.flatMap(({ remove }) => remove), ...stale],
  };
}

function groupKey({ addressType, ports }: { addressType: string; ports?: readonly EndpointPort[] }): string {
  return `${addressType} ${canonicalJson(ports ?? [])}`;
}

/** Each family has at least one group: a Service without endpoints has a slice that says so. */
export function endpointGroups(
  service: ServiceObject,
  pods: readonly PodObject[],
  zoneOf: (nodeName: string) => string | undefined,
): EndpointGroup[] {
  const groups = new Map<string, EndpointGroup>();
  const groupAt = (addressType: string, ports: EndpointPort[]) => {
    const key = groupKey({ addressType, ports });
    const group = groups.get(key) ?? { addressType, ports, endpoints: new Map() };
    groups.set(key, group);
    return group;
  };
  for (const family of service.spec.ipFamilies ?? ['IPv4']) {
    const before = groups.size;
    for (const pod of pods) {
      const address = addressOf(pod, family);
      if (address === undefined) continue;
      const { endpoints } = groupAt(family, portsOf(service, pod));
      endpoints.set(pod.metadata.uid ?? '', endpointOf(service, pod, address, zoneOf));
    }
    if (groups.size === before) groupAt(family, []);
  }
  return [...groups.values()];
}

/** A pod that has ended is nowhere any more; one that ends still is, for who has a connection to it. */
function addressOf(pod: PodObject, family: string): string | undefined {
  if (isTerminal(pod)) return undefined;
  const { podIP, podIPs = podIP ? [{ ip: podIP }] : [] } = pod.status ?? {};
  return podIPs.map(({ ip = '' }) => ip).find((ip) => familyOf(ip) === family);
}

function endpointOf(
  { metadata, spec }: ServiceObject,
  pod: PodObject,
  address: string,
  zoneOf: (nodeName: string) => string | undefined,
): Endpoint {
  const { nodeName, hostname, subdomain } = pod.spec;
  const { name = '', namespace = '', uid = '', deletionTimestamp } = pod.metadata;
  const zone = nodeName && zoneOf(nodeName);
  const terminating = deletionTimestamp !== undefined;
  const serving = isReady(pod);
  const conditions = {
    ready: !!spec.publishNotReadyAddresses || (serving && !terminating),
    serving,
    terminating,
  };
  return {
    addresses: [address],
    conditions,
    ...(hostname && subdomain === metadata.name && { hostname }),
    ...(nodeName && { nodeName }),
    targetRef: { kind: 'Pod', namespace, name, uid },
    ...(zone && { zone }),
  };
}

function portsOf({ spec }: ServiceObject, pod: PodObject): EndpointPort[] {
  return (spec.ports ?? []).flatMap((servicePort) => {
    const port = targetPort(servicePort, pod);
    if (port === undefined) return [];
    const { name = '', protocol = 'TCP', appProtocol } = servicePort;
    return [{ name, port, protocol, ...(appProtocol && { appProtocol }) }];
  });
}

/** A port by its name is the one that a container of this pod has under it. */
function targetPort({ targetPort: target, port, protocol = 'TCP' }: ServicePort, { spec }: PodObject) {
  if (typeof target !== 'string') return target || port;
  return spec.containers
    .flatMap(({ ports = [] }) => ports)
    .find((each) => each.name === target && (each.protocol ?? 'TCP') === protocol)?.containerPort;
}

function planGroup(
  { addressType, ports, endpoints }: EndpointGroup,
  slices: readonly EndpointSliceObject[],
): SlicePlan {
  const homeless = new Map(endpoints);
  const kept = slices.map((slice) => {
    const stay = (slice.endpoints ?? []).flatMap(({ targetRef }) => {
      const uid = targetRef?.uid ?? '';
      const endpoint = homeless.get(uid);
      homeless.delete(uid);
      return endpoint ? [endpoint] : [];
    });
    return { slice, endpoints: stay };
  });
  const waiting = [...homeless.values()];
  for (const { endpoints: stay } of kept.toSorted((a, b) => b.endpoints.length - a.endpoints.length))
    stay.push(...waiting.splice(0, Math.max(0, MAX_ENDPOINTS - stay.length)));
  const create: SliceContent[] = [];
  while (waiting.length > 0) create.push({ addressType, ports, endpoints: waiting.splice(0, MAX_ENDPOINTS) });
  if (endpoints.size === 0 && slices.length === 0) create.push({ addressType, ports, endpoints: [] });
  const isUseful = ({ endpoints: told }: { endpoints: Endpoint[] }, index: number) =>
    told.length > 0 || (endpoints.size === 0 && index === 0);
  const update = kept
    .filter(isUseful)
    .map(({ slice, endpoints: told }) => ({ slice, content: { addressType, ports, endpoints: told } }));
  const remove = kept.filter((each, index) => !isUseful(each, index)).map(({ slice }) => slice);
  return { create, update, remove };
}

/** The Service's labels, and what marks Endpoints as made of it. */
export function endpointsLabels(service: ServiceObject): Record<string, string> {
  return {
    ...ownLabels(service),
    'endpoints.kubernetes.io/managed-by': 'endpoint-controller',
  };
}

/** The Service's labels, and what marks slices as ours and as the Service's. */
export function sliceLabels(service: ServiceObject): Record<string, string> {
  return { ...ownLabels(service), [SERVICE_NAME]: service.metadata.name ?? '', [MANAGED_BY]: MANAGER };
}

function ownLabels({ metadata, spec }: ServiceObject): Record<string, string> {
  const { [HEADLESS]: _, ...labels } = metadata.labels ?? {};
  return { ...labels, ...(isHeadless(spec) && { [HEADLESS]: '' }) };
}

/** Whether this controller made the slice, and not somebody who knows of endpoints elsewhere. */
export function isOurs({ metadata }: KubeObject): boolean {
  return metadata.labels?.[MANAGED_BY] === MANAGER;
}
