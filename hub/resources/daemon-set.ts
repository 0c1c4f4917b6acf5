import type { DaemonSetSpec } from 'kubernetes-types/apps/v1.d.ts';
import type { FieldError } from './api-error.ts';
import { ageColumn, column, countColumn, labelsText, nameColumn, templateColumns } from './cells.ts';
import { defineResource, setDefault, specOf } from './define.ts';
import { invalidValue, notSupported } from './field-errors.ts';
import type { KubeObject } from './object.ts';
import { setPodSpecDefaults } from './pod-spec-defaults.ts';
import { templateConfiguration } from './pod-spec-references.ts';
import { countErrors, intOrPercentErrors, isZeroAmount, validateWorkload } from './template-validation.ts';
import type { DaemonSetObject } from './typed.ts';

function setDefaults(object: KubeObject): void {
  const spec = specOf<DaemonSetSpec>(object);
  setDefault(spec, 'revisionHistoryLimit', 10);
  spec.updateStrategy ??= {};
  spec.updateStrategy.type ||= 'RollingUpdate';
  if (spec.updateStrategy.type === 'RollingUpdate') {
    spec.updateStrategy.rollingUpdate ??= {};
    setDefault(spec.updateStrategy.rollingUpdate, 'maxUnavailable', 1);
    setDefault(spec.updateStrategy.rollingUpdate, 'maxSurge', 0);
  }
  if (spec.template?.spec) setPodSpecDefaults(spec.template.spec);
}

function strategyErrors({ updateStrategy }: DaemonSetSpec): FieldError[] {
  if (updateStrategy?.type === 'OnDelete') return [];
  if (updateStrategy?.type !== 'RollingUpdate')
    return [notSupported('spec.updateStrategy.type', updateStrategy?.type, ['RollingUpdate', 'OnDelete'])];
  const field = 'spec.updateStrategy.rollingUpdate';
  const { maxUnavailable, maxSurge } = updateStrategy.rollingUpdate ?? {};
  const errors = [
    ...intOrPercentErrors(maxUnavailable, `${field}.maxUnavailable`),
    ...intOrPercentErrors(maxSurge, `${field}.maxSurge`),
  ];
  if (isZeroAmount(maxUnavailable) && isZeroAmount(maxSurge))
    errors.push(invalidValue(`${field}.maxUnavailable`, maxUnavailable, 'cannot be 0 when maxSurge is 0'));
  if (!isZeroAmount(maxUnavailable) && !isZeroAmount(maxSurge))
    errors.push(
      invalidValue(`${field}.maxSurge`, maxSurge, 'may not be set when maxUnavailable is non-zero'),
    );
  return errors;
}

const count = (
  name: string,
  description: string,
  read: (status: Partial<NonNullable<DaemonSetObject['status']>>) => number | undefined,
) => countColumn(name, description, (object) => read((object as DaemonSetObject).status ?? {}) ?? 0);

export const daemonSets = defineResource({
  group: 'apps',
  version: 'v1',
  kind: 'DaemonSet',
  plural: 'daemonsets',
  singular: 'daemonset',
  shortNames: ['ds'],
  categories: ['all'],
  namespaced: true,
  schema: 'io.k8s.api.apps.v1.DaemonSet',
  hasStatus: true,
  setDefaults,
  prepareForCreate: (object) => {
    object.status = {
      currentNumberScheduled: 0,
      desiredNumberScheduled: 0,
      numberMisscheduled: 0,
      numberReady: 0,
    };
  },
  validate: (object, old) => {
    const { spec } = object as DaemonSetObject;
    return [
      ...validateWorkload(spec, old && (old as DaemonSetObject).spec),
      ...countErrors(spec.minReadySeconds, 'spec.minReadySeconds'),
      ...countErrors(spec.revisionHistoryLimit, 'spec.revisionHistoryLimit'),
      ...strategyErrors(spec),
    ];
  },
  indexes: { configuration: templateConfiguration },
  columns: [
    nameColumn,
    count('Desired', 'Number of nodes that should run the pod.', (status) => status.desiredNumberScheduled),
    count(
      'Current',
      'Number of nodes that run the pod and should.',
      (status) => status.currentNumberScheduled,
    ),
    count('Ready', 'Number of nodes whose pod is ready.', (status) => status.numberReady),
    count('Up-to-date', 'Number of nodes with the newest pod.', (status) => status.updatedNumberScheduled),
    count('Available', 'Number of nodes whose pod is available.', (status) => status.numberAvailable),
    column('Node Selector', 'Which nodes should run the pod.', (object) =>
      labelsText((object as DaemonSetObject).spec.template?.spec?.nodeSelector),
    ),
    ageColumn,
    ...templateColumns((object) => (object as DaemonSetObject).spec),
  ],
});
