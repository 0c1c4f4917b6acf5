import { isDeepStrictEqual } from 'node:util';
import type { ResourceQuotaSpec } from 'kubernetes-types/core/v1.d.ts';
import type { FieldError } from './api-error.ts';
import { ageColumn, column, nameColumn } from './cells.ts';
import { defineResource, specOf } from './define.ts';
import {
  forbiddenField,
  immutable,
  invalidValue,
  notSupported,
  required,
  ruleErrors,
} from './field-errors.ts';
import { qualifiedNameErrors } from './names.ts';
import type { KubeObject } from './object.ts';
import { compareQuantities, parseQuantity, toNumber } from './quantity.ts';
import type { ResourceQuotaObject } from './typed.ts';

const COMPUTE = /^(?:requests\.|limits\.)?(?:cpu|memory|ephemeral-storage)$/;
const COUNTED = [
  'pods',
  'services',
  'replicationcontrollers',
  'resourcequotas',
  'secrets',
  'configmaps',
  'persistentvolumeclaims',
  'services.nodeports',
  'services.loadbalancers',
];
const SCOPES = [
  'BestEffort',
  'CrossNamespacePodAffinity',
  'NotBestEffort',
  'NotTerminating',
  'PriorityClass',
  'Terminating',
  'VolumeAttributesClass',
];
const OPPOSITES = [
  ['BestEffort', 'NotBestEffort'],
  ['Terminating', 'NotTerminating'],
];
const OPERATORS = ['DoesNotExist', 'Exists', 'In', 'NotIn'];

function isStandard(name: string): boolean {
  return (
    COMPUTE.test(name) ||
    COUNTED.includes(name) ||
    name === 'requests.storage' ||
    /^(?:requests\.)?hugepages-/.test(name)
  );
}

function amountErrors(name: string, amount: string, field: string): FieldError[] {
  const errors = ruleErrors(field, name, qualifiedNameErrors);
  if (errors.length === 0 && !name.includes('/') && !isStandard(name))
    errors.push(invalidValue(field, name, 'must be a standard resource for quotas'));
  const quantity = parseQuantity(amount);
  if (!quantity || quantity.value < 0n)
    return [...errors, invalidValue(field, amount, 'must be greater than or equal to 0')];
  const whole = { value: BigInt(toNumber(quantity)), scale: 0, format: 'decimal' } as const;
  if (COUNTED.includes(name) && compareQuantities(whole, quantity) !== 0)
    errors.push(invalidValue(field, amount, 'must be an integer'));
  return errors;
}

function validate(object: KubeObject, old: KubeObject | undefined): FieldError[] {
  const { spec } = object as ResourceQuotaObject;
  const errors = Object.entries(spec.hard ?? {}).flatMap(([name, amount]) =>
    amountErrors(name, amount, `spec.hard[${name}]`),
  );
  errors.push(...scopesErrors(spec), ...selectorErrors(spec));
  if (old && !sameScopes(spec, (old as ResourceQuotaObject).spec))
    errors.push(immutable('spec.scopes', spec.scopes ?? null));
  return errors;
}

function sameScopes({ scopes = [] }: ResourceQuotaSpec, { scopes: old = [] }: ResourceQuotaSpec): boolean {
  return isDeepStrictEqual(new Set(scopes), new Set(old));
}

function scopesErrors({ scopes = [] }: ResourceQuotaSpec): FieldError[] {
  const errors = scopes
    .filter((scope) => !SCOPES.includes(scope))
    .map((scope) => notSupported('spec.scopes', scope, SCOPES));
  for (const pair of OPPOSITES)
    if (pair.every((scope) => scopes.includes(scope)))
      errors.push(invalidValue('spec.scopes', scopes, 'conflicting scopes'));
  return errors;
}

function selectorErrors({ scopeSelector }: ResourceQuotaSpec): FieldError[] {
  return (scopeSelector?.matchExpressions ?? []).flatMap(({ scopeName, operator, values = [] }, index) => {
    const field = `spec.scopeSelector.matchExpressions[${index}]`;
    const errors: FieldError[] = [];
    if (!SCOPES.includes(scopeName)) errors.push(notSupported(`${field}.scopeName`, scopeName, SCOPES));
    if (!OPERATORS.includes(operator)) errors.push(notSupported(`${field}.operator`, operator, OPERATORS));
    const wantsValues = operator === 'In' || operator === 'NotIn';
    if (wantsValues && values.length === 0)
      errors.push(
        required(
          `${field}.values`,
          "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector",
        ),
      );
    if (!wantsValues && values.length > 0)
      errors.push(
        forbiddenField(
          `${field}.values`,
          "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector",
        ),
      );
    return errors;
  });
}

/** `pods: 3/10, requests.cpu: 500m/1`: what is used, of what may be. */
function usageText(object: KubeObject, isLimit: boolean): string {
  const { hard = {}, used = {} } = (object as ResourceQuotaObject).status ?? {};
  return Object.keys(hard)
    .filter((name) => name.startsWith('limits') === isLimit)
    .sort()
    .map((name) => `${name}: ${used[name] ?? '0'}/${hard[name]}`)
    .join(', ');
}

export const resourceQuotas = defineResource({
  version: 'v1',
  kind: 'ResourceQuota',
  plural: 'resourcequotas',
  singular: 'resourcequota',
  shortNames: ['quota'],
  namespaced: true,
  schema: 'io.k8s.api.core.v1.ResourceQuota',
  hasStatus: true,
  hasGeneration: false,
  setDefaults: (object) => {
    specOf<ResourceQuotaSpec>(object);
  },
  prepareForCreate: (object) => {
    object.status = {};
  },
  validate,
  columns: [
    nameColumn,
    column('Request', 'What is requested, of what may be.', (object) => usageText(object, false)),
    column('Limit', 'What limits add up to, of what they may.', (object) => usageText(object, true)),
    ageColumn,
  ],
});
