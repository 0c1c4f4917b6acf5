import { optionalOf } from '../cel/optional.ts';
import type { CauseReason, FieldError } from '../resources/api-error.ts';
import { ownValue } from '../resources/object.ts';
import { isJsonObject, sameJson } from '../schema/json-type.ts';
import { type CompiledRule, rulesAt } from './compiled-rules.ts';
import { fieldPath, type JsonSchema, type ValidationRule, valuesOf } from './json-schema.ts';
import { oldItems } from './validate-value.ts';

/** What makes rules meaningless: they rely on types and on what is required. */
const BLOCKING: readonly CauseReason[] = [
  'FieldValueNotSupported',
  'FieldValueRequired',
  'FieldValueTooLong',
  'FieldValueTooMany',
  'FieldValueTypeInvalid',
];
const UNCHECKED: FieldError = {
  reason: 'FieldValueInvalid',
  field: '<nil>',
  message:
    'Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation',
};

const withRules = new WeakMap<JsonSchema, boolean>();

/** Whether a schema has rules, anywhere. */
function hasRules(schema: JsonSchema): boolean {
  const known = withRules.get(schema);
  if (known !== undefined) return known;
  const inner = [...Object.values(schema.properties ?? {}), valuesOf(schema), schema.items];
  const has =
    (schema['x-kubernetes-validations']?.length ?? 0) > 0 ||
    inner.some((each) => each !== undefined && hasRules(each));
  withRules.set(schema, has);
  return has;
}

/** What an object's `x-kubernetes-validations` say, once `found` is known to be wrong with it. */
export function ruleErrors(
  schema: JsonSchema,
  object: unknown,
  old: unknown,
  found: readonly FieldError[],
): FieldError[] {
  if (!hasRules(schema)) return [];
  if (found.some(({ reason }) => BLOCKING.includes(reason))) return [UNCHECKED];
  return errorsAt(schema, object, old, '', true);
}

function errorsAt(
  schema: JsonSchema,
  value: unknown,
  old: unknown,
  path: string,
  isRoot: boolean,
): FieldError[] {
  if (!hasRules(schema) || value === null || value === undefined) return [];
  const errors = schema['x-kubernetes-validations']?.length
    ? ownErrors(schema, value, old, path, isRoot)
    : [];
  if (Array.isArray(value)) {
    const { items } = schema;
    if (!items) return errors;
    const before = oldItems(schema, old);
    for (const [index, item] of value.entries())
      errors.push(...errorsAt(items, item, before(item), `${path}[${index}]`, false));
  } else if (isJsonObject(value)) {
    const before = isJsonObject(old) ? old : undefined;
    const values = valuesOf(schema);
    for (const [key, child] of Object.entries(value)) {
      const inner = ownValue(schema.properties, key);
      if (inner) errors.push(...errorsAt(inner, child, ownValue(before, key), fieldPath(path, key), false));
      else if (values)
        errors.push(...errorsAt(values, child, ownValue(before, key), `${path}[${key}]`, false));
    }
  }
  return errors;
}

/** A rule about the value alone does not fail for a value that is as it was; one about its change is asked of changes. */
function ownErrors(
  schema: JsonSchema,
  value: unknown,
  old: unknown,
  path: string,
  isRoot: boolean,
): FieldError[] {
  const set = rulesAt(schema, isRoot);
  const isSame = old !== undefined && sameJson(value, old);
  const asked = set.rules.filter(({ isTransition, rule }) =>
    isTransition ? old !== undefined || rule.optionalOldSelf : !isSame,
  );
  if (asked.length === 0) return [];
  const self = set.types.valueOf(schema, value);
  const before = old === undefined ? undefined : set.types.valueOf(schema, old);
  return asked.flatMap((rule) => ask(rule, { self, before }, schema, path));
}

interface Values {
  readonly self: unknown;
  readonly before: unknown;
}

function ask(
  { rule, expression, message, isTransition }: CompiledRule,
  values: Values,
  schema: JsonSchema,
  path: string,
): FieldError[] {
  const variables = {
    self: values.self,
    ...(isTransition && { oldSelf: rule.optionalOldSelf ? optionalOf(values.before) : values.before }),
  };
  const type = schema.type ?? 'object';
  try {
    if (expression.evaluate(variables) === true) return [];
  } catch (error) {
    const why = error instanceof Error ? error.message.split('\n')[0] : error;
    const text = `${why} evaluating rule: ${rule.message ?? ruleText(rule)}`;
    return [
      {
        reason: 'FieldValueInvalid',
        field: path || '<nil>',
        message: `Invalid value: ${JSON.stringify(type)}: ${text}`,
      },
    ];
  }
  return [
    failure(rule, told(message, variables) ?? rule.message ?? `failed rule: ${ruleText(rule)}`, type, path),
  ];
}

function ruleText({ rule }: ValidationRule): string {
  return rule.trim();
}

/** What a message expression says; undefined where it fails or says nothing. */
function told(
  message: CompiledRule['message'],
  variables: Readonly<Record<string, unknown>>,
): string | undefined {
  if (!message) return undefined;
  try {
    const text = message.evaluate(variables);
    return typeof text === 'string' && text.trim() !== '' && !text.includes('\n') ? text.trim() : undefined;
  } catch {
    return undefined;
  }
}

function failure(
  { reason, fieldPath: inner = '' }: ValidationRule,
  message: string,
  type: string,
  path: string,
): FieldError {
  const field = `${path}${inner}`.replace(/^\./, '') || '<nil>';
  const value = JSON.stringify(type);
  switch (reason) {
    case 'FieldValueForbidden':
      return { reason, field, message: `Forbidden: ${message}` };
    case 'FieldValueRequired':
      return { reason, field, message: `Required value: ${message}` };
    case 'FieldValueDuplicate':
      return { reason, field, message: `Duplicate value: ${value}` };
    default:
      return { reason: 'FieldValueInvalid', field, message: `Invalid value: ${value}: ${message}` };
  }
}
