import type { CauseReason, FieldError } from './api-error.ts';

function fieldError(reason: CauseReason, field: string, message: string): FieldError {
  return { reason, field, message };
}

export function required(field: string, detail?: string): FieldError {
  return fieldError('FieldValueRequired', field, detail ? `Required value: ${detail}` : 'Required value');
}

export function invalidValue(field: string, value: unknown, detail: string): FieldError {
  return fieldError('FieldValueInvalid', field, `Invalid value: ${JSON.stringify(value)}: ${detail}`);
}

export function notSupported(field: string, value: unknown, supported: readonly string[]): FieldError {
  const list = supported.map((each) => JSON.stringify(each)).join(', ');
  return fieldError(
    'FieldValueNotSupported',
    field,
    `Unsupported value: ${JSON.stringify(value)}: supported values: ${list}`,
  );
}

export function forbiddenField(field: string, detail: string): FieldError {
  return fieldError('FieldValueForbidden', field, `Forbidden: ${detail}`);
}

export function duplicate(field: string, value: unknown): FieldError {
  return fieldError('FieldValueDuplicate', field, `Duplicate value: ${JSON.stringify(value)}`);
}

export function tooLong(field: string, maxBytes: number): FieldError {
  return fieldError('FieldValueTooLong', field, `Too long: may not be more than ${maxBytes} bytes`);
}

export function notFoundField(field: string, value: unknown): FieldError {
  return fieldError('FieldValueNotFound', field, `Not found: ${JSON.stringify(value)}`);
}

export function immutable(field: string, value: unknown): FieldError {
  return invalidValue(field, value, 'field is immutable');
}

export function tooMany(field: string, count: number, most: number): FieldError {
  return fieldError(
    'FieldValueTooMany',
    field,
    `Too many: ${count}: must have at most ${most} item${most === 1 ? '' : 's'}`,
  );
}

/** For an enumeration: required, and one of these. */
export function oneOfErrors(
  field: string,
  value: string | undefined,
  values: readonly string[],
): FieldError[] {
  if (!value) return [required(field)];
  return values.includes(value) ? [] : [notSupported(field, value, values)];
}

/** For an enumeration that may be absent. */
export function optionalOneOfErrors(
  field: string,
  value: string | undefined,
  values: readonly string[],
): FieldError[] {
  return value === undefined || values.includes(value) ? [] : [notSupported(field, value, values)];
}

/** One error for each thing that a rule finds wrong with a value. */
export function ruleErrors(
  field: string,
  value: string,
  rule: (value: string) => readonly string[],
): FieldError[] {
  return rule(value).map((detail) => invalidValue(field, value, detail));
}
