import { isDeepStrictEqual } from 'node:util';
import { column, labelsText, nameColumn } from './cells.ts';
import { defineResource } from './define.ts';
import type { KubeObject } from './object.ts';
import { setPodSpecDefaults } from './pod-spec-defaults.ts';
import { podTemplateErrors } from './template-validation.ts';
import type { PodTemplateObject } from './typed.ts';

const containersText = (object: KubeObject, key: 'name' | 'image') =>
  ((object as PodTemplateObject).template?.spec?.containers ?? []).map((each) => each[key]).join(',');

export const podTemplates = defineResource({
  version: 'v1',
  kind: 'PodTemplate',
  plural: 'podtemplates',
  singular: 'podtemplate',
  namespaced: true,
  schema: 'io.k8s.api.core.v1.PodTemplate',
  setDefaults: (object) => {
    const { template } = object as PodTemplateObject;
    if (template?.spec) setPodSpecDefaults(template.spec);
  },
  validate: (object) => podTemplateErrors((object as PodTemplateObject).template, 'template'),
  hasGeneration: true,
  bumpsGeneration: (object, old) =>
    !isDeepStrictEqual((object as PodTemplateObject).template, (old as PodTemplateObject).template),
  columns: [
    nameColumn,
    column('Containers', 'Names of each container in the template.', (object) =>
      containersText(object, 'name'),
    ),
    column('Images', 'Images referenced by each container in the template.', (object) =>
      containersText(object, 'image'),
    ),
    column('Pod Labels', 'The labels of the pods.', (object) =>
      labelsText((object as PodTemplateObject).template?.metadata?.labels),
    ),
  ],
});
