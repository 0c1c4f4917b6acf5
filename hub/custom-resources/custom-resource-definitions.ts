import { withinTime } from '../cel/time-limit.ts';
import { createdAtColumn, nameColumn } from '../resources/cells.ts';
import { defineResource, setDefault, specOf } from '../resources/define.ts';
import type { KubeObject } from '../resources/object.ts';
import {
  CLEANUP_FINALIZER,
  type DefinedVersion,
  type DefinitionObject,
} from './custom-resource-definition.ts';
import { decodeDefinition } from './decode-definition.ts';
import { definitionErrors } from './definition-errors.ts';

function setDefaults(object: KubeObject): void {
  const spec = specOf<DefinitionObject['spec']>(object);
  setDefault(spec, 'conversion', { strategy: 'None' });
  setDefault(spec, 'versions', []);
  setDefault(spec, 'names', { plural: '', kind: '' });
  const { names } = spec;
  if (!names.singular && names.kind) names.singular = names.kind.toLowerCase();
  if (!names.listKind && names.kind) names.listKind = `${names.kind}List`;
}

function storageOf({ spec }: DefinitionObject): DefinedVersion | undefined {
  return spec.versions.find(({ storage }) => storage);
}

/** Its versions that were ever stored: what is in the store may be of any of them. */
function rememberStored(definition: DefinitionObject, before: readonly string[]): void {
  const name = storageOf(definition)?.name;
  if (name === undefined || before.includes(name)) return;
  definition.status = { ...definition.status, storedVersions: [...before, name] };
}

/** The kind whose objects define kinds. */
export const customResourceDefinitions = defineResource({
  group: 'apiextensions.k8s.io',
  version: 'v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  singular: 'customresourcedefinition',
  shortNames: ['crd', 'crds'],
  categories: ['api-extensions'],
  namespaced: false,
  schema: 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition',
  decode: decodeDefinition,
  hasStatus: true,
  updateNeedsVersion: true,
  hasPlainFinalizers: true,
  setDefaults,
  prepareForCreate: (object) => {
    const { metadata } = object;
    const finalizers = metadata.finalizers ?? [];
    if (!finalizers.includes(CLEANUP_FINALIZER)) metadata.finalizers = [...finalizers, CLEANUP_FINALIZER];
    rememberStored(object as DefinitionObject, []);
  },
  prepareForUpdate: (object, old) =>
    rememberStored(object as DefinitionObject, (old as DefinitionObject).status?.storedVersions ?? []),
  validate: (object, old) =>
    withinTime(
      () => definitionErrors(object as DefinitionObject, old as DefinitionObject | undefined),
      5_000,
    ),
  columns: [nameColumn, createdAtColumn],
});
