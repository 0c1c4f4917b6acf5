import type { FieldError } from '../resources/api-error.ts';
import {
  forbiddenField,
  immutable,
  invalidValue,
  notSupported,
  oneOfErrors,
  required,
  ruleErrors,
} from '../resources/field-errors.ts';
import { serviceNameErrors, subdomainNameErrors } from '../resources/names.ts';
import { ownValue } from '../resources/object.ts';
import { sameJson } from '../schema/json-type.ts';
import { COLUMN_TYPES } from './columns.ts';
import type { DefinedVersion, DefinitionObject } from './custom-resource-definition.ts';
import { isEstablished } from './custom-resource-definition.ts';
import { fieldsOfPath, parseJsonPath } from './json-path.ts';
import type { JsonSchema } from './json-schema.ts';
import { ruleCompileErrors } from './rule-compile-errors.ts';
import { structuralErrors } from './structural-errors.ts';

const SCOPES = ['Cluster', 'Namespaced'];
const APPROVED = 'api-approved.kubernetes.io';
const COLUMN_FORMATS = ['byte', 'date', 'date-time', 'double', 'float', 'int32', 'int64', 'password'];
const SELECTABLE_TYPES = ['boolean', 'integer', 'string'];
const MOST_SELECTABLE = 8;

/** What is wrong with a CustomResourceDefinition. */
export function definitionErrors(
  definition: DefinitionObject,
  old: DefinitionObject | undefined,
): FieldError[] {
  const { spec, metadata } = definition;
  const errors: FieldError[] = [];
  const wanted = `${spec.names.plural}.${spec.group}`;
  if (metadata.name !== wanted)
    errors.push(invalidValue('metadata.name', metadata.name, 'must be spec.names.plural+"."+spec.group'));
  errors.push(...groupErrors(definition), ...oneOfErrors('spec.scope', spec.scope, SCOPES));
  errors.push(...nameErrors(definition), ...versionsErrors(definition, old), ...conversionErrors(definition));
  if (spec.preserveUnknownFields)
    errors.push(
      invalidValue(
        'spec.preserveUnknownFields',
        true,
        'must be false in order to use defaults in the schema',
      ),
    );
  if (old) errors.push(...changeErrors(definition, old));
  return [...errors, ...storedErrors(definition)];
}

function groupErrors({ spec: { group }, metadata }: DefinitionObject): FieldError[] {
  if (!group) return [required('spec.group')];
  const errors = ruleErrors('spec.group', group, subdomainNameErrors);
  if (!group.includes('.'))
    errors.push(invalidValue('spec.group', group, 'should be a domain with at least one dot'));
  const isProtected = /(^|\.)(k8s\.io|kubernetes\.io)$/.test(group);
  const approval = ownValue(metadata.annotations, APPROVED) ?? '';
  if (isProtected && !approval.startsWith('unapproved') && !URL.canParse(approval))
    errors.push(
      required(
        `metadata.annotations[${APPROVED}]`,
        `protected groups must have approval annotation "${APPROVED}", see https://github.com/kubernetes/enhancements/pull/1111`,
      ),
    );
  return errors;
}

function nameErrors({ spec: { names } }: DefinitionObject): FieldError[] {
  const { plural, singular, kind, listKind, shortNames = [], categories = [] } = names;
  const errors: FieldError[] = [];
  if (!plural) errors.push(required('spec.names.plural'));
  else errors.push(...ruleErrors('spec.names.plural', plural, serviceNameErrors));
  if (singular) errors.push(...ruleErrors('spec.names.singular', singular, serviceNameErrors));
  for (const [field, name] of Object.entries({ kind, listKind }))
    if (!name) errors.push(required(`spec.names.${field}`));
    else
      errors.push(
        ...ruleErrors(`spec.names.${field}`, name, (text) =>
          serviceNameErrors(text.toLowerCase()).map(
            (why) => `may have mixed case, but should otherwise match: ${why}`,
          ),
        ),
      );
  if (kind && kind === listKind)
    errors.push(invalidValue('spec.names.listKind', listKind, 'kind and listKind may not be the same'));
  for (const [index, name] of shortNames.entries())
    errors.push(...ruleErrors(`spec.names.shortNames[${index}]`, name, serviceNameErrors));
  for (const [index, name] of categories.entries())
    errors.push(...ruleErrors(`spec.names.categories[${index}]`, name, serviceNameErrors));
  return errors;
}

function versionsErrors({ spec }: DefinitionObject, old: DefinitionObject | undefined): FieldError[] {
  const { versions } = spec;
  if (versions.length === 0) return [required('spec.versions', 'must have at least one version')];
  const errors: FieldError[] = [];
  const names = versions.map(({ name }) => name);
  if (versions.filter(({ storage }) => storage).length !== 1)
    errors.push(
      invalidValue('spec.versions', names, 'must have exactly one version marked as storage version'),
    );
  if (new Set(names).size !== names.length)
    errors.push(invalidValue('spec.versions', names, 'must contain unique version names'));
  const [first] = versions;
  for (const [index, version] of versions.entries()) {
    const at = `spec.versions[${index}]`;
    errors.push(...ruleErrors(`${at}.name`, version.name ?? '', serviceNameErrors));
    const before = old?.spec.versions.find(({ name }) => name === version.name);
    const isShared = versions.every((each) => sameJson(each.schema, first?.schema));
    if (isShared && index > 0) errors.push(...restErrors(version, at));
    else
      errors.push(
        ...schemaErrors(version, before, isShared ? 'spec.validation' : `${at}.schema`),
        ...restErrors(version, at),
      );
  }
  return errors;
}

/** Schemas that all versions share are told once, in Kubernetes' name for that. */
function schemaErrors(version: DefinedVersion, before: DefinedVersion | undefined, at: string): FieldError[] {
  const schema = version.schema?.openAPIV3Schema;
  const field = `${at}.openAPIV3Schema`;
  if (!schema) return [required(field, 'schemas are required')];
  if (before && sameJson(before.schema, version.schema)) return [];
  const errors = structuralErrors(schema, field);
  return errors.length > 0 ? errors : ruleCompileErrors(schema, field);
}

function restErrors(version: DefinedVersion, at: string): FieldError[] {
  const { deprecated, deprecationWarning, subresources, additionalPrinterColumns = [] } = version;
  const errors: FieldError[] = [];
  if (deprecationWarning !== undefined && !deprecated)
    errors.push(
      invalidValue(`${at}.deprecationWarning`, deprecationWarning, 'can only be set for deprecated versions'),
    );
  if (subresources?.scale) errors.push(...scaleErrors(subresources.scale, `${at}.subresources.scale`));
  for (const [index, column] of additionalPrinterColumns.entries())
    errors.push(...columnErrors(column, `${at}.additionalPrinterColumns[${index}]`));
  return [...errors, ...selectableErrors(version, `${at}.selectableFields`)];
}

function scaleErrors(
  scale: NonNullable<NonNullable<DefinedVersion['subresources']>['scale']>,
  at: string,
): FieldError[] {
  const pathErrors = (
    name: keyof typeof scale,
    prefixes: readonly string[],
    isNeeded: boolean,
  ): FieldError[] => {
    const path = scale[name];
    const field = `${at}.${name}`;
    if (!path) return isNeeded ? [required(field)] : [];
    const names = fieldsOfPath(path);
    if (!names) return [invalidValue(field, path, 'should be a simple json path of the form .foo.bar')];
    if (prefixes.some((prefix) => names[0] === prefix && names.length > 1)) return [];
    return [
      invalidValue(
        field,
        path,
        `should be a json path under ${prefixes.map((each) => `.${each}`).join(' or ')}`,
      ),
    ];
  };
  return [
    ...pathErrors('specReplicasPath', ['spec'], true),
    ...pathErrors('statusReplicasPath', ['status'], true),
    ...pathErrors('labelSelectorPath', ['spec', 'status'], false),
  ];
}

function columnErrors(
  column: NonNullable<DefinedVersion['additionalPrinterColumns']>[number],
  at: string,
): FieldError[] {
  const { name, type, format, jsonPath } = column;
  const errors: FieldError[] = [];
  if (!name) errors.push(required(`${at}.name`));
  if (!type) errors.push(required(`${at}.type`, `must be one of ${[...COLUMN_TYPES].sort().join(',')}`));
  else if (!COLUMN_TYPES.includes(type))
    errors.push(invalidValue(`${at}.type`, type, `must be one of ${[...COLUMN_TYPES].sort().join(',')}`));
  if (format && !COLUMN_FORMATS.includes(format))
    errors.push(invalidValue(`${at}.format`, format, `must be one of ${COLUMN_FORMATS.join(',')}`));
  if (!jsonPath) errors.push(required(`${at}.jsonPath`));
  else if (!parseJsonPath(jsonPath))
    errors.push(invalidValue(`${at}.jsonPath`, jsonPath, 'is an invalid JSON path'));
  return errors;
}

function selectableErrors({ selectableFields = [], schema }: DefinedVersion, at: string): FieldError[] {
  const errors: FieldError[] = [];
  if (selectableFields.length > MOST_SELECTABLE)
    errors.push({
      reason: 'FieldValueTooMany',
      field: at,
      message: `Too many: ${selectableFields.length}: must have at most ${MOST_SELECTABLE} items`,
    });
  const seen = new Set<string>();
  for (const [index, { jsonPath = '' }] of selectableFields.entries()) {
    const field = `${at}[${index}].jsonPath`;
    const names = fieldsOfPath(jsonPath);
    if (!jsonPath) errors.push(required(field));
    else if (!names || names[0] === 'metadata')
      errors.push(invalidValue(field, jsonPath, 'is an invalid path: must be a simple path to a field'));
    else {
      const type = schemaAt(schema?.openAPIV3Schema, names)?.type;
      if (!type || !SELECTABLE_TYPES.includes(type))
        errors.push(
          invalidValue(
            field,
            jsonPath,
            'must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.',
          ),
        );
    }
    if (seen.has(jsonPath))
      errors.push({
        reason: 'FieldValueDuplicate',
        field,
        message: `Duplicate value: ${JSON.stringify(jsonPath)}`,
      });
    seen.add(jsonPath);
  }
  return errors;
}

function schemaAt(schema: JsonSchema | undefined, names: readonly string[]): JsonSchema | undefined {
  return names.reduce<JsonSchema | undefined>((each, name) => ownValue(each?.properties, name), schema);
}

function conversionErrors({ spec: { conversion } }: DefinitionObject): FieldError[] {
  if (!conversion) return [];
  const { strategy, webhook } = conversion;
  if (!strategy) return [required('spec.conversion.strategy')];
  if (strategy === 'Webhook')
    return [
      forbiddenField(
        'spec.conversion.strategy',
        'conversion by webhooks is not available here: use None, and versions that differ in no more than what may be left out',
      ),
    ];
  if (strategy !== 'None') return [notSupported('spec.conversion.strategy', strategy, ['None', 'Webhook'])];
  return webhook
    ? [forbiddenField('spec.conversion.webhook', 'should not be set when strategy is not set to Webhook')]
    : [];
}

function changeErrors(definition: DefinitionObject, old: DefinitionObject): FieldError[] {
  const { spec } = definition;
  const errors: FieldError[] = [];
  if (spec.group !== old.spec.group) errors.push(immutable('spec.group', spec.group));
  if (spec.names.plural !== old.spec.names.plural)
    errors.push(immutable('spec.names.plural', spec.names.plural));
  if (!isEstablished(old)) return errors;
  if (spec.scope !== old.spec.scope) errors.push(immutable('spec.scope', spec.scope));
  if (spec.names.kind !== old.spec.names.kind) errors.push(immutable('spec.names.kind', spec.names.kind));
  return errors;
}

/** Objects may still be stored in a version as long as the status names it. */
function storedErrors({ spec, status }: DefinitionObject): FieldError[] {
  const names = new Set(spec.versions.map(({ name }) => name));
  const stored = status?.storedVersions ?? [];
  const errors = stored.flatMap((name, index) =>
    names.has(name)
      ? []
      : [
          invalidValue(
            `status.storedVersions[${index}]`,
            name,
            `missing from spec.versions; ${name} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in ${name} and removes ${name} from status.storedVersions`,
          ),
        ],
  );
  return errors;
}
