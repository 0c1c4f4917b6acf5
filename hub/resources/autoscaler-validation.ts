import type {
  CrossVersionObjectReference,
  HorizontalPodAutoscalerSpec,
  HPAScalingRules,
  MetricSpec,
  MetricTarget,
} from 'kubernetes-types/autoscaling/v2.d.ts';
import type { FieldError } from './api-error.ts';
import {
  forbiddenField,
  invalidValue,
  notSupported,
  oneOfErrors,
  required,
  ruleErrors,
} from './field-errors.ts';
import { pathNameErrors } from './names.ts';
import { parseQuantity } from './quantity.ts';
import { labelSelectorErrors } from './template-validation.ts';

const METRIC_TYPES = ['ContainerResource', 'External', 'Object', 'Pods', 'Resource'];
const TARGET_TYPES = ['Utilization', 'Value', 'AverageValue'];
const SELECT_POLICIES = ['Disabled', 'Max', 'Min'];
const POLICY_TYPES = ['Percent', 'Pods'];
const MAX_PERIOD_SECONDS = 1800;
const MAX_STABILIZATION_SECONDS = 3600;
const SOURCES = {
  Object: 'object',
  Pods: 'pods',
  Resource: 'resource',
  External: 'external',
  ContainerResource: 'containerResource',
} as const;

/** What is wrong with the spec of a HorizontalPodAutoscaler, in whichever version it was written. */
export function validateAutoscaler(spec: HorizontalPodAutoscalerSpec): FieldError[] {
  const { minReplicas = 1, maxReplicas, scaleTargetRef, metrics = [], behavior } = spec;
  const errors: FieldError[] = [];
  if (minReplicas < 1)
    errors.push(invalidValue('spec.minReplicas', minReplicas, 'must be greater than or equal to 1'));
  if (!(maxReplicas >= 1))
    errors.push(invalidValue('spec.maxReplicas', maxReplicas ?? 0, 'must be greater than 0'));
  if ((maxReplicas ?? 0) < minReplicas)
    errors.push(
      invalidValue('spec.maxReplicas', maxReplicas ?? 0, 'must be greater than or equal to `minReplicas`'),
    );
  return [
    ...errors,
    ...referenceErrors(scaleTargetRef, 'spec.scaleTargetRef'),
    ...metrics.flatMap((metric, index) => metricErrors(metric, `spec.metrics[${index}]`)),
    ...scalingErrors(behavior?.scaleUp, 'spec.behavior.scaleUp'),
    ...scalingErrors(behavior?.scaleDown, 'spec.behavior.scaleDown'),
  ];
}

function referenceErrors(reference: CrossVersionObjectReference | undefined, field: string): FieldError[] {
  return (['kind', 'name'] as const).flatMap((key) =>
    reference?.[key]
      ? ruleErrors(`${field}.${key}`, reference[key], pathNameErrors)
      : [required(`${field}.${key}`)],
  );
}

function metricErrors(metric: MetricSpec, field: string): FieldError[] {
  const errors = oneOfErrors(`${field}.type`, metric.type, METRIC_TYPES);
  if (errors.length > 0) return errors;
  const wanted = SOURCES[metric.type as keyof typeof SOURCES];
  for (const source of Object.values(SOURCES))
    if (source !== wanted && metric[source])
      errors.push(forbiddenField(`${field}.${source}`, 'must populate the given metric source only'));
  if (!metric[wanted])
    return [
      ...errors,
      required(`${field}.${wanted}`, 'must populate information for the given metric source'),
    ];
  const { type, [wanted]: source } = metric;
  return [...errors, ...sourceErrors({ type, [wanted]: source }, `${field}.${wanted}`)];
}

function sourceErrors({ object, pods, resource, external, containerResource }: MetricSpec, field: string) {
  if (object)
    return [
      ...referenceErrors(object.describedObject, `${field}.describedObject`),
      ...identifierErrors(object.metric, field),
      ...targetErrors(object.target, field, ['value', 'averageValue']),
    ];
  if (external)
    return [
      ...identifierErrors(external.metric, field),
      ...targetErrors(external.target, field, ['value', 'averageValue']),
    ];
  if (pods)
    return [...identifierErrors(pods.metric, field), ...targetErrors(pods.target, field, ['averageValue'])];
  const errors: FieldError[] = [];
  const named = containerResource ?? resource;
  if (!named?.name) errors.push(required(`${field}.name`, 'must specify a resource name'));
  if (containerResource && !containerResource.container)
    errors.push(required(`${field}.container`, 'must specify a container name'));
  return [...errors, ...targetErrors(named?.target, field, ['averageUtilization', 'averageValue'])];
}

function identifierErrors(
  metric:
    | { readonly name: string; readonly selector?: Parameters<typeof labelSelectorErrors>[0] }
    | undefined,
  field: string,
): FieldError[] {
  return [
    ...(metric?.name
      ? ruleErrors(`${field}.metric.name`, metric.name, pathNameErrors)
      : [required(`${field}.metric.name`)]),
    ...labelSelectorErrors(metric?.selector, `${field}.metric.selector`),
  ];
}

type Amount = 'averageUtilization' | 'averageValue' | 'value';

/** A target says one of the amounts that its source knows. */
function targetErrors(
  target: MetricTarget | undefined,
  field: string,
  amounts: readonly Amount[],
): FieldError[] {
  const at = `${field}.target`;
  if (!target) return [required(at)];
  const errors = oneOfErrors(`${at}.type`, target.type, TARGET_TYPES);
  if (target.averageUtilization !== undefined && target.averageUtilization < 1)
    errors.push(
      invalidValue(`${at}.averageUtilization`, target.averageUtilization, 'must be greater than 0'),
    );
  for (const key of ['value', 'averageValue'] as const) {
    const amount = target[key];
    if (amount !== undefined && (parseQuantity(amount)?.value ?? 0n) <= 0n)
      errors.push(invalidValue(`${at}.${key}`, amount, 'must be positive'));
  }
  const given = amounts.filter((amount) => target[amount] !== undefined);
  const [first, second] = amounts;
  if (given.length === 0)
    errors.push(
      required(
        `${at}.${first}`,
        second
          ? `must set either a ${words(first)} or a ${words(second)}`
          : `must specify a positive target ${first}`,
      ),
    );
  if (given.length > 1)
    errors.push(
      forbiddenField(`${at}.${second}`, `may not set both a ${words(first)} and a ${words(second)}`),
    );
  return errors;
}

function words(amount: Amount | undefined): string {
  if (amount === 'averageUtilization') return 'target utilization';
  return amount === 'averageValue' ? 'target average value' : 'target value for metric';
}

function scalingErrors(rules: HPAScalingRules | undefined, field: string): FieldError[] {
  if (!rules) return [];
  const { stabilizationWindowSeconds: window, selectPolicy, policies = [] } = rules;
  const errors: FieldError[] = [];
  if (window !== undefined && window < 0)
    errors.push(
      invalidValue(`${field}.stabilizationWindowSeconds`, window, 'must be greater than or equal to zero'),
    );
  if ((window ?? 0) > MAX_STABILIZATION_SECONDS)
    errors.push(
      invalidValue(
        `${field}.stabilizationWindowSeconds`,
        window,
        `must be less than or equal to ${MAX_STABILIZATION_SECONDS}`,
      ),
    );
  if (selectPolicy !== undefined && !SELECT_POLICIES.includes(selectPolicy))
    errors.push(notSupported(`${field}.selectPolicy`, selectPolicy, SELECT_POLICIES));
  if (policies.length === 0) errors.push(required(`${field}.policies`, 'must specify at least one Policy'));
  for (const [index, { type, value, periodSeconds }] of policies.entries()) {
    const at = `${field}.policies[${index}]`;
    if (!POLICY_TYPES.includes(type)) errors.push(notSupported(`${at}.type`, type, POLICY_TYPES));
    if (value <= 0) errors.push(invalidValue(`${at}.value`, value, 'must be greater than zero'));
    if (periodSeconds <= 0)
      errors.push(invalidValue(`${at}.periodSeconds`, periodSeconds, 'must be greater than zero'));
    if (periodSeconds > MAX_PERIOD_SECONDS)
      errors.push(
        invalidValue(
          `${at}.periodSeconds`,
          periodSeconds,
          `must be less than or equal to ${MAX_PERIOD_SECONDS}`,
        ),
      );
  }
  return errors;
}
