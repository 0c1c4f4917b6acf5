import type { EndpointAddress, EndpointPort, EndpointSubset } from 'kubernetes-types/core/v1.d.ts';
import { addressErrors, endpointAddressErrors } from './addresses.ts';
import type { FieldError } from './api-error.ts';
import { ageColumn, column, firstThree, nameColumn } from './cells.ts';
import { defineResource } from './define.ts';
import { invalidValue, oneOfErrors, required, ruleErrors } from './field-errors.ts';
import { labelNameErrors, portNumberErrors, qualifiedNameErrors, subdomainNameErrors } from './names.ts';
import type { KubeObject } from './object.ts';
import type { EndpointsObject } from './typed.ts';

const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];

function subsetErrors(subset: EndpointSubset, field: string): FieldError[] {
  const { addresses = [], notReadyAddresses = [], ports = [] } = subset;
  if (addresses.length === 0 && notReadyAddresses.length === 0)
    return [required(field, 'must specify `addresses` or `notReadyAddresses`')];
  return [
    ...addresses.flatMap((each, index) => targetErrors(each, `${field}.addresses[${index}]`)),
    ...notReadyAddresses.flatMap((each, index) => targetErrors(each, `${field}.notReadyAddresses[${index}]`)),
    ...ports.flatMap((each, index) => portErrors(each, `${field}.ports[${index}]`, ports.length > 1)),
  ];
}

function targetErrors({ ip = '', hostname, nodeName }: EndpointAddress, field: string): FieldError[] {
  const errors = ruleErrors(`${field}.ip`, ip, addressErrors);
  if (errors.length === 0) errors.push(...ruleErrors(`${field}.ip`, ip, endpointAddressErrors));
  if (hostname) errors.push(...ruleErrors(`${field}.hostname`, hostname, labelNameErrors));
  if (nodeName !== undefined) errors.push(...ruleErrors(`${field}.nodeName`, nodeName, subdomainNameErrors));
  return errors;
}

function portErrors(
  { name, port, protocol, appProtocol }: EndpointPort,
  field: string,
  needsName: boolean,
): FieldError[] {
  const errors: FieldError[] = [];
  if (name) errors.push(...ruleErrors(`${field}.name`, name, labelNameErrors));
  else if (needsName) errors.push(required(`${field}.name`));
  for (const detail of portNumberErrors(port ?? 0)) errors.push(invalidValue(`${field}.port`, port, detail));
  errors.push(...oneOfErrors(`${field}.protocol`, protocol, PROTOCOLS));
  if (appProtocol) errors.push(...ruleErrors(`${field}.appProtocol`, appProtocol, qualifiedNameErrors));
  return errors;
}

function targets({ addresses = [], ports = [] }: EndpointSubset): string[] {
  const hosts = addresses.map(({ ip }) => ip);
  if (ports.length === 0) return hosts;
  return ports.flatMap(({ port }) =>
    hosts.map((host) => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`)),
  );
}

export const endpoints = defineResource({
  version: 'v1',
  kind: 'Endpoints',
  plural: 'endpoints',
  singular: 'endpoints',
  shortNames: ['ep'],
  namespaced: true,
  schema: 'io.k8s.api.core.v1.Endpoints',
  deprecationWarning: 'v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice',
  createOnUpdate: true,
  setDefaults: (object) => {
    for (const { ports = [] } of (object as EndpointsObject).subsets ?? [])
      for (const port of ports) port.protocol ||= 'TCP';
  },
  validate: (object) =>
    ((object as EndpointsObject).subsets ?? []).flatMap((each, index) =>
      subsetErrors(each, `subsets[${index}]`),
    ),
  columns: [
    nameColumn,
    column('Endpoints', 'Addresses and ports.', (object: KubeObject) =>
      firstThree(((object as EndpointsObject).subsets ?? []).flatMap(targets), '<none>'),
    ),
    ageColumn,
  ],
});
