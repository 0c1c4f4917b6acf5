import type { Container, EnvVar } from 'kubernetes-types/core/v1.d.ts';
import type { FieldError } from './api-error.ts';
import { fieldReferenceErrors, resourceReferenceErrors } from './downward-validation.ts';
import { invalidValue, required } from './field-errors.ts';
import { environmentNameErrors } from './names.ts';

/** What is wrong with a container's variables. `containers` are the names of the pod's containers. */
export function environmentErrors(
  { env = [], envFrom = [] }: Container,
  field: string,
  containers: ReadonlySet<string>,
): FieldError[] {
  return [
    ...env.flatMap((each, index) => variableErrors(each, `${field}.env[${index}]`, containers)),
    ...sourcesErrors(envFrom, `${field}.envFrom`),
  ];
}

/** Other than in Kubernetes, where only the runtime finds it: no process can be given such a text. */
export function nulErrors(text: string | undefined, field: string): FieldError[] {
  return text?.includes('\0') ? [invalidValue(field, text, 'must not contain NUL characters')] : [];
}

function variableErrors(
  { name, value, valueFrom }: EnvVar,
  field: string,
  containers: ReadonlySet<string>,
): FieldError[] {
  const errors: FieldError[] = name
    ? environmentNameErrors(name).map((detail) => invalidValue(`${field}.name`, name, detail))
    : [required(`${field}.name`)];
  errors.push(...nulErrors(value, `${field}.value`));
  if (!valueFrom) return errors;
  const sources = Object.values(valueFrom).filter(Boolean).length;
  const at = `${field}.valueFrom`;
  if (sources === 0)
    errors.push(
      invalidValue(
        at,
        '',
        'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`',
      ),
    );
  else if (value) errors.push(invalidValue(at, '', 'may not be specified when `value` is not empty'));
  else if (sources > 1)
    errors.push(invalidValue(at, '', 'may not have more than one field specified at a time'));
  for (const kind of ['configMapKeyRef', 'secretKeyRef'] as const) {
    const source = valueFrom[kind];
    if (source && !source.name) errors.push(required(`${at}.${kind}.name`));
    if (source && !source.key) errors.push(required(`${at}.${kind}.key`));
  }
  const { fieldRef, resourceFieldRef } = valueFrom;
  if (fieldRef) errors.push(...fieldReferenceErrors(fieldRef, `${at}.fieldRef`, 'variable'));
  if (resourceFieldRef)
    errors.push(
      ...resourceReferenceErrors(resourceFieldRef, `${at}.resourceFieldRef`, 'variable', containers),
    );
  return errors;
}

function sourcesErrors(envFrom: NonNullable<Container['envFrom']>, field: string): FieldError[] {
  return envFrom.flatMap(({ prefix, configMapRef, secretRef }, index) => {
    const at = `${field}[${index}]`;
    const errors: FieldError[] = [];
    if (prefix)
      errors.push(
        ...environmentNameErrors(prefix).map((detail) => invalidValue(`${at}.prefix`, prefix, detail)),
      );
    if (configMapRef && secretRef)
      errors.push(invalidValue(at, '', 'may not have more than one field specified at a time'));
    if (!configMapRef && !secretRef)
      errors.push(invalidValue(at, '', 'must specify one of: `configMapRef` or `secretRef`'));
    if (configMapRef && !configMapRef.name) errors.push(required(`${at}.configMapRef.name`));
    if (secretRef && !secretRef.name) errors.push(required(`${at}.secretRef.name`));
    return errors;
  });
}
