import { isDeepStrictEqual } from 'node:util';
import type { PodTemplateSpec } from 'kubernetes-types/core/v1.d.ts';
import type { LabelSelector } from 'kubernetes-types/meta/v1.d.ts';
import type { FieldError } from './api-error.ts';
import { forbiddenField, immutable, invalidValue, notSupported, required } from './field-errors.ts';
import { annotationErrors, labelErrors } from './metadata-validation.ts';
import { qualifiedNameErrors } from './names.ts';
import { validatePodSpec } from './pod-spec-validation.ts';
import { matchesLabelSelector } from './selector.ts';

interface WorkloadSpec {
  readonly selector?: LabelSelector;
  readonly template?: PodTemplateSpec;
}

const OPERATORS = ['In', 'NotIn', 'Exists', 'DoesNotExist'];

/** What is wrong with selector and template of a workload whose pods run for ever. */
export function validateWorkload(spec: WorkloadSpec, old: WorkloadSpec | undefined): FieldError[] {
  return [
    ...selectorErrors(spec.selector, 'spec.selector'),
    ...(old && !isDeepStrictEqual(spec.selector, old.selector)
      ? [immutable('spec.selector', spec.selector)]
      : []),
    ...templateErrors(spec, 'spec.template'),
  ];
}

function selectorErrors(selector: LabelSelector | undefined, field: string): FieldError[] {
  if (!selector) return [required(field)];
  const isEmpty = Object.keys(selector.matchLabels ?? {}).length === 0 && !selector.matchExpressions?.length;
  if (isEmpty) return [invalidValue(field, selector, 'empty selector is invalid for deployment')];
  return [
    ...labelErrors(selector.matchLabels, `${field}.matchLabels`),
    ...(selector.matchExpressions ?? []).flatMap((expression, index) =>
      expressionErrors(expression, `${field}.matchExpressions[${index}]`),
    ),
  ];
}

function expressionErrors(
  { key, operator, values = [] }: NonNullable<LabelSelector['matchExpressions']>[number],
  field: string,
): FieldError[] {
  const errors = qualifiedNameErrors(key ?? '').map((detail) => invalidValue(`${field}.key`, key, detail));
  if (!OPERATORS.includes(operator))
    errors.push(invalidValue(`${field}.operator`, operator, 'not a valid selector operator'));
  const wantsValues = operator === 'In' || operator === 'NotIn';
  if (wantsValues && values.length === 0)
    errors.push(required(`${field}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
  if (!wantsValues && values.length > 0)
    errors.push(
      forbiddenField(`${field}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"),
    );
  return errors;
}

function templateErrors({ selector, template }: WorkloadSpec, field: string): FieldError[] {
  const labels = template?.metadata?.labels;
  const errors: FieldError[] = [];
  if (selector && !matchesLabelSelector(selector, labels))
    errors.push(
      invalidValue(`${field}.metadata.labels`, labels ?? {}, '`selector` does not match template `labels`'),
    );
  errors.push(...labelErrors(labels, `${field}.labels`));
  errors.push(...annotationErrors(template?.metadata?.annotations, `${field}.annotations`));
  if (!template?.spec) return [...errors, required(`${field}.spec.containers`)];
  errors.push(...validatePodSpec(template.spec, `${field}.spec`));
  const { restartPolicy, activeDeadlineSeconds } = template.spec;
  if (restartPolicy && restartPolicy !== 'Always')
    errors.push(notSupported(`${field}.spec.restartPolicy`, restartPolicy, ['Always']));
  if (activeDeadlineSeconds !== undefined)
    errors.push(
      forbiddenField(
        `${field}.spec.activeDeadlineSeconds`,
        'activeDeadlineSeconds in template is not Supported',
      ),
    );
  return errors;
}

/** For counts that may be absent but not negative. */
export function countErrors(value: number | undefined, field: string): FieldError[] {
  return value !== undefined && value < 0
    ? [invalidValue(field, value, 'must be greater than or equal to 0')]
    : [];
}

/** `25%`, or a count. */
export function intOrPercentErrors(value: number | string | undefined, field: string): FieldError[] {
  if (typeof value === 'number') return countErrors(value, field);
  if (value === undefined) return [];
  if (!/^\d+%$/.test(value))
    return [
      invalidValue(
        field,
        value,
        "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
      ),
    ];
  return [];
}

export function isZeroAmount(value: number | string | undefined): boolean {
  return value === 0 || (typeof value === 'string' && Number.parseInt(value, 10) === 0);
}
