import { isDeepStrictEqual } from 'node:util';
import type { PodSpec, PodTemplateSpec } from 'kubernetes-types/core/v1.d.ts';
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

type LabelRequirement = NonNullable<LabelSelector['matchExpressions']>[number];

const OPERATORS = ['In', 'NotIn', 'Exists', 'DoesNotExist'];

/** What is wrong with selector and template of a workload whose pods run for ever. */
export function validateWorkload(spec: WorkloadSpec, old: WorkloadSpec | undefined): FieldError[] {
  return [
    ...requiredSelectorErrors(spec.selector, 'spec.selector', 'deployment'),
    ...(old && !isDeepStrictEqual(spec.selector, old.selector)
      ? [immutable('spec.selector', spec.selector)]
      : []),
    ...templateErrors(spec, 'spec.template'),
  ];
}

/** For workloads: a selector that must be there and must not select everything. `kind` is for the message. */
export function requiredSelectorErrors(
  selector: LabelSelector | undefined,
  field: string,
  kind: string,
): FieldError[] {
  if (!selector) return [required(field)];
  const isEmpty = Object.keys(selector.matchLabels ?? {}).length === 0 && !selector.matchExpressions?.length;
  if (isEmpty) return [invalidValue(field, selector, `empty selector is invalid for ${kind}`)];
  return labelSelectorErrors(selector, field);
}

/** For any selector of labels, which may be absent or empty. */
export function labelSelectorErrors(selector: LabelSelector | undefined, field: string): FieldError[] {
  return [
    ...labelErrors(selector?.matchLabels, `${field}.matchLabels`),
    ...(selector?.matchExpressions ?? []).flatMap((expression, index) =>
      expressionErrors(expression, `${field}.matchExpressions[${index}]`),
    ),
  ];
}

function expressionErrors({ key, operator, values = [] }: LabelRequirement, field: string): FieldError[] {
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
  return [
    ...(selector ? templateLabelErrors(selector, template, field) : []),
    ...podTemplateErrors(template, field),
    ...foreverErrors(template?.spec, field, 'activeDeadlineSeconds in template is not Supported'),
  ];
}

/** The pods of a template must be those that the selector finds. */
export function templateLabelErrors(
  selector: LabelSelector,
  template: PodTemplateSpec | undefined,
  field: string,
): FieldError[] {
  const labels = template?.metadata?.labels;
  if (matchesLabelSelector(selector, labels)) return [];
  return [
    invalidValue(`${field}.metadata.labels`, labels ?? {}, '`selector` does not match template `labels`'),
  ];
}

/** What is wrong with a template by itself; `field` is where it stands. */
export function podTemplateErrors(template: PodTemplateSpec | undefined, field: string): FieldError[] {
  const errors = templateMetadataErrors(template, field);
  if (!template?.spec) return [...errors, required(`${field}.spec.containers`)];
  if (template.spec.ephemeralContainers?.length)
    errors.push(
      forbiddenField(`${field}.spec.ephemeralContainers`, 'ephemeral containers not allowed in pod template'),
    );
  return [...errors, ...validatePodSpec(template.spec, `${field}.spec`)];
}

export function templateMetadataErrors(template: PodTemplateSpec | undefined, field: string): FieldError[] {
  return [
    ...labelErrors(template?.metadata?.labels, `${field}.labels`),
    ...annotationErrors(template?.metadata?.annotations, `${field}.annotations`),
  ];
}

/** For templates of pods that run for ever. */
export function foreverErrors(
  spec: PodSpec | undefined,
  field: string,
  deadlineMessage: string,
): FieldError[] {
  const { restartPolicy, activeDeadlineSeconds } = spec ?? {};
  const errors: FieldError[] = [];
  if (restartPolicy && restartPolicy !== 'Always')
    errors.push(notSupported(`${field}.spec.restartPolicy`, restartPolicy, ['Always']));
  if (activeDeadlineSeconds !== undefined)
    errors.push(forbiddenField(`${field}.spec.activeDeadlineSeconds`, deadlineMessage));
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
