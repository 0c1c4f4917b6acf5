import type { FieldError } from '../resources/api-error.ts';
import { forbiddenField, invalidValue, notSupported, required } from '../resources/field-errors.ts';
import { ownValue } from '../resources/object.ts';
import { type RuleSet, rulesAt } from './compiled-rules.ts';
import { parseJsonPath } from './json-path.ts';
import { type JsonSchema, type ValidationRule, valuesOf } from './json-schema.ts';

const REASONS = ['FieldValueDuplicate', 'FieldValueForbidden', 'FieldValueInvalid', 'FieldValueRequired'];
/** More in one definition would take too long to compile. */
const MOST_RULES = 2_000;

/** Where the walk is: whether it is the root, and which list cannot tell what its items were before. */
interface Place {
  readonly field: string;
  readonly isRoot: boolean;
  readonly uncorrelated: string | undefined;
}

/** What is wrong with the rules of a structural schema. */
export function ruleCompileErrors(schema: JsonSchema, field: string): FieldError[] {
  const count = countRules(schema);
  if (count > MOST_RULES)
    return [forbiddenField(field, `a schema may have ${MOST_RULES} x-kubernetes-validations`)];
  return count === 0 ? [] : errorsAt(schema, { field, isRoot: true, uncorrelated: undefined });
}

function countRules(schema: JsonSchema): number {
  const inner = [...Object.values(schema.properties ?? {}), valuesOf(schema), schema.items];
  const own = schema['x-kubernetes-validations']?.length ?? 0;
  return inner.reduce((sum, each) => sum + (each ? countRules(each) : 0), own);
}

function errorsAt(schema: JsonSchema, place: Place): FieldError[] {
  const { field, uncorrelated } = place;
  const errors = schema['x-kubernetes-validations']?.length ? ownErrors(schema, place) : [];
  const below = { isRoot: false, uncorrelated };
  for (const [name, property] of Object.entries(schema.properties ?? {}))
    errors.push(...errorsAt(property, { ...below, field: `${field}.properties[${name}]` }));
  const values = valuesOf(schema);
  if (values) errors.push(...errorsAt(values, { ...below, field: `${field}.additionalProperties` }));
  const { items } = schema;
  if (items) {
    const isMap = schema['x-kubernetes-list-type'] === 'map';
    errors.push(
      ...errorsAt(items, {
        isRoot: false,
        field: `${field}.items`,
        uncorrelated: isMap ? uncorrelated : (uncorrelated ?? field),
      }),
    );
  }
  return errors;
}

function ownErrors(schema: JsonSchema, { field, isRoot, uncorrelated }: Place): FieldError[] {
  const set = rulesAt(schema, isRoot);
  return (schema['x-kubernetes-validations'] ?? []).flatMap((rule, index) => {
    const at = `${field}.x-kubernetes-validations[${index}]`;
    const errors = [...formErrors(schema, rule, at), ...compileErrors(set, rule, index, at)];
    const compiled = set.rules.find((each) => each.rule === rule);
    if (compiled?.isTransition && uncorrelated)
      errors.push(
        invalidValue(
          `${at}.rule`,
          rule.rule,
          `oldSelf cannot be used on the uncorrelatable portion of the schema within ${uncorrelated}`,
        ),
      );
    if (compiled && !compiled.isTransition && rule.optionalOldSelf !== undefined)
      errors.push(
        invalidValue(
          `${at}.optionalOldSelf`,
          rule.optionalOldSelf,
          'may not be set if oldSelf is not used in rule',
        ),
      );
    return errors;
  });
}

function compileErrors({ errors }: RuleSet, rule: ValidationRule, index: number, at: string): FieldError[] {
  const error = errors.get(index);
  return error && rule.rule?.trim()
    ? [invalidValue(`${at}.${error.field}`, rule[error.field], error.message)]
    : [];
}

function formErrors(schema: JsonSchema, rule: ValidationRule, at: string): FieldError[] {
  const { rule: text = '', message, messageExpression, reason, fieldPath } = rule;
  const errors: FieldError[] = [];
  if (!text.trim()) errors.push(required(`${at}.rule`, 'rule is not specified'));
  if (message !== undefined && !message.trim())
    errors.push(invalidValue(`${at}.message`, message, 'message must be non-empty if specified'));
  else if (message?.trim().includes('\n'))
    errors.push(invalidValue(`${at}.message`, message, 'message must not contain line breaks'));
  else if (text.trim().includes('\n') && message === undefined)
    errors.push(required(`${at}.message`, 'message must be specified if rule contains line breaks'));
  if (messageExpression !== undefined && !messageExpression.trim())
    errors.push(required(`${at}.messageExpression`, 'messageExpression must be non-empty if specified'));
  if (reason !== undefined && !REASONS.includes(reason))
    errors.push(notSupported(`${at}.reason`, reason, REASONS));
  if (fieldPath !== undefined && !hasField(schema, fieldPath))
    errors.push(invalidValue(`${at}.fieldPath`, fieldPath, 'fieldPath must be a valid path'));
  return errors;
}

function hasField(schema: JsonSchema, path: string): boolean {
  let at: JsonSchema | undefined = schema;
  for (const step of (path.startsWith('.') || path.startsWith('[') ? parseJsonPath(path) : undefined) ?? [
    { type: 'all' } as const,
  ])
    at = step.type === 'field' ? (ownValue(at?.properties, step.name) ?? (at && valuesOf(at))) : undefined;
  return at !== undefined;
}
