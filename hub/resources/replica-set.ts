import type { ReplicaSetSpec } from 'kubernetes-types/apps/v1.d.ts';
import { ageColumn, countColumn, nameColumn, templateColumns } from './cells.ts';
import { byController, defineResource, setDefault, specOf } from './define.ts';
import { setPodSpecDefaults } from './pod-spec-defaults.ts';
import { labelSelectorText } from './selector.ts';
import { countErrors, validateWorkload } from './template-validation.ts';
import type { ReplicaSetObject } from './typed.ts';

export const replicaSets = defineResource({
  group: 'apps',
  version: 'v1',
  kind: 'ReplicaSet',
  plural: 'replicasets',
  singular: 'replicaset',
  shortNames: ['rs'],
  categories: ['all'],
  namespaced: true,
  schema: 'io.k8s.api.apps.v1.ReplicaSet',
  hasStatus: true,
  scale: {
    replicas: (object) => (object as ReplicaSetObject).spec.replicas ?? 1,
    statusReplicas: (object) => (object as ReplicaSetObject).status?.replicas ?? 0,
    selector: (object) => labelSelectorText((object as ReplicaSetObject).spec.selector),
    withReplicas: (object, replicas) => ({
      ...object,
      spec: { ...(object as ReplicaSetObject).spec, replicas },
    }),
  },
  setDefaults: (object) => {
    const spec = specOf<ReplicaSetSpec>(object);
    setDefault(spec, 'replicas', 1);
    if (spec.template?.spec) setPodSpecDefaults(spec.template.spec);
  },
  prepareForCreate: (object) => {
    object.status = { replicas: 0 };
  },
  validate: (object, old) => {
    const { spec } = object as ReplicaSetObject;
    return [
      ...validateWorkload(spec, old && (old as ReplicaSetObject).spec),
      ...countErrors(spec.replicas, 'spec.replicas'),
      ...countErrors(spec.minReadySeconds, 'spec.minReadySeconds'),
    ];
  },
  fieldSelectors: { 'status.replicas': (object) => `${(object as ReplicaSetObject).status?.replicas ?? 0}` },
  indexes: { controller: byController },
  columns: [
    nameColumn,
    countColumn(
      'Desired',
      'Number of wanted pods.',
      (object) => (object as ReplicaSetObject).spec.replicas ?? 1,
    ),
    countColumn(
      'Current',
      'Number of existing pods.',
      (object) => (object as ReplicaSetObject).status?.replicas ?? 0,
    ),
    countColumn(
      'Ready',
      'Number of ready pods.',
      (object) => (object as ReplicaSetObject).status?.readyReplicas ?? 0,
    ),
    ageColumn,
    ...templateColumns((object) => (object as ReplicaSetObject).spec),
  ],
});
