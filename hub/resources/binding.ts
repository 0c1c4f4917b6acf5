import { nameColumn } from './cells.ts';
import { defineResource } from './define.ts';

/** A scheduler's decision, as an object of its own: what `pods/x/binding` takes too. Nothing is stored of it. */
export const bindings = defineResource({
  version: 'v1',
  kind: 'Binding',
  plural: 'bindings',
  singular: 'binding',
  namespaced: true,
  schema: 'io.k8s.api.core.v1.Binding',
  verbs: ['create'],
  columns: [nameColumn],
});
