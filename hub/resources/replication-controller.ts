import type { ReplicationControllerSpec } from 'kubernetes-types/core/v1.d.ts';
import type { FieldError } from './api-error.ts';
import { ageColumn, countColumn, labelsText, nameColumn, templateColumns, wideColumn } from './cells.ts';
import { byController, defineResource, setDefault, specOf } from './define.ts';
import { required } from './field-errors.ts';
import type { KubeObject } from './object.ts';
import { setPodSpecDefaults } from './pod-spec-defaults.ts';
import { labelSelectorText } from './selector.ts';
import { countErrors, foreverErrors, podTemplateErrors, templateLabelErrors } from './template-validation.ts';
import type { ReplicationControllerObject } from './typed.ts';

/** Its labels and its selector are the template's unless it says otherwise. */
function setDefaults(object: KubeObject): void {
  const spec = specOf<ReplicationControllerSpec>(object);
  const labels = spec.template?.metadata?.labels;
  if (labels && Object.keys(spec.selector ?? {}).length === 0) spec.selector = { ...labels };
  if (labels && Object.keys(object.metadata.labels ?? {}).length === 0)
    object.metadata.labels = { ...labels };
  setDefault(spec, 'replicas', 1);
  if (spec.template?.spec) setPodSpecDefaults(spec.template.spec);
}

function validate(object: KubeObject): FieldError[] {
  const { spec } = object as ReplicationControllerObject;
  const matchLabels = spec.selector ?? {};
  return [
    ...countErrors(spec.minReadySeconds, 'spec.minReadySeconds'),
    ...(Object.keys(matchLabels).length === 0 ? [required('spec.selector')] : []),
    ...countErrors(spec.replicas, 'spec.replicas'),
    ...(spec.template ? templateErrors(spec, matchLabels) : [required('spec.template')]),
  ];
}

function templateErrors(spec: ReplicationControllerSpec, matchLabels: Record<string, string>): FieldError[] {
  const { template } = spec;
  return [
    ...templateLabelErrors({ matchLabels }, template, 'spec.template'),
    ...podTemplateErrors(template, 'spec.template'),
    ...foreverErrors(
      template?.spec,
      'spec.template',
      'activeDeadlineSeconds in ReplicationController is not Supported',
    ),
  ];
}

const wanted = (object: KubeObject) => (object as ReplicationControllerObject).spec.replicas ?? 1;
const current = (object: KubeObject) => (object as ReplicationControllerObject).status?.replicas ?? 0;

export const replicationControllers = defineResource({
  version: 'v1',
  kind: 'ReplicationController',
  plural: 'replicationcontrollers',
  singular: 'replicationcontroller',
  shortNames: ['rc'],
  categories: ['all'],
  namespaced: true,
  schema: 'io.k8s.api.core.v1.ReplicationController',
  notYet: 'no pods are made of it: use a Deployment',
  hasStatus: true,
  scale: {
    replicas: wanted,
    statusReplicas: current,
    selector: (object) =>
      labelSelectorText({ matchLabels: (object as ReplicationControllerObject).spec.selector ?? {} }),
    withReplicas: (object, replicas) => ({
      ...object,
      spec: { ...(object as ReplicationControllerObject).spec, replicas },
    }),
  },
  setDefaults,
  prepareForCreate: (object) => {
    object.status = { replicas: 0 };
  },
  validate,
  fieldSelectors: { 'status.replicas': (object) => `${current(object)}` },
  indexes: { controller: byController },
  columns: [
    nameColumn,
    countColumn('Desired', 'Number of wanted pods.', wanted),
    countColumn('Current', 'Number of existing pods.', current),
    countColumn(
      'Ready',
      'Number of ready pods.',
      (object) => (object as ReplicationControllerObject).status?.readyReplicas ?? 0,
    ),
    ageColumn,
    ...templateColumns((object) => {
      const { template } = (object as ReplicationControllerObject).spec;
      return template ? { template } : {};
    }).slice(0, 2),
    wideColumn('Selector', 'Label selector for pods.', (object) =>
      labelsText((object as ReplicationControllerObject).spec.selector),
    ),
  ],
});
