import { isDeepStrictEqual } from 'node:util';
import type { FieldError } from './api-error.ts';
import { ageColumn, column, nameColumn } from './cells.ts';
import { defineResource } from './define.ts';
import {
  forbiddenField,
  immutable,
  invalidValue,
  notSupported,
  oneOfErrors,
  required,
  ruleErrors,
  tooLong,
} from './field-errors.ts';
import { labelValueErrors, qualifiedNameErrors } from './names.ts';
import type { KubeObject } from './object.ts';
import type { StorageClassObject } from './typed.ts';

const RECLAIM_POLICIES = ['Delete', 'Retain'];
const BINDING_MODES = ['Immediate', 'WaitForFirstConsumer'];
const DEFAULT_ANNOTATION = 'storageclass.kubernetes.io/is-default-class';
const MAX_PARAMETERS = 512;
const MAX_PARAMETERS_BYTES = 256 * 1024;

function setDefaults(object: KubeObject): void {
  const given = object as StorageClassObject;
  given.reclaimPolicy ||= 'Delete';
  given.volumeBindingMode ||= 'Immediate';
}

function validate(object: KubeObject, old: KubeObject | undefined): FieldError[] {
  const given = object as StorageClassObject;
  const { provisioner, reclaimPolicy = '', volumeBindingMode } = given;
  const errors = provisioner
    ? ruleErrors('provisioner', provisioner.toLowerCase(), qualifiedNameErrors)
    : [required('provisioner')];
  if (!RECLAIM_POLICIES.includes(reclaimPolicy))
    errors.push(notSupported('reclaimPolicy', reclaimPolicy, RECLAIM_POLICIES));
  return [
    ...errors,
    ...parameterErrors(given.parameters ?? {}),
    ...oneOfErrors('volumeBindingMode', volumeBindingMode, BINDING_MODES),
    ...topologyErrors(given),
    ...(old ? updateErrors(given, old as StorageClassObject) : []),
  ];
}

function parameterErrors(parameters: Readonly<Record<string, string>>): FieldError[] {
  const entries = Object.entries(parameters);
  const sizeBytes = entries.reduce((sum, [key, value]) => sum + key.length + value.length, 0);
  const errors: FieldError[] = [];
  if (entries.length > MAX_PARAMETERS) errors.push(tooLong('parameters', MAX_PARAMETERS));
  if (entries.some(([key]) => key === ''))
    errors.push(invalidValue('parameters', '', 'field can not be empty.'));
  if (sizeBytes > MAX_PARAMETERS_BYTES) errors.push(tooLong('parameters', MAX_PARAMETERS_BYTES));
  return errors;
}

function topologyErrors({ allowedTopologies = [] }: StorageClassObject): FieldError[] {
  return allowedTopologies.flatMap(({ matchLabelExpressions = [] }, index) =>
    matchLabelExpressions.flatMap(({ key, values }, at) => {
      const field = `allowedTopologies[${index}].matchLabelExpressions[${at}]`;
      return [
        ...ruleErrors(`${field}.key`, key ?? '', qualifiedNameErrors),
        ...(values?.length ? [] : [required(`${field}.values`)]),
        ...(values ?? []).flatMap((value, place) =>
          ruleErrors(`${field}.values[${place}]`, value, labelValueErrors),
        ),
      ];
    }),
  );
}

/** Volumes that exist were made by the class as it was. */
function updateErrors(given: StorageClassObject, old: StorageClassObject): FieldError[] {
  const errors: FieldError[] = [];
  if (!isDeepStrictEqual(given.parameters ?? {}, old.parameters ?? {}))
    errors.push(forbiddenField('parameters', 'updates to parameters are forbidden.'));
  for (const field of ['provisioner', 'reclaimPolicy'] as const)
    if (given[field] !== old[field]) errors.push(forbiddenField(field, `updates to ${field} are forbidden.`));
  if (given.volumeBindingMode !== old.volumeBindingMode)
    errors.push(immutable('volumeBindingMode', given.volumeBindingMode));
  return errors;
}

export const storageClasses = defineResource({
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'StorageClass',
  plural: 'storageclasses',
  singular: 'storageclass',
  shortNames: ['sc'],
  namespaced: false,
  schema: 'io.k8s.api.storage.v1.StorageClass',
  setDefaults,
  validate,
  columns: [
    {
      ...nameColumn,
      cell: ({ metadata: { name = '', annotations } }) =>
        annotations?.[DEFAULT_ANNOTATION] === 'true' ? `${name} (default)` : name,
    },
    column('Provisioner', 'Who makes the volumes.', (object) => (object as StorageClassObject).provisioner),
    column(
      'ReclaimPolicy',
      'What becomes of a volume that is released.',
      (object) => (object as StorageClassObject).reclaimPolicy ?? 'Delete',
    ),
    column(
      'VolumeBindingMode',
      'When volumes are made.',
      (object) => (object as StorageClassObject).volumeBindingMode ?? 'Immediate',
    ),
    column(
      'AllowVolumeExpansion',
      'Whether volumes can grow.',
      (object) => `${(object as StorageClassObject).allowVolumeExpansion ?? false}`,
    ),
    ageColumn,
  ],
});
