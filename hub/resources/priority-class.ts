import type { FieldError } from './api-error.ts';
import { ageColumn, column, countColumn, nameColumn } from './cells.ts';
import { defineResource, setDefault } from './define.ts';
import { forbiddenField, immutable, optionalOneOfErrors } from './field-errors.ts';
import type { KubeObject } from './object.ts';
import type { PriorityClassObject } from './typed.ts';

const HIGHEST_OF_USERS = 1_000_000_000;
const SYSTEM_PREFIX = 'system-';
const POLICIES = ['PreemptLowerPriority', 'Never'];

/** The classes that every cluster has, from the lower to the higher. */
export const SYSTEM_PRIORITY_CLASSES: readonly PriorityClassObject[] = [
  systemClass(
    'system-cluster-critical',
    2 * HIGHEST_OF_USERS,
    'Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.',
  ),
  systemClass(
    'system-node-critical',
    2 * HIGHEST_OF_USERS + 1000,
    'Used for system critical pods that must not be moved from their current node.',
  ),
];

function systemClass(name: string, value: number, description: string): PriorityClassObject {
  return {
    apiVersion: 'scheduling.k8s.io/v1',
    kind: 'PriorityClass',
    metadata: { name },
    value,
    description,
  };
}

function validate(object: KubeObject, old: KubeObject | undefined): FieldError[] {
  const given = object as PriorityClassObject;
  const before = old as PriorityClassObject | undefined;
  return [
    ...rankErrors(given),
    ...optionalOneOfErrors('preemptionPolicy', given.preemptionPolicy, POLICIES),
    ...(before && before.value !== given.value
      ? [forbiddenField('value', 'may not be changed in an update.')]
      : []),
    ...(before && before.preemptionPolicy !== given.preemptionPolicy
      ? [immutable('preemptionPolicy', given.preemptionPolicy)]
      : []),
  ];
}

function rankErrors({ metadata: { name = '' }, value, globalDefault }: PriorityClassObject): FieldError[] {
  if (!name.startsWith(SYSTEM_PREFIX))
    return value > HIGHEST_OF_USERS
      ? [forbiddenField('value', `maximum allowed value of a user defined priority is ${HIGHEST_OF_USERS}`)]
      : [];
  const known = SYSTEM_PRIORITY_CLASSES.find(({ metadata }) => metadata.name === name);
  const why = !known
    ? `${name} is not a known system priority class`
    : known.value !== value
      ? `value of ${name} PriorityClass must be ${known.value}`
      : globalDefault
        ? `globalDefault of ${name} PriorityClass must be false`
        : undefined;
  return why === undefined
    ? []
    : [
        forbiddenField(
          'metadata.name',
          `priority class names with '${SYSTEM_PREFIX}' prefix are reserved for system use only. error: ${why}`,
        ),
      ];
}

export const priorityClasses = defineResource({
  group: 'scheduling.k8s.io',
  version: 'v1',
  kind: 'PriorityClass',
  plural: 'priorityclasses',
  singular: 'priorityclass',
  shortNames: ['pc'],
  namespaced: false,
  schema: 'io.k8s.api.scheduling.v1.PriorityClass',
  setDefaults: (object) => {
    const given = object as PriorityClassObject;
    setDefault(given, 'value', 0);
    setDefault(given, 'preemptionPolicy', 'PreemptLowerPriority');
  },
  validate,
  hasGeneration: true,
  bumpsGeneration: () => false,
  protectedNames: SYSTEM_PRIORITY_CLASSES.map(({ metadata }) => metadata.name ?? ''),
  columns: [
    nameColumn,
    countColumn('Value', 'The higher goes first.', (object) => (object as PriorityClassObject).value),
    column(
      'Global-Default',
      'Whether pods without a class have this one.',
      (object) => (object as PriorityClassObject).globalDefault ?? false,
      { type: 'boolean' },
    ),
    ageColumn,
    column(
      'PreemptionPolicy',
      'Whether pods of lower priority make room.',
      (object) => (object as PriorityClassObject).preemptionPolicy ?? '',
    ),
  ],
});
