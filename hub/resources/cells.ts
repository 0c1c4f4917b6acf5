import type { PodSpec } from 'kubernetes-types/core/v1.d.ts';
import type { LabelSelector } from 'kubernetes-types/meta/v1.d.ts';
import type { Column } from './definition.ts';
import { since } from './human-duration.ts';
import type { KubeObject } from './object.ts';
import { labelSelectorText } from './selector.ts';

/** A column that needs no more than a name, what it is for and how to compute it. */
export function column(
  name: string,
  description: string,
  cell: Column['cell'],
  more: Partial<Pick<Column, 'type' | 'format' | 'priority'>> = {},
): Column {
  return { name, type: 'string', description, cell, ...more };
}

/** A column that only `-o wide` shows. */
export function wideColumn(name: string, description: string, cell: Column['cell']): Column {
  return column(name, description, cell, { priority: 1 });
}

export function countColumn(name: string, description: string, cell: Column['cell']): Column {
  return column(name, description, cell, { type: 'integer' });
}

export const nameColumn: Column = column(
  'Name',
  'Name must be unique within a namespace.',
  ({ metadata }) => metadata.name ?? '',
  { format: 'name' },
);

export const ageColumn: Column = column(
  'Age',
  'The time since the object was created.',
  ({ metadata }, nowMs) => since(metadata.creationTimestamp, nowMs),
);

/** In place of an age, for kinds that have no table of their own in Kubernetes. */
export const createdAtColumn: Column = column(
  'Created At',
  'When the object was created.',
  ({ metadata }) => metadata.creationTimestamp ?? '',
  { type: 'date' },
);

/** The first three, and how many there are besides: `a,b,c + 2 more...`. */
export function firstThree(items: readonly string[], none: string): string {
  if (items.length === 0) return none;
  const shown = items.slice(0, 3).join(',');
  return items.length > 3 ? `${shown} + ${items.length - 3} more...` : shown;
}

export function orNone(text: string | undefined): string {
  return text || '<none>';
}

/** `a=b,c=d` */
export function labelsText(labels: Readonly<Record<string, string>> | undefined): string {
  return orNone(
    Object.keys(labels ?? {})
      .sort()
      .map((key) => `${key}=${labels?.[key]}`)
      .join(','),
  );
}

/** Containers, Images and Selector, as every workload has them. */
export function templateColumns(
  read: (object: KubeObject) => {
    readonly template?: { readonly spec?: PodSpec };
    readonly selector?: LabelSelector;
  },
): Column[] {
  const containers = (object: KubeObject) => read(object).template?.spec?.containers ?? [];
  return [
    wideColumn('Containers', 'Names of each container in the template.', (object) =>
      containers(object)
        .map(({ name }) => name)
        .join(','),
    ),
    wideColumn('Images', 'Images referenced by each container in the template.', (object) =>
      containers(object)
        .map(({ image }) => image)
        .join(','),
    ),
    wideColumn('Selector', 'Label selector for pods.', (object) =>
      orNone(labelSelectorText(read(object).selector)),
    ),
  ];
}
