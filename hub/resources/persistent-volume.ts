import { isDeepStrictEqual } from 'node:util';
import type { PersistentVolumeSpec } from 'kubernetes-types/core/v1.d.ts';
import type { FieldError } from './api-error.ts';
import { ageColumn, column, nameColumn, wideColumn } from './cells.ts';
import { defineResource, setDefault, specOf } from './define.ts';
import {
  forbiddenField,
  immutable,
  invalidValue,
  notSupported,
  optionalOneOfErrors,
  required,
  ruleErrors,
} from './field-errors.ts';
import { nodeOfLocalPath } from './local-path.ts';
import { subdomainNameErrors } from './names.ts';
import type { KubeObject } from './object.ts';
import type { PersistentVolumeObject } from './typed.ts';
import {
  accessModeErrors,
  accessModesText,
  storageClassText,
  storageErrors,
  VOLUME_MODES,
} from './volume-access.ts';

const RECLAIM_POLICIES = ['Delete', 'Recycle', 'Retain'];
/** All of the spec that does not say where the data is. */
const NOT_SOURCES = [
  'accessModes',
  'capacity',
  'claimRef',
  'mountOptions',
  'nodeAffinity',
  'persistentVolumeReclaimPolicy',
  'storageClassName',
  'volumeAttributesClassName',
  'volumeMode',
];

type Spec = PersistentVolumeObject['spec'];

function sourcesOf(spec: Spec): [string, unknown][] {
  return Object.entries(spec).filter(([key, value]) => !NOT_SOURCES.includes(key) && value);
}

function setDefaults(object: KubeObject): void {
  const spec = specOf<PersistentVolumeSpec>(object);
  spec.persistentVolumeReclaimPolicy ||= 'Retain';
  setDefault(spec, 'volumeMode', 'Filesystem');
  if (spec.hostPath) setDefault(spec.hostPath, 'type', '');
}

function validate(object: KubeObject, old: KubeObject | undefined): FieldError[] {
  const { spec } = object as PersistentVolumeObject;
  return [
    ...accessModeErrors(spec.accessModes, 'spec.accessModes'),
    ...capacityErrors(spec),
    ...policyErrors(spec),
    ...affinityErrors(spec),
    ...sourceErrors(spec),
    ...(spec.storageClassName
      ? ruleErrors('spec.storageClassName', spec.storageClassName, subdomainNameErrors)
      : []),
    ...optionalOneOfErrors('spec.volumeMode', spec.volumeMode, VOLUME_MODES),
    ...(old ? updateErrors(spec, (old as PersistentVolumeObject).spec) : []),
  ];
}

function capacityErrors({ capacity = {} }: Spec): FieldError[] {
  const { storage } = capacity;
  if (Object.keys(capacity).length === 0) return [required('spec.capacity')];
  if (storage === undefined || Object.keys(capacity).length > 1)
    return [notSupported('spec.capacity', capacity, ['storage'])];
  return storageErrors(storage, 'spec.capacity[storage]');
}

function policyErrors({ persistentVolumeReclaimPolicy: policy, hostPath }: Spec): FieldError[] {
  const field = 'spec.persistentVolumeReclaimPolicy';
  if (policy === 'Recycle' && hostPath?.path === '/')
    return [forbiddenField(field, "may not be 'recycle' for a hostPath mount of '/'")];
  return optionalOneOfErrors(field, policy, RECLAIM_POLICIES);
}

function affinityErrors({ nodeAffinity, local }: Spec): FieldError[] {
  if (!nodeAffinity)
    return local ? [required('spec.nodeAffinity', 'Local volume requires node affinity')] : [];
  const field = 'spec.nodeAffinity.required';
  if (!nodeAffinity.required) return [required(field, 'must specify required node constraints')];
  return nodeAffinity.required.nodeSelectorTerms?.length
    ? []
    : [required(`${field}.nodeSelectorTerms`, 'must have at least one node selector term')];
}

function sourceErrors(spec: Spec): FieldError[] {
  const [first, ...others] = sourcesOf(spec);
  if (!first) return [required('spec', 'must specify a volume type')];
  const errors = others.map(([kind]) =>
    forbiddenField(`spec.${kind}`, 'may not specify more than 1 volume type'),
  );
  const { hostPath, local, nfs, csi } = spec;
  for (const [kind, source] of [
    ['hostPath', hostPath],
    ['local', local],
  ] as const) {
    if (source && !source.path) errors.push(required(`spec.${kind}.path`));
    else if (source?.path.split('/').includes('..'))
      errors.push(invalidValue(`spec.${kind}.path`, source.path, "must not contain '..'"));
  }
  if (nfs && !nfs.server) errors.push(required('spec.nfs.server'));
  if (nfs && !nfs.path) errors.push(required('spec.nfs.path'));
  else if (nfs && !nfs.path.startsWith('/'))
    errors.push(invalidValue('spec.nfs.path', nfs.path, 'must be an absolute path'));
  if (csi && !csi.driver) errors.push(required('spec.csi.driver'));
  if (csi && !csi.volumeHandle) errors.push(required('spec.csi.volumeHandle'));
  return errors;
}

function updateErrors(spec: Spec, old: Spec): FieldError[] {
  const errors: FieldError[] = [];
  if (!isDeepStrictEqual(Object.fromEntries(sourcesOf(spec)), Object.fromEntries(sourcesOf(old))))
    errors.push(
      forbiddenField(
        'spec.persistentvolumesource',
        'spec.persistentvolumesource is immutable after creation',
      ),
    );
  if (spec.volumeMode !== old.volumeMode) errors.push(immutable('spec.volumeMode', spec.volumeMode));
  if (old.nodeAffinity && !isDeepStrictEqual(spec.nodeAffinity, old.nodeAffinity))
    errors.push(immutable('spec.nodeAffinity', spec.nodeAffinity ?? null));
  return errors;
}

const volume = (object: KubeObject) => object as PersistentVolumeObject;

export const persistentVolumes = defineResource({
  version: 'v1',
  kind: 'PersistentVolume',
  plural: 'persistentvolumes',
  singular: 'persistentvolume',
  shortNames: ['pv'],
  namespaced: false,
  schema: 'io.k8s.api.core.v1.PersistentVolume',
  hasStatus: true,
  hasGeneration: false,
  setDefaults,
  prepareForCreate: (object) => {
    object.status = { phase: 'Pending' };
  },
  validate,
  indexes: {
    claim: (object) => {
      const { claimRef } = volume(object).spec;
      return claimRef ? [`${claimRef.namespace}/${claimRef.name}`] : [];
    },
    /** Whose device must know of it although no pod there uses it. */
    'local-path.node': (object) => {
      const node = nodeOfLocalPath(volume(object));
      return node === undefined ? [] : [node];
    },
  },
  columns: [
    nameColumn,
    column('Capacity', 'How large it is.', (object) => volume(object).spec.capacity?.['storage'] ?? ''),
    column('Access Modes', 'How it may be mounted.', (object) =>
      accessModesText(volume(object).spec.accessModes),
    ),
    column(
      'Reclaim Policy',
      'What becomes of it when it is released.',
      (object) => volume(object).spec.persistentVolumeReclaimPolicy ?? '',
    ),
    column('Status', 'Whether it is free, bound or released.', (object) =>
      object.metadata.deletionTimestamp ? 'Terminating' : (volume(object).status?.phase ?? ''),
    ),
    column('Claim', 'Whose it is.', (object) => {
      const { claimRef } = volume(object).spec;
      return claimRef ? `${claimRef.namespace ?? ''}/${claimRef.name ?? ''}` : '';
    }),
    column('StorageClass', 'Its class.', (object) =>
      storageClassText(object.metadata.annotations, volume(object).spec.storageClassName),
    ),
    column(
      'VolumeAttributesClass',
      'The class of its attributes.',
      (object) => volume(object).spec.volumeAttributesClassName ?? '<unset>',
    ),
    column('Reason', 'Why it is in its status.', (object) => volume(object).status?.reason ?? ''),
    ageColumn,
    wideColumn(
      'VolumeMode',
      'A file system or a block device.',
      (object) => volume(object).spec.volumeMode ?? '<unset>',
    ),
  ],
});
