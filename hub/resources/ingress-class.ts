import { isDeepStrictEqual } from 'node:util';
import type { IngressClassSpec } from 'kubernetes-types/networking/v1.d.ts';
import type { FieldError } from './api-error.ts';
import { ageColumn, column, nameColumn } from './cells.ts';
import { defineResource, setDefault, specOf } from './define.ts';
import { forbiddenField, immutable, notSupported, required, ruleErrors, tooLong } from './field-errors.ts';
import { domainPathErrors, labelNameErrors, pathNameErrors } from './names.ts';
import type { KubeObject } from './object.ts';
import type { IngressClassObject } from './typed.ts';

const MAX_CONTROLLER_LENGTH = 250;
const SCOPES = ['Cluster', 'Namespace'];

function validate(object: KubeObject, old: KubeObject | undefined): FieldError[] {
  const { controller, parameters } = (object as IngressClassObject).spec;
  const errors: FieldError[] = [];
  if (!controller && old) errors.push(required('spec.controller'));
  if (controller) errors.push(...ruleErrors('spec.controller', controller, domainPathErrors));
  if ((controller?.length ?? 0) > MAX_CONTROLLER_LENGTH)
    errors.push(tooLong('spec.controller', MAX_CONTROLLER_LENGTH));
  if (old && controller !== (old as IngressClassObject).spec.controller)
    errors.push(immutable('spec.controller', controller));
  return parameters ? [...errors, ...parameterErrors(parameters)] : errors;
}

function parameterErrors(parameters: NonNullable<IngressClassSpec['parameters']>): FieldError[] {
  const field = 'spec.parameters';
  const { kind, name, scope, namespace } = parameters;
  const errors: FieldError[] = [];
  if (!kind) errors.push(required(`${field}.kind`, 'kind is required'));
  else errors.push(...ruleErrors(`${field}.kind`, kind, pathNameErrors));
  if (!name) errors.push(required(`${field}.name`, 'name is required'));
  else errors.push(...ruleErrors(`${field}.name`, name, pathNameErrors));
  if (!scope) return [...errors, required(`${field}.scope`)];
  if (!SCOPES.includes(scope)) return [...errors, notSupported(`${field}.scope`, scope, SCOPES)];
  if (scope === 'Cluster' && namespace !== undefined)
    errors.push(forbiddenField(`${field}.namespace`, "parameters.scope is set to 'Cluster'"));
  if (scope === 'Namespace' && !namespace)
    errors.push(required(`${field}.namespace`, "parameters.scope is set to 'Namespace'"));
  else if (scope === 'Namespace' && namespace)
    errors.push(...ruleErrors(`${field}.namespace`, namespace, labelNameErrors));
  return errors;
}

function parametersText(object: KubeObject): string {
  const { parameters } = (object as IngressClassObject).spec;
  if (!parameters) return '<none>';
  const { apiGroup, kind, name } = parameters;
  return `${apiGroup ? `${kind}.${apiGroup}` : kind}/${name}`;
}

export const ingressClasses = defineResource({
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'IngressClass',
  plural: 'ingressclasses',
  singular: 'ingressclass',
  namespaced: false,
  schema: 'io.k8s.api.networking.v1.IngressClass',
  setDefaults: (object) => {
    const { parameters } = specOf<IngressClassSpec>(object);
    if (parameters) setDefault(parameters, 'scope', 'Cluster');
  },
  validate,
  hasGeneration: true,
  bumpsGeneration: (object, old) => !isDeepStrictEqual(object.spec, old.spec),
  columns: [
    nameColumn,
    column(
      'Controller',
      'Who makes ingresses of this class so.',
      (object) => (object as IngressClassObject).spec.controller ?? '',
    ),
    column('Parameters', 'What the controller is told besides.', parametersText),
    ageColumn,
  ],
});
