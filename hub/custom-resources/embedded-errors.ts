import type { FieldError } from '../resources/api-error.ts';
import { invalidValue, required } from '../resources/field-errors.ts';
import { labelErrors } from '../resources/metadata-validation.ts';
import { subdomainNameErrors } from '../resources/names.ts';
import { ownValue } from '../resources/object.ts';
import { isJsonObject, type JsonObject, sameJson } from '../schema/json-type.ts';
import { fieldPath, isEmbedded, type JsonSchema, valuesOf } from './json-schema.ts';

const withEmbedded = new WeakMap<JsonSchema, boolean>();

function hasEmbedded(schema: JsonSchema): boolean {
  const known = withEmbedded.get(schema);
  if (known !== undefined) return known;
  const inner = [...Object.values(schema.properties ?? {}), valuesOf(schema), schema.items];
  const has = isEmbedded(schema) || inner.some((each) => each !== undefined && hasEmbedded(each));
  withEmbedded.set(schema, has);
  return has;
}

/** What is wrong with objects within an object, which must have a type and may have metadata. */
export function embeddedErrors(schema: JsonSchema, value: unknown, old?: unknown, path = ''): FieldError[] {
  if (!hasEmbedded(schema) || (old !== undefined && sameJson(value, old))) return [];
  if (Array.isArray(value)) {
    const { items } = schema;
    return items
      ? value.flatMap((item, index) => embeddedErrors(items, item, undefined, `${path}[${index}]`))
      : [];
  }
  if (!isJsonObject(value)) return [];
  const before = isJsonObject(old) ? old : undefined;
  const values = valuesOf(schema);
  const inner = Object.entries(value).flatMap(([key, child]) => {
    const property = ownValue(schema.properties, key) ?? values;
    return property ? embeddedErrors(property, child, ownValue(before, key), fieldPath(path, key)) : [];
  });
  return isEmbedded(schema) ? [...typeErrors(value, path), ...inner] : inner;
}

function typeErrors({ apiVersion, kind, metadata }: JsonObject, path: string): FieldError[] {
  const errors: FieldError[] = [];
  for (const [name, value] of Object.entries({ apiVersion, kind }))
    if (value === undefined || value === '')
      errors.push(required(fieldPath(path, name), 'must not be empty'));
    else if (typeof value !== 'string')
      errors.push(invalidValue(fieldPath(path, name), value, 'must be a string'));
  if (!isJsonObject(metadata)) return errors;
  const { name, labels } = metadata;
  const at = fieldPath(path, 'metadata');
  if (typeof name === 'string' && name !== '')
    errors.push(...subdomainNameErrors(name).map((why) => invalidValue(`${at}.name`, name, why)));
  if (isJsonObject(labels) && Object.values(labels).every((each) => typeof each === 'string'))
    errors.push(...labelErrors(labels as Record<string, string>, `${at}.labels`));
  return errors;
}
