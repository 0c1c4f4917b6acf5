import type { LimitRangeItem, LimitRangeSpec } from 'kubernetes-types/core/v1.d.ts';
import type { FieldError } from './api-error.ts';
import { createdAtColumn, nameColumn } from './cells.ts';
import { defineResource, specOf } from './define.ts';
import { duplicate, forbiddenField, invalidValue, required, ruleErrors } from './field-errors.ts';
import { qualifiedNameErrors } from './names.ts';
import type { KubeObject } from './object.ts';
import { compareQuantities, parseQuantity } from './quantity.ts';
import type { LimitRangeObject } from './typed.ts';

const PARTS = ['max', 'min', 'default', 'defaultRequest', 'maxLimitRequestRatio'] as const;
type Part = (typeof PARTS)[number];
/** Which part may not be larger than which, and how Kubernetes names both. */
const ORDERED: readonly (readonly [Part, Part, string, string])[] = [
  ['min', 'max', 'min', 'max'],
  ['min', 'defaultRequest', 'min', 'default request'],
  ['defaultRequest', 'max', 'default request', 'max'],
  ['defaultRequest', 'default', 'default request', 'default limit'],
  ['min', 'default', 'min', 'default'],
  ['default', 'max', 'default', 'max'],
];

/** Containers get the largest limit unless told otherwise, and request what limits them. */
function setDefaults(object: KubeObject): void {
  for (const item of specOf<LimitRangeSpec>(object).limits ?? []) {
    if (item.type !== 'Container') continue;
    const limits = { ...item.max, ...item.default };
    const requests = { ...item.min, ...limits, ...item.defaultRequest };
    if (Object.keys(limits).length > 0) item.default = limits;
    if (Object.keys(requests).length > 0) item.defaultRequest = requests;
  }
}

function validate(object: KubeObject): FieldError[] {
  const types = new Set<string>();
  return ((object as LimitRangeObject).spec.limits ?? []).flatMap((item, index) => {
    const field = `spec.limits[${index}]`;
    const errors = item.type
      ? ruleErrors(`${field}.type`, item.type, typeErrors)
      : [required(`${field}.type`)];
    if (types.has(item.type)) errors.push(duplicate(`${field}.type`, item.type));
    types.add(item.type);
    return [...errors, ...itemErrors(item, field)];
  });
}

function typeErrors(type: string): string[] {
  const errors = qualifiedNameErrors(type);
  if (
    errors.length === 0 &&
    !type.includes('/') &&
    !['Pod', 'Container', 'PersistentVolumeClaim'].includes(type)
  )
    errors.push('must be a standard limit type or fully qualified');
  return errors;
}

function itemErrors(item: LimitRangeItem, field: string): FieldError[] {
  const errors: FieldError[] = [];
  if (item.type === 'Pod')
    for (const part of ['default', 'defaultRequest'] as const)
      if (Object.keys(item[part] ?? {}).length > 0)
        errors.push(forbiddenField(`${field}.${part}`, "may not be specified when `type` is 'Pod'"));
  if (item.type === 'PersistentVolumeClaim' && !item.min?.['storage'] && !item.max?.['storage'])
    errors.push(
      required(field, 'either minimum or maximum storage value is required, but neither was provided'),
    );
  const names = new Set(PARTS.flatMap((part) => Object.keys(item[part] ?? {})));
  return [...errors, ...[...names].sort().flatMap((name) => resourceErrors(item, name, field))];
}

function resourceErrors(item: LimitRangeItem, name: string, field: string): FieldError[] {
  const errors: FieldError[] = [];
  for (const part of PARTS) {
    const amount = item[part]?.[name];
    if (amount === undefined) continue;
    errors.push(...ruleErrors(`${field}.${part}[${name}]`, name, qualifiedNameErrors));
    const quantity = parseQuantity(amount);
    if (!quantity || quantity.value < 0n)
      errors.push(invalidValue(`${field}.${part}[${name}]`, amount, 'must be greater than or equal to 0'));
  }
  for (const [lower, upper, lowerName, upperName] of ORDERED) {
    const [less, more] = [item[lower]?.[name] ?? '', item[upper]?.[name] ?? ''];
    if (isLarger(less, more))
      errors.push(
        invalidValue(
          `${field}.${lower}[${name}]`,
          less,
          `${lowerName} value ${less} is greater than ${upperName} value ${more}`,
        ),
      );
  }
  const ratio = item.maxLimitRequestRatio?.[name];
  if (ratio !== undefined && isLarger('1', ratio))
    errors.push(
      invalidValue(`${field}.maxLimitRequestRatio[${name}]`, ratio, `ratio ${ratio} is less than 1`),
    );
  return errors;
}

function isLarger(left: string, right: string): boolean {
  const [a, b] = [parseQuantity(left), parseQuantity(right)];
  return a !== undefined && b !== undefined && compareQuantities(a, b) > 0;
}

export const limitRanges = defineResource({
  version: 'v1',
  kind: 'LimitRange',
  plural: 'limitranges',
  singular: 'limitrange',
  shortNames: ['limits'],
  namespaced: true,
  schema: 'io.k8s.api.core.v1.LimitRange',
  createOnUpdate: true,
  setDefaults,
  validate,
  columns: [nameColumn, createdAtColumn],
});
