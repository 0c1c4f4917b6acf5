import { isDeepStrictEqual } from 'node:util';
import type { StatefulSetSpec, StatefulSetUpdateStrategy } from 'kubernetes-types/apps/v1.d.ts';
import type { FieldError } from './api-error.ts';
import { ageColumn, column, nameColumn, templateColumns } from './cells.ts';
import { byController, defineResource, setDefault, specOf } from './define.ts';
import { forbiddenField, invalidValue, notSupported, required } from './field-errors.ts';
import type { KubeObject } from './object.ts';
import { setPodSpecDefaults } from './pod-spec-defaults.ts';
import { labelSelectorText } from './selector.ts';
import {
  countErrors,
  foreverErrors,
  intOrPercentErrors,
  isZeroAmount,
  requiredSelectorErrors,
  templateLabelErrors,
  templateMetadataErrors,
} from './template-validation.ts';
import type { StatefulSetObject } from './typed.ts';

/** What may change after creation; the rest names things that exist already. */
const CHANGEABLE = [
  'replicas',
  'ordinals',
  'template',
  'updateStrategy',
  'revisionHistoryLimit',
  'persistentVolumeClaimRetentionPolicy',
  'minReadySeconds',
] as const;
const FIXED_SPEC =
  "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', " +
  "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";
const RETENTION_POLICIES = ['Retain', 'Delete'];

function setDefaults(object: KubeObject): void {
  const spec = specOf<StatefulSetSpec>(object);
  spec.podManagementPolicy ||= 'OrderedReady';
  spec.updateStrategy ??= {};
  spec.updateStrategy.type ||= 'RollingUpdate';
  if (spec.updateStrategy.type === 'RollingUpdate') {
    spec.updateStrategy.rollingUpdate ??= {};
    setDefault(spec.updateStrategy.rollingUpdate, 'partition', 0);
  }
  spec.persistentVolumeClaimRetentionPolicy ??= {};
  spec.persistentVolumeClaimRetentionPolicy.whenDeleted ||= 'Retain';
  spec.persistentVolumeClaimRetentionPolicy.whenScaled ||= 'Retain';
  setDefault(spec, 'replicas', 1);
  setDefault(spec, 'revisionHistoryLimit', 10);
  if (spec.template?.spec) setPodSpecDefaults(spec.template.spec);
  for (const claim of spec.volumeClaimTemplates ?? []) {
    const { spec: claimed, status } = claim;
    Object.assign(claim, {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      spec: { ...claimed, volumeMode: claimed?.volumeMode || 'Filesystem' },
      status: { ...status, phase: status?.phase || 'Pending' },
    });
  }
}

/** The template's volumes may be those that the claim templates make, so its pod spec is not looked at here. */
function validate(object: KubeObject, old: KubeObject | undefined): FieldError[] {
  const { spec } = object as StatefulSetObject;
  return [
    ...managementErrors(spec),
    ...strategyErrors(spec.updateStrategy),
    ...retentionErrors(spec),
    ...countErrors(spec.replicas, 'spec.replicas'),
    ...countErrors(spec.minReadySeconds, 'spec.minReadySeconds'),
    ...countErrors(spec.ordinals?.start, 'spec.ordinals.start'),
    ...countErrors(spec.revisionHistoryLimit, 'spec.revisionHistoryLimit'),
    ...requiredSelectorErrors(spec.selector, 'spec.selector', 'statefulset'),
    ...(spec.selector ? templateLabelErrors(spec.selector, spec.template, 'spec.template') : []),
    ...templateMetadataErrors(spec.template, 'spec.template'),
    ...foreverErrors(
      spec.template?.spec,
      'spec.template',
      'activeDeadlineSeconds in StatefulSet is not Supported',
    ),
    ...(old && !isDeepStrictEqual(fixedPart(spec), fixedPart((old as StatefulSetObject).spec))
      ? [forbiddenField('spec', FIXED_SPEC)]
      : []),
  ];
}

function fixedPart(spec: StatefulSetSpec): object {
  const fixed: Partial<StatefulSetSpec> = { ...spec };
  for (const field of CHANGEABLE) delete fixed[field];
  return fixed;
}

function managementErrors({ podManagementPolicy: policy }: StatefulSetSpec): FieldError[] {
  return policy === 'OrderedReady' || policy === 'Parallel'
    ? []
    : [invalidValue('spec.podManagementPolicy', policy, "must be 'OrderedReady' or 'Parallel'")];
}

function strategyErrors(strategy: StatefulSetUpdateStrategy = {}): FieldError[] {
  const { type, rollingUpdate } = strategy;
  const field = 'spec.updateStrategy';
  if (type === 'OnDelete')
    return rollingUpdate
      ? [
          invalidValue(
            `${field}.rollingUpdate`,
            rollingUpdate,
            "only allowed for updateStrategy 'RollingUpdate'",
          ),
        ]
      : [];
  if (type !== 'RollingUpdate')
    return type
      ? [invalidValue(field, strategy, "must be 'RollingUpdate' or 'OnDelete'")]
      : [required(field)];
  const { partition, maxUnavailable } = rollingUpdate ?? {};
  const errors = [
    ...countErrors(partition, `${field}.rollingUpdate.partition`),
    ...intOrPercentErrors(maxUnavailable, `${field}.rollingUpdate.maxUnavailable`),
  ];
  if (isZeroAmount(maxUnavailable))
    errors.push(invalidValue(`${field}.rollingUpdate.maxUnavailable`, maxUnavailable, 'cannot be 0'));
  return errors;
}

function retentionErrors({ persistentVolumeClaimRetentionPolicy: policy }: StatefulSetSpec): FieldError[] {
  return (['whenDeleted', 'whenScaled'] as const).flatMap((key) => {
    const value = policy?.[key] ?? '';
    return RETENTION_POLICIES.includes(value)
      ? []
      : [notSupported(`spec.persistentVolumeClaimRetentionPolicy.${key}`, value, RETENTION_POLICIES)];
  });
}

const wanted = (object: KubeObject) => (object as StatefulSetObject).spec.replicas ?? 1;

export const statefulSets = defineResource({
  group: 'apps',
  version: 'v1',
  kind: 'StatefulSet',
  plural: 'statefulsets',
  singular: 'statefulset',
  shortNames: ['sts'],
  categories: ['all'],
  namespaced: true,
  schema: 'io.k8s.api.apps.v1.StatefulSet',
  notYet: 'no pods are made of it: this hub has no controller for StatefulSets yet',
  hasStatus: true,
  nameRule: 'label',
  scale: {
    replicas: wanted,
    statusReplicas: (object) => (object as StatefulSetObject).status?.replicas ?? 0,
    selector: (object) => labelSelectorText((object as StatefulSetObject).spec.selector),
    withReplicas: (object, replicas) => ({
      ...object,
      spec: { ...(object as StatefulSetObject).spec, replicas },
    }),
  },
  setDefaults,
  prepareForCreate: (object) => {
    object.status = { replicas: 0, availableReplicas: 0 };
  },
  validate,
  indexes: { controller: byController },
  columns: [
    nameColumn,
    column(
      'Ready',
      'Number of the pods that are ready, of those that are wanted.',
      (object) => `${(object as StatefulSetObject).status?.readyReplicas ?? 0}/${wanted(object)}`,
    ),
    ageColumn,
    ...templateColumns((object) => (object as StatefulSetObject).spec).slice(0, 2),
  ],
});
