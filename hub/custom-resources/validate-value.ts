import type { FieldError } from '../resources/api-error.ts';
import { invalidValue, notSupported, required, tooMany } from '../resources/field-errors.ts';
import { ownValue } from '../resources/object.ts';
import { isJsonObject, type JsonObject, sameJson } from '../schema/json-type.ts';
import { patternOf } from '../schema/pattern.ts';
import { hasFormat } from './formats.ts';
import { fieldPath, isIntOrString, type JsonSchema, preservesUnknown, valuesOf } from './json-schema.ts';

/** What is told of one value; more would help nobody. */
const MOST_ERRORS = 100;

/** What is wrong with a value, in Kubernetes' words. What is as it was in `old` is not looked at: it was stored once. */
export function valueErrors(schema: JsonSchema, value: unknown, old?: unknown, path = ''): FieldError[] {
  const errors: FieldError[] = [];
  check(schema, value, old, path, errors);
  return errors.slice(0, MOST_ERRORS);
}

/** Rules about a value, without what follows from where it stands. */
function check(schema: JsonSchema, value: unknown, old: unknown, path: string, errors: FieldError[]): void {
  if (errors.length >= MOST_ERRORS) return;
  if (old !== undefined && sameJson(value, old)) return;
  if (value === null && schema.nullable) return;
  const typeError = wrongType(schema, value, path);
  if (typeError) {
    errors.push(typeError);
    return;
  }
  if (schema.enum && !schema.enum.some((each) => sameJson(each, value)))
    errors.push(notSupported(path, value, schema.enum.map(enumText)));
  if (typeof value === 'string') errors.push(...stringErrors(schema, value, path));
  else if (typeof value === 'number') errors.push(...numberErrors(schema, value, path));
  else if (Array.isArray(value)) checkList(schema, value, old, path, errors);
  else if (isJsonObject(value)) checkObject(schema, value, old, path, errors);
  checkCombined(schema, value, old, path, errors);
}

function enumText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value;
}

function wrongType(schema: JsonSchema, value: unknown, path: string): FieldError | undefined {
  const wanted = isIntOrString(schema) ? ['integer', 'string'] : schema.type ? [schema.type] : [];
  const found = typeOf(value);
  if (wanted.length === 0 && (found !== 'null' || preservesUnknown(schema) || isOpen(schema)))
    return undefined;
  if (wanted.includes(found) || (found === 'integer' && wanted.includes('number'))) return undefined;
  return typeInvalid(path, found, wanted.join(','), found);
}

/** In `allOf` and the like the type is told by what is around. */
function isOpen({ type }: JsonSchema): boolean {
  return type === undefined || type === '';
}

function typeInvalid(field: string, value: unknown, wanted: string, found: string): FieldError {
  return {
    reason: 'FieldValueTypeInvalid',
    field,
    message: `Invalid value: ${JSON.stringify(value)}: ${inBody(field)} must be of type ${wanted}: ${JSON.stringify(found)}`,
  };
}

function inBody(path: string): string {
  return path ? `${path} in body` : 'in body';
}

function stringErrors(schema: JsonSchema, text: string, path: string): FieldError[] {
  const { minLength, maxLength, pattern, format } = schema;
  const errors: FieldError[] = [];
  const length = minLength === undefined && maxLength === undefined ? 0 : [...text].length;
  if (maxLength !== undefined && length > maxLength)
    errors.push({
      reason: 'FieldValueTooLong',
      field: path,
      message: `Too long: may not be more than ${maxLength} bytes`,
    });
  if (minLength !== undefined && length < minLength)
    errors.push(invalidValue(path, text, `${inBody(path)} should be at least ${minLength} chars long`));
  if (pattern && !patternOf(pattern).test(text))
    errors.push(invalidValue(path, text, `${inBody(path)} should match '${pattern}'`));
  if (format && !hasFormat(format, text)) errors.push(typeInvalid(path, text, format, text));
  return errors;
}

function numberErrors(schema: JsonSchema, value: number, path: string): FieldError[] {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf, format } = schema;
  const wrong = (why: string) => invalidValue(path, value, `${inBody(path)} ${why}`);
  const errors: FieldError[] = [];
  if (multipleOf && !isMultiple(value, multipleOf))
    errors.push(wrong(`should be a multiple of ${multipleOf}`));
  if (maximum !== undefined && (exclusiveMaximum ? value >= maximum : value > maximum))
    errors.push(wrong(`should be less than ${exclusiveMaximum ? '' : 'or equal to '}${maximum}`));
  if (minimum !== undefined && (exclusiveMinimum ? value <= minimum : value < minimum))
    errors.push(wrong(`should be greater than ${exclusiveMinimum ? '' : 'or equal to '}${minimum}`));
  const limit = format === 'int32' ? 2 ** 31 : format === 'int64' ? 2 ** 63 : undefined;
  if (limit !== undefined && (value >= limit || value < -limit))
    errors.push(wrong(`must be of type integer with format ${format}`));
  return errors;
}

/** Tenths are not exact in binary: what is almost a whole number of times is one. */
function isMultiple(value: number, of: number): boolean {
  const times = value / of;
  return Math.abs(times - Math.round(times)) < 1e-9 * Math.max(1, Math.abs(times));
}

function checkList(
  schema: JsonSchema,
  list: readonly unknown[],
  old: unknown,
  path: string,
  errors: FieldError[],
): void {
  const { minItems, maxItems, items } = schema;
  if (maxItems !== undefined && list.length > maxItems) errors.push(tooMany(path, list.length, maxItems));
  if (minItems !== undefined && list.length < minItems)
    errors.push(invalidValue(path, list.length, `${inBody(path)} should have at least ${minItems} items`));
  if (!items) return;
  const before = oldItems(schema, old);
  for (const [index, item] of list.entries()) check(items, item, before(item), `${path}[${index}]`, errors);
}

/** An item's key in a list that is a map. */
export function itemKey(keys: readonly string[], item: unknown): string {
  const object = isJsonObject(item) ? item : {};
  return JSON.stringify(keys.map((key) => object[key] ?? null));
}

/** Finds what an item was before: in a list that is a map by its key; of other lists nobody can tell. */
export function oldItems(schema: JsonSchema, old: unknown): (item: unknown) => unknown {
  if (schema['x-kubernetes-list-type'] !== 'map' || !Array.isArray(old)) return () => undefined;
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  const byKey = new Map(old.map((item) => [itemKey(keys, item), item]));
  return (item) => byKey.get(itemKey(keys, item));
}

function checkObject(
  schema: JsonSchema,
  object: JsonObject,
  old: unknown,
  path: string,
  errors: FieldError[],
): void {
  const { minProperties, maxProperties, properties } = schema;
  const count = Object.keys(object).length;
  if (maxProperties !== undefined && count > maxProperties) errors.push(tooMany(path, count, maxProperties));
  if (minProperties !== undefined && count < minProperties)
    errors.push(
      invalidValue(path, count, `${inBody(path)} should have at least ${minProperties} properties`),
    );
  for (const name of schema.required ?? [])
    if (!Object.hasOwn(object, name)) errors.push(required(fieldPath(path, name)));
  const before = isJsonObject(old) ? old : undefined;
  const values = valuesOf(schema);
  for (const [key, child] of Object.entries(object)) {
    const inner = ownValue(properties, key) ?? values;
    if (inner) check(inner, child, ownValue(before, key), fieldPath(path, key), errors);
  }
}

/** `allOf`, `anyOf`, `oneOf` and `not`: what fails as a whole has no field in Kubernetes' messages. */
function checkCombined(
  schema: JsonSchema,
  value: unknown,
  old: unknown,
  path: string,
  errors: FieldError[],
): void {
  const { allOf, anyOf, oneOf, not } = schema;
  if (!allOf && !anyOf && !oneOf && !not) return;
  const fails = (each: JsonSchema): FieldError[] => {
    const found: FieldError[] = [];
    check(each, value, old, path, found);
    return found;
  };
  const whole = (why: string): FieldError => ({
    reason: 'FieldValueInvalid',
    field: '<nil>',
    message: `Invalid value: "": ${JSON.stringify(path)} ${why}`,
  });
  if (anyOf) {
    const results = anyOf.map(fails);
    if (results.every((found) => found.length > 0))
      errors.push(whole('must validate at least one schema (anyOf)'), ...(results[0] ?? []));
  }
  if (oneOf) {
    const results = oneOf.map(fails);
    const valid = results.filter((found) => found.length === 0).length;
    const why = 'must validate one and only one schema (oneOf).';
    if (valid === 0) errors.push(whole(`${why} Found none valid`), ...(results[0] ?? []));
    if (valid > 1) errors.push(whole(`${why} Found ${valid} valid alternatives`));
  }
  if (allOf) {
    const results = allOf.map(fails);
    const valid = results.filter((found) => found.length === 0).length;
    errors.push(...results.flat());
    if (valid < results.length)
      errors.push(whole(`must validate all the schemas (allOf)${valid === 0 ? '. None validated' : ''}`));
  }
  if (not && fails(not).length === 0) errors.push(whole('must not validate the schema (not)'));
}
