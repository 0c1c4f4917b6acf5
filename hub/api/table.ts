import { badRequest } from '../resources/api-error.ts';
import type { Column } from '../resources/definition.ts';
import type { KubeObject } from '../resources/object.ts';

export type IncludeObject = 'None' | 'Metadata' | 'Object';

export interface TableOptions {
  readonly columns: readonly Column[];
  readonly items: readonly KubeObject[];
  readonly metadata: object;
  readonly includeObject: IncludeObject;
  readonly metaVersion: string;
  readonly nowMs: number;
  /** A watch sends the columns with its first event only. */
  readonly withoutColumns?: boolean;
}

/** What `rows[].object` shall hold; throws 400. */
export function includeObjectOf(query: URLSearchParams): IncludeObject {
  const value = query.get('includeObject') || 'Metadata';
  if (value === 'None' || value === 'Metadata' || value === 'Object') return value;
  throw badRequest(`unrecognized includeObject value: ${JSON.stringify(value)}`);
}

/** Objects as `kubectl get` shows them: the hub computes the cells, the client only prints them. */
export function tableOf(options: TableOptions): object {
  const { columns, items, metadata, includeObject, metaVersion, nowMs } = options;
  return {
    kind: 'Table',
    apiVersion: `meta.k8s.io/${metaVersion}`,
    metadata,
    columnDefinitions: options.withoutColumns ? null : columns.map(columnDefinition),
    rows: items.map((object) => ({
      cells: columns.map((column) => column.cell(object, nowMs)),
      ...rowObject(object, includeObject, metaVersion),
    })),
  };
}

function columnDefinition({ name, type, format = '', description, priority = 0 }: Column): object {
  return { name, type, format, description, priority };
}

function rowObject(object: KubeObject, include: IncludeObject, metaVersion: string): object {
  if (include === 'None') return {};
  return { object: include === 'Object' ? object : partialMetadata(object, metaVersion) };
}

export function partialMetadata({ metadata }: KubeObject, metaVersion: string): object {
  return { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${metaVersion}`, metadata };
}
