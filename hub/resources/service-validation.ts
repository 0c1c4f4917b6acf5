import type { ServicePort, ServiceSpec } from 'kubernetes-types/core/v1.d.ts';
import { addressErrors, endpointAddressErrors, familyOf, rangeErrors } from './addresses.ts';
import type { FieldError } from './api-error.ts';
import {
  duplicate,
  forbiddenField,
  immutable,
  invalidValue,
  notSupported,
  oneOfErrors,
  optionalOneOfErrors,
  required,
  ruleErrors,
} from './field-errors.ts';
import { labelErrors } from './metadata-validation.ts';
import {
  labelNameErrors,
  portNameErrors,
  portNumberErrors,
  qualifiedNameErrors,
  subdomainNameErrors,
} from './names.ts';

const TYPES = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];
const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];
const FAMILIES = ['IPv4', 'IPv6'];
const FAMILY_POLICIES = ['SingleStack', 'PreferDualStack', 'RequireDualStack'];
const TRAFFIC_POLICIES = ['Cluster', 'Local'];
const DISTRIBUTIONS = ['PreferClose', 'PreferSameNode', 'PreferSameZone'];
const KUBELET_PORT = 10250;
const MAX_AFFINITY_SECONDS = 86_400;
const HEADLESS = 'None';

export function isHeadless({ clusterIP, clusterIPs = [] }: ServiceSpec): boolean {
  return (clusterIPs[0] ?? clusterIP) === HEADLESS;
}

/** Whether every node listens for it. */
export function hasNodePorts({ type }: ServiceSpec): boolean {
  return type === 'NodePort' || type === 'LoadBalancer';
}

/** Whether a load balancer has to ask each node if it has pods of it. */
export function needsHealthCheck({ type, externalTrafficPolicy }: ServiceSpec): boolean {
  return type === 'LoadBalancer' && externalTrafficPolicy === 'Local';
}

/** Whether clients outside of the cluster have a way to it that a traffic policy can speak of. */
export function isExternallyReachable({ type, externalIPs = [] }: ServiceSpec): boolean {
  return type === 'LoadBalancer' || type === 'NodePort' || (type === 'ClusterIP' && externalIPs.length > 0);
}

/** What is wrong with the spec of a Service; `old` is the one that it replaces. */
export function validateService(spec: ServiceSpec, old: ServiceSpec | undefined): FieldError[] {
  return [
    ...typeErrors(spec),
    ...portsErrors(spec),
    ...labelErrors(spec.selector, 'spec.selector'),
    ...affinityErrors(spec),
    ...(spec.externalIPs ?? []).flatMap((address, index) =>
      ruleErrors(`spec.externalIPs[${index}]`, address, endpointAddressErrors),
    ),
    ...loadBalancerErrors(spec),
    ...trafficErrors(spec),
    ...(spec.type === 'ExternalName' ? [] : addressesErrors(spec)),
    ...(old ? updateErrors(spec, old) : []),
  ];
}

function typeErrors(spec: ServiceSpec): FieldError[] {
  const { type, ports = [], externalName } = spec;
  const errors = oneOfErrors('spec.type', type, TYPES);
  if (ports.length === 0 && !isHeadless(spec) && type !== 'ExternalName') errors.push(required('spec.ports'));
  if (isHeadless(spec) && hasNodePorts(spec))
    errors.push(
      invalidValue('spec.clusterIPs[0]', HEADLESS, `may not be set to 'None' for ${type} services`),
    );
  if (type === 'LoadBalancer')
    for (const [index, { port }] of ports.entries())
      if (port === KUBELET_PORT)
        errors.push(
          invalidValue(
            `spec.ports[${index}]`,
            port,
            'may not expose port 10250 externally since it is used by kubelet',
          ),
        );
  if (type !== 'ExternalName') return errors;
  for (const key of ['clusterIPs', 'ipFamilies', 'ipFamilyPolicy'] as const)
    if (spec[key]?.length)
      errors.push(forbiddenField(`spec.${key}`, 'may not be set for ExternalName services'));
  if (!externalName) errors.push(required('spec.externalName'));
  else errors.push(...ruleErrors('spec.externalName', externalName.replace(/\.$/, ''), subdomainNameErrors));
  return errors;
}

function portsErrors(spec: ServiceSpec): FieldError[] {
  const { ports = [], type } = spec;
  const seen = { name: new Set<string>(), port: new Set<string>(), nodePort: new Set<string>() };
  return ports.flatMap((port, index) => {
    const field = `spec.ports[${index}]`;
    const errors = portErrors(port, field, ports.length > 1);
    const { name = '', protocol, nodePort } = port;
    if (name && seen.name.has(name)) errors.push(duplicate(`${field}.name`, name));
    seen.name.add(name);
    if (nodePort && type === 'ClusterIP')
      errors.push(forbiddenField(`${field}.nodePort`, "may not be used when `type` is 'ClusterIP'"));
    const nodeKey = `${protocol}/${nodePort}`;
    if (nodePort && seen.nodePort.has(nodeKey)) errors.push(duplicate(`${field}.nodePort`, nodePort));
    seen.nodePort.add(nodeKey);
    const key = `${protocol}/${port.port}`;
    if (seen.port.has(key)) errors.push(duplicate(field, { protocol, port: port.port }));
    seen.port.add(key);
    return errors;
  });
}

function portErrors(
  { name, port, protocol, targetPort, nodePort, appProtocol }: ServicePort,
  field: string,
  needsName: boolean,
): FieldError[] {
  const errors: FieldError[] = [];
  const numberErrors = (key: string, value: number) =>
    portNumberErrors(value).map((detail) => invalidValue(`${field}.${key}`, value, detail));
  if (name) errors.push(...ruleErrors(`${field}.name`, name, labelNameErrors));
  else if (needsName) errors.push(required(`${field}.name`));
  errors.push(...numberErrors('port', port ?? 0));
  errors.push(...oneOfErrors(`${field}.protocol`, protocol, PROTOCOLS));
  if (typeof targetPort === 'number') errors.push(...numberErrors('targetPort', targetPort));
  else if (targetPort !== undefined)
    errors.push(...ruleErrors(`${field}.targetPort`, targetPort, portNameErrors));
  if (nodePort) errors.push(...numberErrors('nodePort', nodePort));
  if (appProtocol) errors.push(...ruleErrors(`${field}.appProtocol`, appProtocol, qualifiedNameErrors));
  return errors;
}

function affinityErrors({ sessionAffinity, sessionAffinityConfig }: ServiceSpec): FieldError[] {
  const errors = oneOfErrors('spec.sessionAffinity', sessionAffinity, ['ClientIP', 'None']);
  const seconds = sessionAffinityConfig?.clientIP?.timeoutSeconds;
  if (seconds !== undefined && (seconds <= 0 || seconds > MAX_AFFINITY_SECONDS))
    errors.push(
      invalidValue(
        'spec.sessionAffinityConfig.clientIP.timeoutSeconds',
        seconds,
        `must be greater than 0 and less than ${MAX_AFFINITY_SECONDS}`,
      ),
    );
  return errors;
}

function loadBalancerErrors(spec: ServiceSpec): FieldError[] {
  const {
    type,
    loadBalancerSourceRanges: ranges = [],
    allocateLoadBalancerNodePorts,
    loadBalancerClass,
  } = spec;
  const only = "may only be used when `type` is 'LoadBalancer'";
  const isBalancer = type === 'LoadBalancer';
  const errors: FieldError[] = [];
  if (ranges.length > 0 && !isBalancer) errors.push(forbiddenField('spec.LoadBalancerSourceRanges', only));
  for (const [index, range] of ranges.entries())
    errors.push(...ruleErrors(`spec.LoadBalancerSourceRanges[${index}]`, range.trim(), rangeErrors));
  if (!isBalancer && allocateLoadBalancerNodePorts !== undefined)
    errors.push(forbiddenField('spec.allocateLoadBalancerNodePorts', only));
  if (!isBalancer && loadBalancerClass !== undefined)
    errors.push(forbiddenField('spec.loadBalancerClass', only));
  else if (loadBalancerClass !== undefined)
    errors.push(...ruleErrors('spec.loadBalancerClass', loadBalancerClass, qualifiedNameErrors));
  return errors;
}

function trafficErrors(spec: ServiceSpec): FieldError[] {
  const { type, externalTrafficPolicy: external, internalTrafficPolicy, healthCheckNodePort } = spec;
  const errors: FieldError[] = [];
  if (isExternallyReachable(spec))
    errors.push(...oneOfErrors('spec.externalTrafficPolicy', external, TRAFFIC_POLICIES));
  else if (external)
    errors.push(
      invalidValue(
        'spec.externalTrafficPolicy',
        external,
        'may only be set for externally-accessible services',
      ),
    );
  if (healthCheckNodePort && !needsHealthCheck(spec))
    errors.push(
      invalidValue(
        'spec.healthCheckNodePort',
        healthCheckNodePort,
        "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
      ),
    );
  if (type !== 'ExternalName' || internalTrafficPolicy)
    errors.push(...oneOfErrors('spec.internalTrafficPolicy', internalTrafficPolicy, TRAFFIC_POLICIES));
  return [
    ...errors,
    ...optionalOneOfErrors('spec.trafficDistribution', spec.trafficDistribution, DISTRIBUTIONS),
  ];
}

function addressesErrors(spec: ServiceSpec): FieldError[] {
  const { clusterIP = '', clusterIPs = [], ipFamilies = [], ipFamilyPolicy } = spec;
  const errors: FieldError[] = [];
  if (clusterIPs.length > 0 && clusterIPs[0] !== clusterIP)
    errors.push(invalidValue('spec.clusterIPs', clusterIPs, 'first value must match `clusterIP`'));
  if (ipFamilyPolicy !== undefined && !FAMILY_POLICIES.includes(ipFamilyPolicy))
    errors.push(notSupported('spec.ipFamilyPolicy', ipFamilyPolicy, FAMILY_POLICIES));
  for (const [index, family] of ipFamilies.entries()) {
    const field = `spec.ipFamilies[${index}]`;
    errors.push(...optionalOneOfErrors(field, family, FAMILIES));
    if (ipFamilies.indexOf(family) !== index) errors.push(duplicate(field, family));
  }
  if (ipFamilyPolicy === 'SingleStack' && (ipFamilies.length > 1 || clusterIPs.length > 1))
    errors.push(
      invalidValue(
        'spec.ipFamilyPolicy',
        ipFamilyPolicy,
        `must be RequireDualStack or PreferDualStack when multiple ${clusterIPs.length > 1 ? 'clusterIPs' : 'ipFamilies'} are specified`,
      ),
    );
  return [...errors, ...clusterAddressErrors(clusterIPs, ipFamilies)];
}

function clusterAddressErrors(addresses: readonly string[], families: readonly string[]): FieldError[] {
  if (addresses[0] === HEADLESS && addresses.length === 1) return [];
  const errors = addresses.flatMap((address, index) => {
    const field = `spec.clusterIPs[${index}]`;
    if (address === HEADLESS)
      return [invalidValue(field, address, "element [0] must be the only one when it is 'None'")];
    const family = families[index];
    if (!familyOf(address)) return ruleErrors(field, address, addressErrors);
    return family !== undefined && familyOf(address) !== family
      ? [invalidValue(field, address, `expected an ${family} value as indicated by \`ipFamilies[${index}]\``)]
      : [];
  });
  if (addresses.length > 2)
    errors.push(invalidValue('spec.clusterIPs', addresses, 'may only hold up to 2 values'));
  else if (addresses.length === 2 && familyOf(addresses[0] ?? '') === familyOf(addresses[1] ?? ''))
    errors.push(
      invalidValue('spec.clusterIPs', addresses, 'may specify no more than one IP for each IP family'),
    );
  return errors;
}

/** Who knows a Service by its address must go on reaching it. */
function updateErrors(spec: ServiceSpec, old: ServiceSpec): FieldError[] {
  const errors: FieldError[] = [];
  const [before] = old.clusterIPs ?? [];
  const { clusterIPs = [] } = spec;
  const keepsType = spec.type !== 'ExternalName' && old.type !== 'ExternalName';
  if (keepsType && before && clusterIPs.length === 0)
    errors.push(invalidValue('spec.clusterIPs[0]', clusterIPs, 'primary clusterIP can not be unset'));
  else if (keepsType && before && clusterIPs[0] !== before)
    errors.push(invalidValue('spec.clusterIPs[0]', clusterIPs, 'may not change once set'));
  const { healthCheckNodePort: checked } = old;
  if (checked && needsHealthCheck(spec) && needsHealthCheck(old) && spec.healthCheckNodePort !== checked)
    errors.push(immutable('spec.healthCheckNodePort', spec.healthCheckNodePort ?? null));
  const isBalancer = spec.type === 'LoadBalancer' && old.type === 'LoadBalancer';
  if (isBalancer && spec.loadBalancerClass !== old.loadBalancerClass)
    errors.push(
      invalidValue('spec.loadBalancerClass', spec.loadBalancerClass ?? null, 'may not change once set'),
    );
  return errors;
}
