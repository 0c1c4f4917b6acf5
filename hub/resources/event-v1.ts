import type { FieldError } from './api-error.ts';
import type { ResourceView } from './definition.ts';
import { invalidValue, required, ruleErrors } from './field-errors.ts';
import { qualifiedNameErrors } from './names.ts';
import type { KubeObject } from './object.ts';
import type { EventObject } from './typed.ts';

/* events.k8s.io/v1: the Events of core/v1 with other names for their fields, and stricter about what they say. */

/** Names in core/v1 and here. All other fields are the same. */
const RENAMED = [
  ['involvedObject', 'regarding'],
  ['message', 'note'],
  ['source', 'deprecatedSource'],
  ['firstTimestamp', 'deprecatedFirstTimestamp'],
  ['lastTimestamp', 'deprecatedLastTimestamp'],
  ['count', 'deprecatedCount'],
  ['reportingComponent', 'reportingController'],
] as const;
const MAX_LENGTHS = { action: 128, reason: 128, reportingInstance: 128, note: 1024 } as const;
const TYPES = ['Normal', 'Warning'];

function renamed(object: KubeObject, names: readonly (readonly [from: string, to: string])[]): KubeObject {
  const result: KubeObject = { ...object };
  for (const [from, to] of names) {
    delete result[from];
    if (object[from] !== undefined) result[to] = object[from];
  }
  return result;
}

function validate(object: KubeObject): FieldError[] {
  const errors: FieldError[] = [];
  const text = (field: string) => (typeof object[field] === 'string' ? object[field] : '');
  for (const field of ['eventTime', 'reportingController', 'reportingInstance', 'action', 'reason'])
    if (!text(field)) errors.push(required(field));
  errors.push(
    ...(text('reportingController')
      ? ruleErrors('reportingController', text('reportingController'), qualifiedNameErrors)
      : []),
  );
  for (const [field, most] of Object.entries(MAX_LENGTHS))
    if (text(field).length > most)
      errors.push(invalidValue(field, '', `can have at most ${most} characters`));
  if (!TYPES.includes(text('type')))
    errors.push(invalidValue('type', '', `has invalid value: ${text('type')}`));
  for (const [, field] of RENAMED)
    if (field.startsWith('deprecated') && object[field] !== undefined && !isEmpty(object[field]))
      errors.push(invalidValue(field, '', 'needs to be unset'));
  const { series } = object as unknown as EventObject;
  if (series && (series.count ?? 0) < 2)
    errors.push(invalidValue('series.count', '', 'should be at least 2'));
  if (series && !series.lastObservedTime) errors.push(required('series.lastObservedTime'));
  return errors;
}

function isEmpty(value: unknown): boolean {
  return value === 0 || (typeof value === 'object' && Object.keys(value ?? {}).length === 0);
}

const regarding = (key: keyof EventObject['involvedObject']) => (object: KubeObject) =>
  (object['regarding'] as EventObject['involvedObject'] | undefined)?.[key] ?? '';
const field = (name: string) => (object: KubeObject) =>
  typeof object[name] === 'string' ? object[name] : '';

export const eventV1: ResourceView = {
  group: 'events.k8s.io',
  version: 'v1',
  schema: 'io.k8s.api.events.v1.Event',
  fromStored: (stored) => renamed(stored, RENAMED),
  toStored: (seen) =>
    renamed(
      seen,
      RENAMED.map(([stored, here]) => [here, stored] as const),
    ),
  validate,
  fieldSelectors: {
    'regarding.kind': regarding('kind'),
    'regarding.namespace': regarding('namespace'),
    'regarding.name': regarding('name'),
    'regarding.uid': regarding('uid'),
    'regarding.apiVersion': regarding('apiVersion'),
    'regarding.resourceVersion': regarding('resourceVersion'),
    'regarding.fieldPath': regarding('fieldPath'),
    reason: field('reason'),
    reportingController: field('reportingController'),
    type: field('type'),
  },
};
