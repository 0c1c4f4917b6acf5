import { isDeepStrictEqual } from 'node:util';
import type { FieldError } from './api-error.ts';
import { ageColumn, column, nameColumn } from './cells.ts';
import { byController, defineResource } from './define.ts';
import { immutable, required } from './field-errors.ts';
import { controllerOf, type KubeObject } from './object.ts';
import { countErrors } from './template-validation.ts';
import type { ControllerRevisionObject } from './typed.ts';

function controllerText(object: KubeObject): string {
  const owner = controllerOf(object);
  if (!owner) return '<none>';
  const [group = ''] = owner.apiVersion.includes('/') ? owner.apiVersion.split('/') : [];
  return `${owner.kind.toLowerCase()}${group ? `.${group}` : ''}/${owner.name}`;
}

function validate(object: KubeObject, old: KubeObject | undefined): FieldError[] {
  const { data, revision } = object as ControllerRevisionObject;
  const errors = countErrors(revision, 'revision');
  if (data === undefined || data === null) errors.push(required('data', 'data is mandatory'));
  if (old && !isDeepStrictEqual(data, (old as ControllerRevisionObject).data))
    errors.push(immutable('data', data));
  return errors;
}

export const controllerRevisions = defineResource({
  group: 'apps',
  version: 'v1',
  kind: 'ControllerRevision',
  plural: 'controllerrevisions',
  singular: 'controllerrevision',
  namespaced: true,
  schema: 'io.k8s.api.apps.v1.ControllerRevision',
  validate,
  indexes: { controller: byController },
  columns: [
    nameColumn,
    column('Controller', 'Whose revision it is.', controllerText),
    column('Revision', 'Its number.', (object) => `${(object as ControllerRevisionObject).revision ?? 0}`),
    ageColumn,
  ],
});
