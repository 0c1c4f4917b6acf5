import { ageColumn, nameColumn } from '../resources/cells.ts';
import type { Column } from '../resources/definition.ts';
import { since } from '../resources/human-duration.ts';
import type { PrinterColumn } from './custom-resource-definition.ts';
import { findAll, parseJsonPath } from './json-path.ts';

export const COLUMN_TYPES = ['integer', 'number', 'string', 'boolean', 'date'];

/** Name, then what the definition says; Age where it says nothing. */
export function columnsOf(columns: readonly PrinterColumn[] | undefined): Column[] {
  return columns?.length
    ? [nameColumn, ...columns.map(columnOf)]
    : [nameColumn, { ...ageColumn, type: 'date' }];
}

function columnOf({ name, type, jsonPath, description, format, priority }: PrinterColumn): Column {
  const path = parseJsonPath(jsonPath) ?? [];
  return {
    name,
    type: type as Column['type'],
    description: description ?? `Custom resource definition column (in JSONPath format): ${jsonPath}`,
    ...(format && { format }),
    ...(priority && { priority }),
    cell: (object, nowMs) => cellOf(type, findAll(path, object)[0], nowMs),
  };
}

/** A cell stays empty where there is no value, or none of the column's type. */
function cellOf(type: string, value: unknown, nowMs: number): string | number | boolean | null {
  if (value === undefined || value === null) return null;
  switch (type) {
    case 'integer':
      return typeof value === 'number' ? Math.trunc(value) : null;
    case 'number':
      return typeof value === 'number' ? value : null;
    case 'boolean':
      return typeof value === 'boolean' ? value : null;
    case 'date':
      if (typeof value !== 'string') return null;
      return Number.isNaN(Date.parse(value)) ? '<invalid>' : since(value, nowMs);
    default:
      return typeof value === 'object' ? JSON.stringify(value) : String(value);
  }
}
