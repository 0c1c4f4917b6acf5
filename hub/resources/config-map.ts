import { ageColumn, column, nameColumn } from './cells.ts';
import { byController, defineResource } from './define.ts';
import { storedDataErrors } from './stored-data.ts';
import type { ConfigMapObject } from './typed.ts';

export const configMaps = defineResource({
  version: 'v1',
  kind: 'ConfigMap',
  plural: 'configmaps',
  singular: 'configmap',
  shortNames: ['cm'],
  namespaced: true,
  schema: 'io.k8s.api.core.v1.ConfigMap',
  validate: (object, old) =>
    storedDataErrors(object as ConfigMapObject, old as ConfigMapObject | undefined, ['binaryData']),
  indexes: { controller: byController },
  columns: [
    nameColumn,
    column('Data', 'The number of values.', (object) => {
      const { data = {}, binaryData = {} } = object as ConfigMapObject;
      return `${Object.keys(data).length + Object.keys(binaryData).length}`;
    }),
    ageColumn,
  ],
});
