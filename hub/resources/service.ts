import { isDeepStrictEqual } from 'node:util';
import type { ServicePort, ServiceSpec } from 'kubernetes-types/core/v1.d.ts';
import { familyOf } from './addresses.ts';
import { ageColumn, column, labelsText, nameColumn, orNone, wideColumn } from './cells.ts';
import { defineResource, setDefault, specOf } from './define.ts';
import type { KubeObject } from './object.ts';
import {
  hasNodePorts,
  isExternallyReachable,
  isHeadless,
  needsHealthCheck,
  validateService,
} from './service-validation.ts';
import type { ServiceObject } from './typed.ts';

const AFFINITY_SECONDS = 3 * 60 * 60;

function setDefaults(object: KubeObject): void {
  const spec = specOf<ServiceSpec>(object);
  spec.sessionAffinity ||= 'None';
  if (spec.sessionAffinity === 'None') delete spec.sessionAffinityConfig;
  if (spec.sessionAffinity === 'ClientIP') {
    spec.sessionAffinityConfig ??= {};
    spec.sessionAffinityConfig.clientIP ??= {};
    setDefault(spec.sessionAffinityConfig.clientIP, 'timeoutSeconds', AFFINITY_SECONDS);
  }
  spec.type ||= 'ClusterIP';
  for (const port of spec.ports ?? []) setPortDefaults(port);
  if (isExternallyReachable(spec)) spec.externalTrafficPolicy ||= 'Cluster';
  if (spec.type !== 'ExternalName') {
    setDefault(spec, 'internalTrafficPolicy', 'Cluster');
    setAddressDefaults(spec);
  }
  if (spec.type === 'LoadBalancer') setDefault(spec, 'allocateLoadBalancerNodePorts', true);
}

function setPortDefaults(port: ServicePort): void {
  port.protocol ||= 'TCP';
  if (port.targetPort === undefined || port.targetPort === 0 || port.targetPort === '')
    port.targetPort = port.port;
}

/** One address, IPv4 unless the address itself says otherwise. Who has no pods to find may have both families. */
function setAddressDefaults(spec: ServiceSpec): void {
  if (spec.clusterIP && !spec.clusterIPs?.length) spec.clusterIPs = [spec.clusterIP];
  const [given = ''] = spec.clusterIPs ?? [];
  if (!spec.ipFamilies?.length) spec.ipFamilies = [familyOf(given) ?? 'IPv4'];
  const hasNoPods = isHeadless(spec) && Object.keys(spec.selector ?? {}).length === 0;
  if (hasNoPods && spec.ipFamilyPolicy !== 'SingleStack' && spec.ipFamilies.length === 1)
    spec.ipFamilies = [...spec.ipFamilies, spec.ipFamilies[0] === 'IPv4' ? 'IPv6' : 'IPv4'];
  spec.ipFamilyPolicy ??= hasNoPods ? 'RequireDualStack' : 'SingleStack';
}

/**
 * A client that replaces a Service does not know what was allocated for it: that stays, unless the new type has no use
 * for it. What the old type needed and the client merely sent back goes.
 */
function prepareForUpdate(object: KubeObject, old: KubeObject): void {
  const spec = specOf<ServiceSpec>(object);
  const before = (old as ServiceObject).spec;
  if (spec.type === 'ExternalName') {
    dropUnchanged(spec, before, ['clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy']);
    dropUnchanged(spec, before, ['internalTrafficPolicy']);
  } else if (before.type !== 'ExternalName') {
    keepAllocated(spec, before);
  }
  if (!isExternallyReachable(spec)) dropUnchanged(spec, before, ['externalTrafficPolicy']);
  if (spec.type !== 'LoadBalancer')
    dropUnchanged(spec, before, ['allocateLoadBalancerNodePorts', 'loadBalancerClass']);
  if (!needsHealthCheck(spec)) dropUnchanged(spec, before, ['healthCheckNodePort']);
  else if (before.healthCheckNodePort) spec.healthCheckNodePort ||= before.healthCheckNodePort;
  if (hasNodePorts(spec)) keepNodePorts(spec, before);
  else dropNodePorts(spec, before);
}

function dropUnchanged(spec: ServiceSpec, before: ServiceSpec, fields: readonly (keyof ServiceSpec)[]): void {
  for (const field of fields) if (isDeepStrictEqual(spec[field], before[field])) delete spec[field];
}

function keepAllocated(spec: ServiceSpec, before: ServiceSpec): void {
  // Who knows the older field only has changed that one; who wants one family less says so by the policy alone.
  if (spec.clusterIP !== before.clusterIP && isDeepStrictEqual(spec.clusterIPs, before.clusterIPs))
    spec.clusterIPs = spec.clusterIP ? [spec.clusterIP] : [];
  if (spec.ipFamilyPolicy === 'SingleStack' && before.ipFamilyPolicy !== 'SingleStack')
    for (const field of ['clusterIPs', 'ipFamilies'] as const)
      if (isDeepStrictEqual(spec[field], before[field])) spec[field] = spec[field]?.slice(0, 1) ?? [];
  if (spec.clusterIP || spec.clusterIPs?.length || !before.clusterIP) return;
  for (const field of ['clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy'] as const)
    Object.assign(spec, { [field]: structuredClone(before[field]) });
}

const portKey = ({ protocol, port }: ServicePort) => `${protocol}/${port}`;

function keepNodePorts(spec: ServiceSpec, before: ServiceSpec): void {
  const known = new Map((before.ports ?? []).map((port) => [portKey(port), port.nodePort]));
  for (const port of spec.ports ?? []) {
    const nodePort = port.nodePort || known.get(portKey(port));
    if (nodePort) port.nodePort = nodePort;
  }
}

function dropNodePorts(spec: ServiceSpec, before: ServiceSpec): void {
  const known = new Set((before.ports ?? []).map(({ nodePort }) => nodePort));
  for (const port of spec.ports ?? []) if (known.has(port.nodePort)) delete port.nodePort;
}

function ingressText({ status }: ServiceObject): string {
  const names = (status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ip || hostname || '');
  return [...new Set(names.filter(Boolean))].sort().join(',');
}

function externalText(object: KubeObject): string {
  const service = object as ServiceObject;
  const { type, externalIPs = [], externalName } = service.spec;
  if (type === 'ExternalName') return externalName ?? '';
  if (type !== 'LoadBalancer') return orNone(externalIPs.join(','));
  return [ingressText(service), ...externalIPs].filter(Boolean).join(',') || '<pending>';
}

function portsText(object: KubeObject): string {
  const { ports = [] } = (object as ServiceObject).spec;
  return orNone(
    ports
      .map(({ port, nodePort, protocol }) =>
        nodePort ? `${port}:${nodePort}/${protocol}` : `${port}/${protocol}`,
      )
      .join(','),
  );
}

export const services = defineResource({
  version: 'v1',
  kind: 'Service',
  plural: 'services',
  singular: 'service',
  shortNames: ['svc'],
  categories: ['all'],
  namespaced: true,
  schema: 'io.k8s.api.core.v1.Service',
  notYet:
    'no device routes its address: its name leads to its pods on the same device, at their own ports (docs/tools.md)',
  hasStatus: true,
  hasGeneration: false,
  nameRule: 'service',
  createOnUpdate: true,
  setDefaults,
  prepareForCreate: (object) => {
    object.status = { loadBalancer: {} };
  },
  prepareForUpdate,
  validate: (object, old) =>
    validateService((object as ServiceObject).spec, old && (old as ServiceObject).spec),
  indexes: {
    /** One of the labels that it selects by, as pods are indexed by all of theirs. */
    selector: ({ metadata: { namespace }, spec }) =>
      Object.entries((spec as ServiceSpec).selector ?? {})
        .slice(0, 1)
        .map(([key, value]) => `${namespace}/${key}=${value}`),
  },
  fieldSelectors: {
    'spec.clusterIP': (object) => (object as ServiceObject).spec.clusterIP ?? '',
    'spec.type': (object) => (object as ServiceObject).spec.type ?? '',
  },
  columns: [
    nameColumn,
    column('Type', 'How the service is reached.', (object) => (object as ServiceObject).spec.type ?? ''),
    column('Cluster-IP', 'Its address in the cluster.', (object) =>
      orNone((object as ServiceObject).spec.clusterIPs?.[0]),
    ),
    column('External-IP', 'Its address for the world.', externalText),
    column('Port(s)', 'Its ports.', portsText),
    ageColumn,
    wideColumn('Selector', 'Label selector for pods.', (object) =>
      labelsText((object as ServiceObject).spec.selector),
    ),
  ],
});
