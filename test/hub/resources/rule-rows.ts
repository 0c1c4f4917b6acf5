import type { Test } from 'tap';
import type { ResourceDefinition } from '../../../hub/resources/definition.ts';
import type { KubeObject } from '../../../hub/resources/object.ts';
import { minimalObject } from './minimal-objects.ts';

export type Loose = Readonly<Record<string, unknown>>;

/** What is changed about a valid object, and what the hub then says is wrong: all of it, in this order. */
export type Row = readonly [change: Loose, ...errors: string[]];

const CREATED = '2026-01-01T00:00:00Z';
/** An hour after the objects of these tests were made. */
export const NOW = Date.parse('2026-01-01T01:00:00Z');

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Objects are merged, all else is replaced; undefined takes away. */
function merged(base: unknown, change: unknown): unknown {
  if (!isMap(base) || !isMap(change)) return change;
  const result = { ...base };
  for (const [key, value] of Object.entries(change)) {
    if (value === undefined) delete result[key];
    else result[key] = merged(result[key], value);
  }
  return result;
}

/** The smallest valid object with changes, and with its defaults. */
export function sample(definition: ResourceDefinition, change: Loose = {}): KubeObject {
  const object = merged(minimalObject(definition), structuredClone(change)) as KubeObject;
  object.metadata = { creationTimestamp: CREATED, uid: 'u-1', ...object.metadata };
  definition.setDefaults?.(object);
  return object;
}

/** The object as it is first stored. */
export function created(definition: ResourceDefinition, change: Loose = {}): KubeObject {
  const object = sample(definition, change);
  definition.prepareForCreate?.(object, { name: 'ann', groups: ['staff'] });
  return object;
}

export function errorsOf(
  definition: ResourceDefinition,
  object: KubeObject,
  old?: KubeObject,
  part?: string,
): string[] {
  const errors = definition.validate?.(object, old, part) ?? [];
  return errors.map(({ field, message }) => `${field}: ${message}`);
}

/** Each row by itself makes an object wrong at its creation. */
export function refuses(t: Test, definition: ResourceDefinition, rows: readonly Row[]): void {
  t.same(errorsOf(definition, created(definition)), [], `a minimal ${definition.kind} is fine`);
  for (const [change, ...errors] of rows)
    t.same(errorsOf(definition, created(definition, change)), errors, JSON.stringify(change));
}

/** Each row is an update of an object, `before`, that only makes it wrong. */
export function refusesUpdates(
  t: Test,
  definition: ResourceDefinition,
  before: Loose,
  rows: readonly Row[],
): void {
  const old = created(definition, before);
  for (const [change, ...errors] of rows) {
    const object = merged(structuredClone(old), structuredClone(change)) as KubeObject;
    definition.setDefaults?.(object);
    definition.prepareForUpdate?.(object, old);
    t.same(errorsOf(definition, object, old), errors, JSON.stringify(change));
  }
}

/** What `kubectl get -o wide` shows of an object; `status` stands in `change`. */
export function cells(definition: ResourceDefinition, change: Loose = {}): unknown[] {
  const object = merged(created(definition), structuredClone(change)) as KubeObject;
  definition.setDefaults?.(object);
  return definition.columns.map(({ cell }) => cell(object, NOW));
}

/** `Name, Desired#, Selector*`: `*` for wide only, `#` integer, `?` boolean. */
export function columnNames(definition: ResourceDefinition): string {
  const marks = { integer: '#', number: '#', boolean: '?', string: '', date: '@' } as const;
  return definition.columns
    .map(({ name, type, priority }) => `${name}${marks[type]}${priority ? '*' : ''}`)
    .join(', ');
}
