import type { NamespaceSpec } from 'kubernetes-types/core/v1.d.ts';
import { ageColumn, column, nameColumn } from './cells.ts';
import { defineResource, specOf } from './define.ts';
import type { NamespaceObject } from './typed.ts';

/** By this label selectors find a namespace by its name. */
const NAME_LABEL = 'kubernetes.io/metadata.name';

export const namespaces = defineResource({
  version: 'v1',
  kind: 'Namespace',
  plural: 'namespaces',
  singular: 'namespace',
  shortNames: ['ns'],
  namespaced: false,
  schema: 'io.k8s.api.core.v1.Namespace',
  hasStatus: true,
  subresources: [{ name: 'finalize', verbs: ['update'] }],
  nameRule: 'label',
  protectedNames: ['default', 'kube-system', 'kube-public'],
  setDefaults: (object) => {
    const { name } = object.metadata;
    if (name) object.metadata.labels = { ...object.metadata.labels, [NAME_LABEL]: name };
    specOf(object);
  },
  prepareForCreate: (object) => {
    specOf<NamespaceSpec>(object).finalizers = ['kubernetes'];
    object.status = { phase: 'Active' };
  },
  /** Only an ending namespace can lose the finalizer that keeps it until its contents are gone. */
  prepareForUpdate: (object, old) => {
    const { finalizers } = (old as NamespaceObject).spec;
    if (!old.metadata.deletionTimestamp && finalizers)
      specOf<NamespaceSpec>(object).finalizers = [...finalizers];
  },
  prepareForDeletion: (object) => {
    object.status = { ...(object as NamespaceObject).status, phase: 'Terminating' };
  },
  holdsRemoval: (object) => ((object as NamespaceObject).spec.finalizers ?? []).length > 0,
  fieldSelectors: { 'status.phase': (object) => (object as NamespaceObject).status?.phase ?? '' },
  columns: [
    nameColumn,
    column('Status', 'The status of the namespace.', (object) =>
      object.metadata.deletionTimestamp ? 'Terminating' : ((object as NamespaceObject).status?.phase ?? ''),
    ),
    ageColumn,
  ],
});
