import type {
  NetworkPolicyPeer,
  NetworkPolicyPort,
  NetworkPolicySpec,
} from 'kubernetes-types/networking/v1.d.ts';
import { isStrictSubrange, rangeErrors } from './addresses.ts';
import type { FieldError } from './api-error.ts';
import { ageColumn, column, nameColumn, orNone } from './cells.ts';
import { defineResource, setDefault, specOf } from './define.ts';
import { forbiddenField, invalidValue, notSupported, required, ruleErrors } from './field-errors.ts';
import { portNameErrors, portNumberErrors } from './names.ts';
import type { KubeObject } from './object.ts';
import { labelSelectorText } from './selector.ts';
import { labelSelectorErrors } from './template-validation.ts';
import type { NetworkPolicyObject } from './typed.ts';

const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];
const TYPES = ['Egress', 'Ingress'];

/** A policy that says nothing of the way out leaves it alone. */
function setDefaults(object: KubeObject): void {
  const spec = specOf<NetworkPolicySpec>(object);
  setDefault(spec, 'podSelector', {});
  for (const { ports = [] } of [...(spec.ingress ?? []), ...(spec.egress ?? [])])
    for (const port of ports) setDefault(port, 'protocol', 'TCP');
  if (!spec.policyTypes?.length) spec.policyTypes = ['Ingress', ...(spec.egress?.length ? ['Egress'] : [])];
}

function validate(object: KubeObject): FieldError[] {
  const { podSelector, ingress = [], egress = [], policyTypes = [] } = (object as NetworkPolicyObject).spec;
  const errors = [
    ...labelSelectorErrors(podSelector, 'spec.podSelector'),
    ...ingress.flatMap((rule, index) => flowErrors(rule.ports, rule.from, `spec.ingress[${index}]`, 'from')),
    ...egress.flatMap((rule, index) => flowErrors(rule.ports, rule.to, `spec.egress[${index}]`, 'to')),
  ];
  if (policyTypes.length > 2)
    return [
      ...errors,
      invalidValue('spec.policyTypes', policyTypes, 'may not specify more than two policyTypes'),
    ];
  for (const [index, type] of policyTypes.entries())
    if (!TYPES.includes(type)) errors.push(notSupported(`spec.policyTypes[${index}]`, type, TYPES));
  return errors;
}

function flowErrors(
  ports: readonly NetworkPolicyPort[] = [],
  peers: readonly NetworkPolicyPeer[] = [],
  field: string,
  peersName: string,
): FieldError[] {
  return [
    ...ports.flatMap((port, index) => portErrors(port, `${field}.ports[${index}]`)),
    ...peers.flatMap((peer, index) => peerErrors(peer, `${field}.${peersName}[${index}]`)),
  ];
}

function portErrors({ protocol, port, endPort }: NetworkPolicyPort, field: string): FieldError[] {
  const errors: FieldError[] = [];
  if (protocol !== undefined && !PROTOCOLS.includes(protocol))
    errors.push(notSupported(`${field}.protocol`, protocol, PROTOCOLS));
  if (port === undefined) {
    if (endPort !== undefined)
      errors.push(required(`${field}.port`, 'must be specified when `endPort` is specified'));
  } else if (typeof port === 'string') {
    if (endPort !== undefined)
      errors.push(
        invalidValue(`${field}.endPort`, endPort, 'may not be specified when `port` is non-numeric'),
      );
    errors.push(...ruleErrors(`${field}.port`, port, portNameErrors));
  } else {
    if (endPort !== undefined && endPort < port)
      errors.push(invalidValue(`${field}.endPort`, endPort, 'must be greater than or equal to `port`'));
    if (endPort !== undefined && portNumberErrors(endPort).length > 0)
      errors.push(invalidValue(`${field}.endPort`, endPort, 'must be between 1 and 65535, inclusive'));
    errors.push(...portNumberErrors(port).map((detail) => invalidValue(`${field}.port`, port, detail)));
  }
  return errors;
}

function peerErrors(
  { podSelector, namespaceSelector, ipBlock }: NetworkPolicyPeer,
  field: string,
): FieldError[] {
  const selectors = [podSelector, namespaceSelector].filter(Boolean).length;
  const errors = [
    ...labelSelectorErrors(podSelector, `${field}.podSelector`),
    ...labelSelectorErrors(namespaceSelector, `${field}.namespaceSelector`),
    ...(ipBlock ? blockErrors(ipBlock, `${field}.ipBlock`) : []),
  ];
  if (selectors === 0 && !ipBlock) errors.push(required(field, 'must specify a peer'));
  if (selectors > 0 && ipBlock)
    errors.push(forbiddenField(field, 'may not specify both ipBlock and another peer'));
  return errors;
}

function blockErrors(
  { cidr, except = [] }: NonNullable<NetworkPolicyPeer['ipBlock']>,
  field: string,
): FieldError[] {
  if (!cidr) return [required(`${field}.cidr`)];
  const errors = ruleErrors(`${field}.cidr`, cidr, rangeErrors);
  for (const [index, range] of except.entries()) {
    const at = `${field}.except[${index}]`;
    const problems = ruleErrors(at, range, rangeErrors);
    errors.push(...problems);
    if (problems.length === 0 && !isStrictSubrange(range, cidr))
      errors.push(invalidValue(at, range, 'must be a strict subset of `cidr`'));
  }
  return errors;
}

export const networkPolicies = defineResource({
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'NetworkPolicy',
  plural: 'networkpolicies',
  singular: 'networkpolicy',
  shortNames: ['netpol'],
  namespaced: true,
  schema: 'io.k8s.api.networking.v1.NetworkPolicy',
  notYet: 'nothing is blocked by it yet',
  setDefaults,
  validate,
  hasGeneration: true,
  columns: [
    nameColumn,
    column('Pod-Selector', 'Which pods it is for.', (object) =>
      orNone(labelSelectorText((object as NetworkPolicyObject).spec.podSelector)),
    ),
    ageColumn,
  ],
});
