import { canonicalQuantity, parseQuantity } from '../resources/quantity.ts';
import type { ScalarType } from './schema.ts';

/** The value as the API writes it, or why it is none: `type` for a wrong JSON type, else Go's message. */
export type ScalarResult =
  | { readonly value: unknown; readonly error?: undefined }
  | { readonly error: string };

const WRONG_TYPE: ScalarResult = { error: 'type' };
const INT32_MAX = 2 ** 31 - 1;
const INT64_MAX = 2 ** 63;

function readInteger(value: unknown, min: number, max: number): ScalarResult {
  const isInteger = typeof value === 'number' && Number.isInteger(value);
  return isInteger && value >= min && value <= max ? { value } : WRONG_TYPE;
}

const RFC3339 = /^(\d{4}-\d{2}-\d{2})[Tt](\d{2}:\d{2}:\d{2})(?:[.,](\d+))?([Zz]|[+-]\d{2}:\d{2})$/;

/** RFC 3339 in UTC with `digits` digits after the second. Digits beyond are cut off, as Go's formats do. */
function readTime(value: unknown, digits: number): ScalarResult {
  if (typeof value !== 'string') return WRONG_TYPE;
  const [, date, time, fraction = '', zone] = RFC3339.exec(value) ?? [];
  const atMs = Date.parse(`${date}T${time}${zone?.toUpperCase()}`);
  if (Number.isNaN(atMs)) {
    return { error: `parsing time "${value}" as "2006-01-02T15:04:05Z07:00": cannot parse "${value}"` };
  }
  const seconds = new Date(atMs).toISOString().slice(0, 19);
  return { value: digits ? `${seconds}.${fraction.padEnd(digits, '0').slice(0, digits)}Z` : `${seconds}Z` };
}

/**
 * A quantity may be written as a number. It is kept in its one spelling, as Kubernetes does: who applies `1000m` then
 * has no conflict with who applied `1`.
 */
function readQuantity(value: unknown): ScalarResult {
  if (typeof value !== 'string' && typeof value !== 'number') return WRONG_TYPE;
  const quantity = parseQuantity(String(value).trim());
  if (quantity) return { value: canonicalQuantity(quantity) };
  return {
    error: "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
  };
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

function readBytes(value: unknown): ScalarResult {
  if (typeof value !== 'string') return WRONG_TYPE;
  const text = value.replace(/[\r\n]/g, '');
  if (BASE64.test(text)) return { value: text };
  const valid = /^[A-Za-z0-9+/]*/.exec(text)?.[0].length ?? 0;
  return { error: `illegal base64 data at input byte ${Math.min(valid, Math.max(text.length - 1, 0))}` };
}

/** Checks a value that is not `null` and writes it as the API does. */
export function readScalar(type: ScalarType, value: unknown): ScalarResult {
  switch (type) {
    case 'any':
      return { value };
    case 'string':
      return typeof value === 'string' ? { value } : WRONG_TYPE;
    case 'boolean':
      return typeof value === 'boolean' ? { value } : WRONG_TYPE;
    case 'number':
      return typeof value === 'number' ? { value } : WRONG_TYPE;
    case 'int32':
      return readInteger(value, -INT32_MAX - 1, INT32_MAX);
    case 'int64':
      return readInteger(value, -INT64_MAX, INT64_MAX);
    case 'int-or-string':
      return typeof value === 'string' ? { value } : readInteger(value, -INT32_MAX - 1, INT32_MAX);
    case 'quantity':
      return readQuantity(value);
    case 'time':
      return readTime(value, 0);
    case 'microtime':
      return readTime(value, 6);
    case 'bytes':
      return readBytes(value);
  }
}
