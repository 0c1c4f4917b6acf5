import { isDeepStrictEqual } from 'node:util';
import { withinTime } from '../cel/time-limit.ts';
import { ApiError, type FieldError } from '../resources/api-error.ts';
import { defineResource } from '../resources/define.ts';
import { apiVersionOf, type ResourceDefinition, type ResourceView } from '../resources/definition.ts';
import type { KubeObject } from '../resources/object.ts';
import { type Decoded, decode } from '../schema/decode.ts';
import { isJsonObject, type JsonObject } from '../schema/json-type.ts';
import { type ObjectSchema, schemaOf } from '../schema/schema.ts';
import { columnsOf } from './columns.ts';
import type { DefinedVersion, DefinitionObject } from './custom-resource-definition.ts';
import { setSchemaDefaults } from './default-values.ts';
import { embeddedErrors } from './embedded-errors.ts';
import { fieldsOfPath, findAll } from './json-path.ts';
import type { JsonSchema } from './json-schema.ts';
import { listKeyErrors } from './list-keys.ts';
import { objectSchema } from './merge-schema.ts';
import { prune } from './prune.ts';
import { ruleErrors } from './rules.ts';
import { scaleMapping } from './scale-mapping.ts';
import { valueErrors } from './validate-value.ts';

const METADATA: ObjectSchema = {
  type: 'object',
  fields: new Map([['metadata', { schema: schemaOf('io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta') }]]),
};

/**
 * The resource that a definition defines: the version that is stored, with the others as views of it. Throws when there
 * is no version to store, which validation makes sure of.
 */
export function compileDefinition(definition: DefinitionObject): ResourceDefinition {
  const { versions } = definition.spec;
  const storage = versions.find((version) => version.storage);
  if (!storage) throw new Error(`${definition.metadata.name} stores no version`);
  const views = versions
    .filter((version) => version !== storage && version.served)
    .map((version) => viewOf(versionOf(definition, version)));
  return { ...versionOf(definition, storage), views };
}

/** Conversion changes nothing but the name of the version: that is the strategy None. */
function viewOf(definition: ResourceDefinition): ResourceView {
  const { group, version, schema, readStored } = definition;
  return {
    group,
    version,
    schema: typeof schema === 'string' ? schema : (schema.name ?? ''),
    fromStored: (stored) => {
      const seen = structuredClone(stored);
      seen.apiVersion = apiVersionOf(definition);
      readStored?.(seen);
      return seen;
    },
    toStored: (seen) => ({ ...seen }),
    definition,
  };
}

function versionOf(definition: DefinitionObject, version: DefinedVersion): ResourceDefinition {
  const { group, names, scope } = definition.spec;
  const { scale, status } = version.subresources ?? {};
  const schema = version.schema?.openAPIV3Schema ?? {};
  const type = { group, version: version.name, kind: names.kind };
  const warning = warningOf(definition, version);
  return defineResource({
    ...type,
    plural: names.plural,
    singular: names.singular || names.kind.toLowerCase(),
    listKind: names.listKind || `${names.kind}List`,
    shortNames: names.shortNames ?? [],
    categories: names.categories ?? [],
    namespaced: scope === 'Namespaced',
    schema: objectSchema(schema, type),
    decode: (value) => decodeCustom(schema, value),
    readStored: (object) => readStored(schema, object, apiVersionOf(type)),
    isServed: version.served,
    ...(warning && { deprecationWarning: warning }),
    hasStatus: status !== undefined,
    ...(scale && { scale: scaleMapping(scale) }),
    updateNeedsVersion: true,
    hasPlainFinalizers: true,
    setDefaults: (object) => setSchemaDefaults(schema, object),
    ...(definition.metadata.deletionTimestamp && { prepareForCreate: refuseCreate }),
    validate: (object, old) => instanceErrors(schema, object, old),
    hasGeneration: true,
    bumpsGeneration: (object, old) => !isDeepStrictEqual(counted(object, status), counted(old, status)),
    fieldSelectors: selectorsOf(version),
    columns: columnsOf(version.additionalPrinterColumns),
  });
}

function refuseCreate(): never {
  throw new ApiError(
    405,
    'MethodNotAllowed',
    'create not allowed while custom resource definition is terminating',
  );
}

function decodeCustom(schema: JsonSchema, value: JsonObject): Decoded {
  const { metadata, ...rest } = value;
  const meta = decode(METADATA, metadata === undefined ? {} : { metadata });
  const pruned = prune(schema, rest, true);
  return {
    object: { ...(isJsonObject(pruned.value) ? pruned.value : {}), ...meta.object },
    unknown: [...meta.unknown, ...pruned.unknown.map((path) => `unknown field "${path}"`)],
    errors: meta.errors,
  };
}

/** What was stored by a schema of before is read by that of today. */
function readStored(schema: JsonSchema, object: KubeObject, apiVersion: string): void {
  const { value } = prune(schema, object, true);
  for (const key of Object.keys(object)) delete object[key];
  Object.assign(object, value, { apiVersion });
  setSchemaDefaults(schema, object);
}

/** What is wrong with an instance, besides its metadata. Nothing that is as it was before. */
function instanceErrors(schema: JsonSchema, object: KubeObject, old: KubeObject | undefined): FieldError[] {
  return withinTime(() => {
    const errors = [
      ...valueErrors(schema, object, old),
      ...embeddedErrors(schema, object, old),
      ...listKeyErrors(schema, object, old),
    ];
    return [...errors, ...ruleErrors(schema, object, old, errors)];
  });
}

/** What a generation counts: all but metadata, and the status where that is a subresource. */
function counted(object: KubeObject, status: object | undefined): object {
  const { apiVersion: _, kind: _kind, metadata: _metadata, ...rest } = object;
  return status ? { ...rest, status: undefined } : rest;
}

function selectorsOf({
  selectableFields = [],
}: DefinedVersion): NonNullable<ResourceDefinition['fieldSelectors']> {
  return Object.fromEntries(
    selectableFields.map(({ jsonPath }) => {
      const path = (fieldsOfPath(jsonPath) ?? []).map((name) => ({ type: 'field', name }) as const);
      return [jsonPath.slice(1), (object: KubeObject) => String(findAll(path, object)[0] ?? '')];
    }),
  );
}

function warningOf({ spec }: DefinitionObject, version: DefinedVersion): string | undefined {
  if (!version.deprecated) return undefined;
  if (version.deprecationWarning) return version.deprecationWarning;
  const { group, names, versions } = spec;
  const better = versions.find(
    ({ served, deprecated, name }) => served && !deprecated && /^v\d+$/.test(name),
  );
  const instead = better ? `; use ${group}/${better.name} ${names.kind}` : '';
  return `${group}/${version.name} ${names.kind} is deprecated${instead}`;
}
