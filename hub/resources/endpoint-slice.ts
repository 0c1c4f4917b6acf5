import { isDeepStrictEqual } from 'node:util';
import type { Endpoint, EndpointPort } from 'kubernetes-types/discovery/v1.d.ts';
import { endpointAddressErrors, familyOf } from './addresses.ts';
import type { FieldError } from './api-error.ts';
import { ageColumn, column, firstThree, nameColumn } from './cells.ts';
import { byController, defineResource, setDefault } from './define.ts';
import {
  duplicate,
  immutable,
  invalidValue,
  oneOfErrors,
  required,
  ruleErrors,
  tooMany,
} from './field-errors.ts';
import { labelNameErrors, portNumberErrors, qualifiedNameErrors, subdomainNameErrors } from './names.ts';
import type { KubeObject } from './object.ts';
import type { EndpointSliceObject } from './typed.ts';

const ADDRESS_TYPES = ['FQDN', 'IPv4', 'IPv6'];
const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];
const MAX_ENDPOINTS = 1000;
const MAX_ADDRESSES = 100;
const MAX_PORTS = 20_000;
const SERVICE_LABEL = 'kubernetes.io/service-name';

function validate(object: KubeObject, old: KubeObject | undefined): FieldError[] {
  const { addressType, endpoints = [], ports } = object as EndpointSliceObject;
  const errors = oneOfErrors('addressType', addressType, ADDRESS_TYPES);
  if (old && addressType !== (old as EndpointSliceObject).addressType)
    errors.push(immutable('addressType', addressType));
  if (endpoints.length > MAX_ENDPOINTS) errors.push(tooMany('endpoints', endpoints.length, MAX_ENDPOINTS));
  return [
    ...errors,
    ...endpoints.flatMap((each, index) => endpointErrors(each, addressType, `endpoints[${index}]`)),
    ...portsErrors(ports ?? []),
  ];
}

function endpointErrors(
  { addresses = [], hostname, nodeName }: Endpoint,
  type: string,
  field: string,
): FieldError[] {
  const errors: FieldError[] = [];
  if (addresses.length === 0) errors.push(required(`${field}.addresses`, 'must contain at least 1 address'));
  if (addresses.length > MAX_ADDRESSES)
    errors.push(tooMany(`${field}.addresses`, addresses.length, MAX_ADDRESSES));
  for (const [index, address] of addresses.entries())
    errors.push(...ruleErrors(`${field}.addresses[${index}]`, address, (value) => typedErrors(value, type)));
  if (hostname !== undefined) errors.push(...ruleErrors(`${field}.hostname`, hostname, labelNameErrors));
  if (nodeName !== undefined) errors.push(...ruleErrors(`${field}.nodeName`, nodeName, subdomainNameErrors));
  return errors;
}

function typedErrors(address: string, type: string): string[] {
  if (type === 'FQDN') return subdomainNameErrors(address);
  if (type !== 'IPv4' && type !== 'IPv6') return [];
  return familyOf(address) === type ? endpointAddressErrors(address) : [`must be an ${type} address`];
}

function portsErrors(ports: readonly EndpointPort[]): FieldError[] {
  const names = new Set<string>();
  const errors = ports.flatMap(({ name = '', port, protocol, appProtocol }, index) => {
    const field = `ports[${index}]`;
    const found = name ? ruleErrors(`${field}.name`, name, labelNameErrors) : [];
    if (names.has(name)) found.push(duplicate(`${field}.name`, name));
    names.add(name);
    found.push(...oneOfErrors(`${field}.protocol`, protocol, PROTOCOLS));
    if (port !== undefined)
      found.push(...portNumberErrors(port).map((detail) => invalidValue(`${field}.port`, port, detail)));
    if (appProtocol) found.push(...ruleErrors(`${field}.appProtocol`, appProtocol, qualifiedNameErrors));
    return found;
  });
  return ports.length > MAX_PORTS ? [tooMany('ports', ports.length, MAX_PORTS), ...errors] : errors;
}

/** All but what is only said about the object. */
function content({ metadata: { labels }, apiVersion: _v, kind: _k, ...rest }: KubeObject): object {
  return { ...rest, metadata: undefined, labels: labels ?? {} };
}

function portText({ name, port }: EndpointPort): string {
  return port === undefined ? name || '*' : `${port}`;
}

export const endpointSlices = defineResource({
  group: 'discovery.k8s.io',
  version: 'v1',
  kind: 'EndpointSlice',
  plural: 'endpointslices',
  singular: 'endpointslice',
  namespaced: true,
  schema: 'io.k8s.api.discovery.v1.EndpointSlice',
  setDefaults: (object) => {
    const slice = object as EndpointSliceObject;
    slice.endpoints ??= [];
    for (const port of slice.ports ?? []) {
      setDefault(port, 'name', '');
      setDefault(port, 'protocol', 'TCP');
    }
  },
  validate,
  hasGeneration: true,
  bumpsGeneration: (object, old) => !isDeepStrictEqual(content(object), content(old)),
  indexes: {
    controller: byController,
    pod: (object) =>
      ((object as EndpointSliceObject).endpoints ?? []).flatMap(({ targetRef }) =>
        targetRef?.kind === 'Pod' ? [`${targetRef.namespace}/${targetRef.name}`] : [],
      ),
    service: ({ metadata: { namespace, labels } }) =>
      labels?.[SERVICE_LABEL] ? [`${namespace}/${labels[SERVICE_LABEL]}`] : [],
  },
  columns: [
    nameColumn,
    column(
      'AddressType',
      'What its addresses are.',
      (object) => (object as EndpointSliceObject).addressType ?? '',
    ),
    column('Ports', 'Its ports.', (object) =>
      firstThree(((object as EndpointSliceObject).ports ?? []).map(portText), '<unset>'),
    ),
    column('Endpoints', 'Its addresses.', (object) =>
      firstThree(
        ((object as EndpointSliceObject).endpoints ?? []).flatMap(({ addresses = [] }) => addresses),
        '<unset>',
      ),
    ),
    ageColumn,
  ],
});
