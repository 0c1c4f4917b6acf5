import type { PodDisruptionBudgetSpec } from 'kubernetes-types/policy/v1.d.ts';
import type { FieldError } from './api-error.ts';
import { ageColumn, column, countColumn, nameColumn } from './cells.ts';
import { defineResource, specOf } from './define.ts';
import { invalidValue, optionalOneOfErrors } from './field-errors.ts';
import type { KubeObject } from './object.ts';
import { intOrPercentErrors, labelSelectorErrors } from './template-validation.ts';
import type { PodDisruptionBudgetObject } from './typed.ts';

const EVICTION_POLICIES = ['AlwaysAllow', 'IfHealthyBudget'];

function validate(object: KubeObject): FieldError[] {
  const { spec } = object as PodDisruptionBudgetObject;
  const { minAvailable, maxUnavailable, unhealthyPodEvictionPolicy } = spec;
  const errors: FieldError[] = [];
  if (minAvailable !== undefined && maxUnavailable !== undefined)
    errors.push(invalidValue('spec', spec, 'minAvailable and maxUnavailable cannot be both set'));
  return [
    ...errors,
    ...amountErrors(minAvailable, 'spec.minAvailable'),
    ...amountErrors(maxUnavailable, 'spec.maxUnavailable'),
    ...labelSelectorErrors(spec.selector, 'spec.selector'),
    ...optionalOneOfErrors('spec.unhealthyPodEvictionPolicy', unhealthyPodEvictionPolicy, EVICTION_POLICIES),
  ];
}

function amountErrors(amount: number | string | undefined, field: string): FieldError[] {
  const errors = intOrPercentErrors(amount, field);
  if (errors.length === 0 && typeof amount === 'string' && Number.parseInt(amount, 10) > 100)
    errors.push(invalidValue(field, amount, 'must not be greater than 100%'));
  return errors;
}

const spec = (object: KubeObject) => (object as PodDisruptionBudgetObject).spec;

export const podDisruptionBudgets = defineResource({
  group: 'policy',
  version: 'v1',
  kind: 'PodDisruptionBudget',
  plural: 'poddisruptionbudgets',
  singular: 'poddisruptionbudget',
  shortNames: ['pdb'],
  namespaced: true,
  schema: 'io.k8s.api.policy.v1.PodDisruptionBudget',
  hasStatus: true,
  updateNeedsVersion: true,
  setDefaults: (object) => {
    specOf<PodDisruptionBudgetSpec>(object);
  },
  prepareForCreate: (object) => {
    object.status = { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 };
  },
  validate,
  columns: [
    nameColumn,
    column(
      'Min Available',
      'How many pods must remain.',
      (object) => `${spec(object).minAvailable ?? 'N/A'}`,
    ),
    column(
      'Max Unavailable',
      'How many pods may be missing.',
      (object) => `${spec(object).maxUnavailable ?? 'N/A'}`,
    ),
    countColumn(
      'Allowed Disruptions',
      'How many pods may be evicted now.',
      (object) => (object as PodDisruptionBudgetObject).status?.disruptionsAllowed ?? 0,
    ),
    ageColumn,
  ],
});
