import { isDeepStrictEqual } from 'node:util';
import type { DeploymentSpec } from 'kubernetes-types/apps/v1.d.ts';
import type { FieldError } from './api-error.ts';
import { ageColumn, column, nameColumn, templateColumns } from './cells.ts';
import { defineResource, setDefault, specOf } from './define.ts';
import { forbiddenField, invalidValue, notSupported } from './field-errors.ts';
import type { KubeObject } from './object.ts';
import { setPodSpecDefaults } from './pod-spec-defaults.ts';
import { templateConfiguration } from './pod-spec-references.ts';
import { labelSelectorText } from './selector.ts';
import { countErrors, intOrPercentErrors, isZeroAmount, validateWorkload } from './template-validation.ts';
import type { DeploymentObject } from './typed.ts';

function setDefaults(object: KubeObject): void {
  const spec = specOf<DeploymentSpec>(object);
  setDefault(spec, 'replicas', 1);
  setDefault(spec, 'revisionHistoryLimit', 10);
  setDefault(spec, 'progressDeadlineSeconds', 600);
  spec.strategy ??= {};
  spec.strategy.type ||= 'RollingUpdate';
  if (spec.strategy.type === 'RollingUpdate') {
    spec.strategy.rollingUpdate ??= {};
    setDefault(spec.strategy.rollingUpdate, 'maxUnavailable', '25%');
    setDefault(spec.strategy.rollingUpdate, 'maxSurge', '25%');
  }
  if (spec.template?.spec) setPodSpecDefaults(spec.template.spec);
}

function validate(object: KubeObject, old: KubeObject | undefined): FieldError[] {
  const { spec } = object as DeploymentObject;
  const { minReadySeconds = 0, progressDeadlineSeconds: deadline } = spec;
  const errors = [
    ...validateWorkload(spec, old && (old as DeploymentObject).spec),
    ...countErrors(spec.replicas, 'spec.replicas'),
    ...countErrors(minReadySeconds, 'spec.minReadySeconds'),
    ...countErrors(spec.revisionHistoryLimit, 'spec.revisionHistoryLimit'),
    ...countErrors(deadline, 'spec.progressDeadlineSeconds'),
    ...strategyErrors(spec),
  ];
  if (deadline !== undefined && deadline <= minReadySeconds)
    errors.push(
      invalidValue('spec.progressDeadlineSeconds', deadline, 'must be greater than minReadySeconds'),
    );
  return errors;
}

function strategyErrors({ strategy }: DeploymentSpec): FieldError[] {
  const field = 'spec.strategy.rollingUpdate';
  if (strategy?.type === 'Recreate')
    return strategy.rollingUpdate
      ? [forbiddenField(field, "may not be specified when strategy `type` is 'Recreate'")]
      : [];
  if (strategy?.type !== 'RollingUpdate')
    return [notSupported('spec.strategy.type', strategy?.type, ['Recreate', 'RollingUpdate'])];
  const { maxUnavailable, maxSurge } = strategy.rollingUpdate ?? {};
  const errors = [
    ...intOrPercentErrors(maxUnavailable, `${field}.maxUnavailable`),
    ...intOrPercentErrors(maxSurge, `${field}.maxSurge`),
  ];
  if (isZeroAmount(maxUnavailable) && isZeroAmount(maxSurge))
    errors.push(invalidValue(`${field}.maxUnavailable`, maxUnavailable, 'may not be 0 when `maxSurge` is 0'));
  return errors;
}

/** Annotation of a Deployment and its ReplicaSets: the number of the rollout. The controller's own. */
export const REVISION = 'deployment.kubernetes.io/revision';

const count =
  (read: (status: NonNullable<DeploymentObject['status']>) => number | undefined) => (object: KubeObject) =>
    read((object as DeploymentObject).status ?? {}) ?? 0;
const ready = count(({ readyReplicas }) => readyReplicas);

function annotationsOfOthers({ metadata: { annotations } }: KubeObject): object {
  const { [REVISION]: _, ...others } = annotations ?? {};
  return others;
}

export const deployments = defineResource({
  group: 'apps',
  version: 'v1',
  kind: 'Deployment',
  plural: 'deployments',
  singular: 'deployment',
  shortNames: ['deploy'],
  categories: ['all'],
  namespaced: true,
  schema: 'io.k8s.api.apps.v1.Deployment',
  hasStatus: true,
  scale: {
    replicas: (object) => (object as DeploymentObject).spec.replicas ?? 1,
    statusReplicas: count(({ replicas }) => replicas),
    selector: (object) => labelSelectorText((object as DeploymentObject).spec.selector),
    withReplicas: (object, replicas) => ({
      ...object,
      spec: { ...(object as DeploymentObject).spec, replicas },
    }),
  },
  setDefaults,
  validate,
  /** Also when annotations change, which the controller copies to the ReplicaSets; all but the one of its own. */
  bumpsGeneration: (object, old) =>
    !isDeepStrictEqual(object.spec, old.spec) ||
    !isDeepStrictEqual(annotationsOfOthers(object), annotationsOfOthers(old)),
  indexes: { configuration: templateConfiguration },
  columns: [
    nameColumn,
    column(
      'Ready',
      'Number of the pods that are ready, of those that are wanted.',
      (object) => `${ready(object)}/${(object as DeploymentObject).spec.replicas ?? 1}`,
    ),
    column(
      'Up-to-date',
      'Number of pods of the newest template.',
      (object) => `${count(({ updatedReplicas }) => updatedReplicas)(object)}`,
    ),
    column(
      'Available',
      'Number of pods that have been ready for minReadySeconds.',
      (object) => `${count(({ availableReplicas }) => availableReplicas)(object)}`,
    ),
    ageColumn,
    ...templateColumns((object) => (object as DeploymentObject).spec),
  ],
});
