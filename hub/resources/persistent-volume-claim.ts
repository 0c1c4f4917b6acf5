import { isDeepStrictEqual } from 'node:util';
import type { PersistentVolumeClaimSpec } from 'kubernetes-types/core/v1.d.ts';
import type { FieldError } from './api-error.ts';
import { ageColumn, column, nameColumn, wideColumn } from './cells.ts';
import { byController, defineResource, setDefault, specOf } from './define.ts';
import { forbiddenField, immutable, optionalOneOfErrors, required, ruleErrors } from './field-errors.ts';
import { subdomainNameErrors } from './names.ts';
import type { KubeObject } from './object.ts';
import { compareQuantities, parseQuantity } from './quantity.ts';
import { labelSelectorErrors } from './template-validation.ts';
import type { PersistentVolumeClaimObject } from './typed.ts';
import {
  accessModeErrors,
  accessModesText,
  storageClassText,
  storageErrors,
  VOLUME_MODES,
} from './volume-access.ts';

const FIXED_SPEC =
  'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims';

function setDefaults(object: KubeObject): void {
  const spec = specOf<PersistentVolumeClaimSpec>(object);
  setDefault(spec, 'volumeMode', 'Filesystem');
  setDefault(spec, 'resources', {});
}

function validate(object: KubeObject, old: KubeObject | undefined): FieldError[] {
  const { spec } = object as PersistentVolumeClaimObject;
  return [
    ...claimErrors(spec),
    ...(old ? updateErrors(object as PersistentVolumeClaimObject, old as PersistentVolumeClaimObject) : []),
  ];
}

function claimErrors(spec: PersistentVolumeClaimSpec): FieldError[] {
  const storage = spec.resources?.requests?.['storage'];
  return [
    ...accessModeErrors(spec.accessModes, 'spec.accessModes', 'at least 1 access mode is required'),
    ...labelSelectorErrors(spec.selector, 'spec.selector'),
    ...(storage === undefined
      ? [required('spec.resources[storage]')]
      : storageErrors(storage, 'spec.resources[storage]')),
    ...(spec.storageClassName
      ? ruleErrors('spec.storageClassName', spec.storageClassName, subdomainNameErrors)
      : []),
    ...optionalOneOfErrors('spec.volumeMode', spec.volumeMode, VOLUME_MODES),
    ...sourceErrors(spec),
  ];
}

function sourceErrors({ dataSource }: PersistentVolumeClaimSpec): FieldError[] {
  return (['name', 'kind'] as const)
    .filter((key) => dataSource && !dataSource[key])
    .map((key) => required(`spec.dataSource.${key}`));
}

function updateErrors(
  { spec }: PersistentVolumeClaimObject,
  { spec: old, status }: PersistentVolumeClaimObject,
): FieldError[] {
  const errors: FieldError[] = [];
  const isBound = status?.phase === 'Bound';
  if (!isDeepStrictEqual(fixedPart(spec, old, isBound), fixedPart(old, old, isBound)))
    errors.push(forbiddenField('spec', FIXED_SPEC));
  const wanted = parseQuantity(spec.resources?.requests?.['storage'] ?? '');
  const before = parseQuantity(old.resources?.requests?.['storage'] ?? '');
  const has = parseQuantity(status?.capacity?.['storage'] ?? '');
  const shrinks = wanted && before && compareQuantities(wanted, before) < 0;
  if (isBound && shrinks && (!has || compareQuantities(wanted, has) < 0))
    errors.push(
      forbiddenField('spec.resources.requests.storage', 'field can not be less than status.capacity'),
    );
  if (spec.volumeMode !== old.volumeMode) errors.push(immutable('spec.volumeMode', spec.volumeMode));
  return errors;
}

/** What may not change. A claim that has no volume may be given one. */
function fixedPart(
  spec: PersistentVolumeClaimSpec,
  old: PersistentVolumeClaimSpec,
  isBound: boolean,
): object {
  const { volumeName, resources, volumeAttributesClassName, ...rest } = spec;
  const { requests, ...others } = resources ?? {};
  const { storage: _, ...otherRequests } = requests ?? {};
  return {
    ...rest,
    volumeName: old.volumeName ? volumeName : undefined,
    resources: { ...others, requests: isBound ? otherRequests : requests },
    class: isBound ? undefined : volumeAttributesClassName,
  };
}

const claim = (object: KubeObject) => object as PersistentVolumeClaimObject;
const isAssigned = (object: KubeObject) => Boolean(claim(object).spec.volumeName);

export const persistentVolumeClaims = defineResource({
  version: 'v1',
  kind: 'PersistentVolumeClaim',
  plural: 'persistentvolumeclaims',
  singular: 'persistentvolumeclaim',
  shortNames: ['pvc'],
  namespaced: true,
  schema: 'io.k8s.api.core.v1.PersistentVolumeClaim',
  hasStatus: true,
  hasGeneration: false,
  setDefaults,
  prepareForCreate: (object) => {
    object.status = { phase: 'Pending' };
  },
  validate,
  indexes: { controller: byController },
  columns: [
    nameColumn,
    column('Status', 'Whether it has a volume.', (object) =>
      object.metadata.deletionTimestamp ? 'Terminating' : (claim(object).status?.phase ?? ''),
    ),
    column('Volume', 'The volume that it has.', (object) => claim(object).spec.volumeName ?? ''),
    column('Capacity', 'How large the volume is.', (object) =>
      isAssigned(object) ? (claim(object).status?.capacity?.['storage'] ?? '0') : '',
    ),
    column('Access Modes', 'How the volume may be mounted.', (object) =>
      isAssigned(object) ? accessModesText(claim(object).status?.accessModes) : '',
    ),
    column('StorageClass', 'The class that it asks for.', (object) =>
      storageClassText(object.metadata.annotations, claim(object).spec.storageClassName),
    ),
    column(
      'VolumeAttributesClass',
      'The class of attributes that it asks for.',
      (object) => claim(object).spec.volumeAttributesClassName ?? '<unset>',
    ),
    ageColumn,
    wideColumn(
      'VolumeMode',
      'A file system or a block device.',
      (object) => claim(object).spec.volumeMode ?? '<unset>',
    ),
  ],
});
