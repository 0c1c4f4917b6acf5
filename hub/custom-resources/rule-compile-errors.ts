import type { FieldError } from '../resources/api-error.ts';
import type { JsonSchema } from './json-schema.ts';

export function ruleCompileErrors(_schema: JsonSchema, _field: string): FieldError[] {
  return [];
}
