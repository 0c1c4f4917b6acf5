import type { FieldError } from './api-error.ts';
import type { ResourceDefinition } from './definition.ts';
import { duplicate, forbiddenField, invalidValue, required } from './field-errors.ts';
import {
  labelNameErrors,
  labelValueErrors,
  pathNameErrors,
  qualifiedNameErrors,
  serviceNameErrors,
  subdomainNameErrors,
} from './names.ts';
import type { KubeObject, ObjectMeta } from './object.ts';

/** The sum of all annotations: they are stored and sent with every copy of the object. */
const ANNOTATIONS_LIMIT_BYTES = 256 * 1024;

const NAME_RULES = {
  subdomain: subdomainNameErrors,
  label: labelNameErrors,
  service: serviceNameErrors,
  path: pathNameErrors,
};
/** Finalizers of Kubernetes' own that have no prefix. */
const STANDARD_FINALIZERS = new Set(['kubernetes', 'orphan', 'foregroundDeletion']);

/** What is wrong with `metadata`, for every kind alike. What may change in an update is the registry's to decide. */
export function validateMetadata(
  definition: Pick<ResourceDefinition, 'namespaced' | 'nameRule' | 'hasPlainFinalizers'>,
  object: KubeObject,
): FieldError[] {
  const { metadata } = object;
  return [
    ...nameErrors(definition, metadata),
    ...namespaceErrors(definition, metadata),
    ...labelErrors(metadata.labels, 'metadata.labels'),
    ...annotationErrors(metadata.annotations, 'metadata.annotations'),
    ...ownerErrors(metadata),
    ...finalizerErrors(definition, metadata),
  ];
}

function nameErrors(definition: Pick<ResourceDefinition, 'nameRule'>, metadata: ObjectMeta): FieldError[] {
  const rule = NAME_RULES[definition.nameRule ?? 'subdomain'];
  const { name, generateName } = metadata;
  if (!name) return [required('metadata.name', 'name or generateName is required')];
  const errors = rule(name).map((detail) => invalidValue('metadata.name', name, detail));
  if (!generateName) return errors;
  const prefix = generateName.replace(/[-.]+$/, '');
  return [
    ...errors,
    ...rule(prefix || 'x').map((detail) => invalidValue('metadata.generateName', generateName, detail)),
  ];
}

function namespaceErrors(
  definition: Pick<ResourceDefinition, 'namespaced'>,
  { namespace }: ObjectMeta,
): FieldError[] {
  if (!definition.namespaced)
    return namespace ? [forbiddenField('metadata.namespace', 'not allowed on this type')] : [];
  if (!namespace) return [required('metadata.namespace')];
  return labelNameErrors(namespace).map((detail) => invalidValue('metadata.namespace', namespace, detail));
}

/** Also for the labels of templates and for `matchLabels`. */
export function labelErrors(
  labels: Readonly<Record<string, string>> | undefined,
  field: string,
): FieldError[] {
  return Object.entries(labels ?? {}).flatMap(([key, value]) => [
    ...qualifiedNameErrors(key).map((detail) => invalidValue(field, key, detail)),
    ...labelValueErrors(value).map((detail) => invalidValue(field, value, detail)),
  ]);
}

export function annotationErrors(
  annotations: Readonly<Record<string, string>> | undefined,
  field: string,
): FieldError[] {
  const entries = Object.entries(annotations ?? {});
  const sizeBytes = entries.reduce(
    (sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value),
    0,
  );
  const errors = entries.flatMap(([key]) =>
    qualifiedNameErrors(key.toLowerCase()).map((detail) => invalidValue(field, key, detail)),
  );
  if (sizeBytes > ANNOTATIONS_LIMIT_BYTES)
    errors.push({
      reason: 'FieldValueTooLong',
      field,
      message: `Too long: may not be more than ${ANNOTATIONS_LIMIT_BYTES} bytes`,
    });
  return errors;
}

function ownerErrors({ ownerReferences = [] }: ObjectMeta): FieldError[] {
  const errors = ownerReferences.flatMap((owner, index) => {
    const field = `metadata.ownerReferences[${index}]`;
    return (['apiVersion', 'kind', 'name', 'uid'] as const)
      .filter((key) => !owner[key])
      .map((key) => invalidValue(`${field}.${key}`, owner[key] ?? '', 'must not be empty'));
  });
  const controllers = ownerReferences.filter((owner) => owner.controller);
  if (controllers.length > 1)
    errors.push(
      invalidValue(
        'metadata.ownerReferences',
        controllers.map((owner) => owner.name),
        'Only one reference can have Controller set to true',
      ),
    );
  return errors;
}

function finalizerErrors(
  { hasPlainFinalizers }: Pick<ResourceDefinition, 'hasPlainFinalizers'>,
  metadata: ObjectMeta,
): FieldError[] {
  const finalizers = metadata.finalizers ?? [];
  const seen = new Set<string>();
  return finalizers.flatMap((each, index) => {
    const field = `metadata.finalizers[${index}]`;
    if (seen.has(each)) return [duplicate(field, each)];
    seen.add(each);
    if (!hasPlainFinalizers && !each.includes('/') && !STANDARD_FINALIZERS.has(each))
      return [
        invalidValue(field, each, 'name is neither a standard finalizer name nor is it fully qualified'),
      ];
    return qualifiedNameErrors(each).map((detail) => invalidValue(field, each, detail));
  });
}
