import type { FieldError } from '../resources/api-error.ts';
import type { JsonSchema } from './json-schema.ts';

export function ruleErrors(_schema: JsonSchema, _value: unknown, _old: unknown): FieldError[] {
  return [];
}
