import { isIP } from 'node:net';
import type {
  HTTPIngressPath,
  IngressBackend,
  IngressRule,
  IngressSpec,
} from 'kubernetes-types/networking/v1.d.ts';
import type { FieldError } from './api-error.ts';
import { ageColumn, column, firstThree, nameColumn, orNone } from './cells.ts';
import { defineResource, specOf } from './define.ts';
import { invalidValue, notSupported, required, ruleErrors } from './field-errors.ts';
import {
  portNameErrors,
  portNumberErrors,
  serviceNameErrors,
  subdomainNameErrors,
  wildcardNameErrors,
} from './names.ts';
import type { KubeObject } from './object.ts';
import type { IngressObject } from './typed.ts';

const PATH_TYPES = ['Exact', 'ImplementationSpecific', 'Prefix'];
/** What makes it unclear which path is meant. */
const UNCLEAR_PARTS = ['//', '/./', '/../', '%2f', '%2F'];
const UNCLEAR_ENDS = ['/..', '/.'];
/** How a class was named before there was a field for it. */
const CLASS_ANNOTATION = 'kubernetes.io/ingress.class';

function validate(object: KubeObject, old: KubeObject | undefined): FieldError[] {
  const { spec, metadata } = object as IngressObject;
  const { rules = [], defaultBackend, tls = [], ingressClassName } = spec;
  const errors: FieldError[] = [];
  const annotated = metadata.annotations?.[CLASS_ANNOTATION];
  if (!old && annotated !== undefined && ingressClassName !== undefined)
    errors.push(
      invalidValue(
        `annotations.${CLASS_ANNOTATION}`,
        annotated,
        'can not be set when the class field is also set',
      ),
    );
  if (rules.length === 0 && !defaultBackend)
    errors.push(invalidValue('spec', rules, 'either `defaultBackend` or `rules` must be specified'));
  if (defaultBackend) errors.push(...backendErrors(defaultBackend, 'spec.defaultBackend'));
  errors.push(...rules.flatMap((rule, index) => ruleOfErrors(rule, `spec.rules[${index}]`)));
  for (const [index, { hosts = [], secretName }] of tls.entries()) {
    for (const [at, host] of hosts.entries())
      errors.push(...ruleErrors(`spec.tls[${index}].hosts[${at}]`, host, hostNameErrors));
    if (secretName)
      errors.push(...ruleErrors(`spec.tls[${index}].secretName`, secretName, subdomainNameErrors));
  }
  if (ingressClassName !== undefined)
    errors.push(...ruleErrors('spec.ingressClassName', ingressClassName, subdomainNameErrors));
  return errors;
}

function hostNameErrors(host: string): string[] {
  return host.includes('*') ? wildcardNameErrors(host) : subdomainNameErrors(host);
}

function ruleOfErrors({ host, http }: IngressRule, field: string): FieldError[] {
  const errors: FieldError[] = [];
  if (host && isIP(host))
    errors.push(invalidValue(`${field}.host`, host, 'must be a DNS name, not an IP address'));
  else if (host) errors.push(...ruleErrors(`${field}.host`, host, hostNameErrors));
  if (!http) return errors;
  if (!http.paths?.length) return [...errors, required(`${field}.http.paths`)];
  return [
    ...errors,
    ...http.paths.flatMap((path, index) => pathErrors(path, `${field}.http.paths[${index}]`)),
  ];
}

function pathErrors({ path = '', pathType, backend }: HTTPIngressPath, field: string): FieldError[] {
  const errors: FieldError[] = [];
  if (!pathType) return [required(`${field}.pathType`, 'pathType must be specified')];
  if (!PATH_TYPES.includes(pathType)) errors.push(notSupported(`${field}.pathType`, pathType, PATH_TYPES));
  else if (pathType !== 'ImplementationSpecific') errors.push(...exactPathErrors(path, `${field}.path`));
  else if (path && !path.startsWith('/'))
    errors.push(invalidValue(`${field}.path`, path, 'must be an absolute path'));
  return [...errors, ...backendErrors(backend ?? {}, `${field}.backend`)];
}

function exactPathErrors(path: string, field: string): FieldError[] {
  if (!path.startsWith('/')) return [invalidValue(field, path, 'must be an absolute path')];
  return [
    ...UNCLEAR_PARTS.filter((part) => path.includes(part)).map((part) =>
      invalidValue(field, path, `must not contain '${part}'`),
    ),
    ...UNCLEAR_ENDS.filter((end) => path.endsWith(end)).map((end) =>
      invalidValue(field, path, `cannot end with '${end}'`),
    ),
  ];
}

function backendErrors({ resource, service }: IngressBackend, field: string): FieldError[] {
  if (resource && service) return [invalidValue(field, '', 'cannot set both resource and service backends')];
  if (resource)
    return (['kind', 'name'] as const)
      .filter((key) => !resource[key])
      .map((key) => required(`${field}.resource.${key}`, `${key} is required`));
  if (!service) return [required(field, 'resource or service backend is required')];
  const errors = service.name
    ? ruleErrors(`${field}.service.name`, service.name, serviceNameErrors)
    : [required(`${field}.service.name`)];
  const { name, number } = service.port ?? {};
  if (name && number) errors.push(invalidValue(field, '', 'cannot set both port name & port number'));
  else if (name) errors.push(...ruleErrors(`${field}.service.port.name`, name, portNameErrors));
  else if (number)
    errors.push(
      ...portNumberErrors(number).map((detail) =>
        invalidValue(`${field}.service.port.number`, number, detail),
      ),
    );
  else errors.push(required(field, 'port name or number is required'));
  return errors;
}

function addressText(object: KubeObject): string {
  const ingress = (object as IngressObject).status?.loadBalancer?.ingress ?? [];
  const names = ingress.map(({ ip, hostname }) => ip || hostname || '').filter(Boolean);
  return [...new Set(names)].sort().join(',');
}

const spec = (object: KubeObject) => (object as IngressObject).spec;

export const ingresses = defineResource({
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'Ingress',
  plural: 'ingresses',
  singular: 'ingress',
  shortNames: ['ing'],
  namespaced: true,
  schema: 'io.k8s.api.networking.v1.Ingress',
  notYet: 'nothing routes by it yet',
  hasStatus: true,
  setDefaults: (object) => {
    specOf<IngressSpec>(object);
  },
  prepareForCreate: (object) => {
    object.status = { loadBalancer: {} };
  },
  validate,
  columns: [
    nameColumn,
    column('Class', 'Who makes it so.', (object) => orNone(spec(object).ingressClassName)),
    column('Hosts', 'The hosts of its rules.', (object) =>
      firstThree((spec(object).rules ?? []).map(({ host }) => host ?? '').filter(Boolean), '*'),
    ),
    column('Address', 'Where it is reached.', addressText),
    column('Ports', 'The ports that it listens on.', (object) =>
      spec(object).tls?.length ? '80, 443' : '80',
    ),
    ageColumn,
  ],
});
