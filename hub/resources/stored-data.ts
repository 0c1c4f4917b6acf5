import { isDeepStrictEqual } from 'node:util';
import type { FieldError } from './api-error.ts';
import { forbiddenField, invalidValue, tooLong } from './field-errors.ts';
import { configKeyErrors } from './names.ts';
import { ownValue } from './object.ts';

/** What ConfigMap and Secret share: named values that pods read. */
interface StoredData {
  readonly immutable?: boolean;
  readonly data?: Readonly<Record<string, string>>;
  readonly binaryData?: Readonly<Record<string, string>>;
}

const LIMIT_BYTES = 1024 * 1024;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const SEALED = 'field is immutable when `immutable` is set';

/** `base64` names the fields whose values are encoded. */
export function storedDataErrors(
  object: StoredData,
  old: StoredData | undefined,
  base64: readonly ('data' | 'binaryData')[],
): FieldError[] {
  const errors: FieldError[] = [];
  let sizeBytes = 0;
  for (const field of ['data', 'binaryData'] as const) {
    for (const [key, value] of Object.entries(object[field] ?? {})) {
      const at = `${field}[${key}]`;
      errors.push(...configKeyErrors(key).map((detail) => invalidValue(at, key, detail)));
      if (field === 'binaryData' && ownValue(object.data, key) !== undefined)
        errors.push(invalidValue(at, key, 'duplicate of key present in data'));
      const encoded = base64.includes(field);
      if (encoded && !BASE64.test(value)) errors.push(invalidValue(at, '<value>', 'must be base64'));
      sizeBytes += encoded ? Math.floor((value.length * 3) / 4) : Buffer.byteLength(value);
    }
  }
  if (sizeBytes > LIMIT_BYTES) errors.push(tooLong('data', LIMIT_BYTES));
  return [...errors, ...(old?.immutable ? sealErrors(object, old) : [])];
}

function sealErrors(object: StoredData, old: StoredData): FieldError[] {
  const errors: FieldError[] = [];
  if (!object.immutable) errors.push(forbiddenField('immutable', SEALED));
  for (const field of ['data', 'binaryData'] as const)
    if (!isDeepStrictEqual(object[field] ?? {}, old[field] ?? {})) errors.push(forbiddenField(field, SEALED));
  return errors;
}
