import type {
  JobSpec,
  PodFailurePolicy,
  PodFailurePolicyOnExitCodesRequirement,
  PodFailurePolicyRule,
} from 'kubernetes-types/batch/v1.d.ts';
import type { FieldError } from './api-error.ts';
import {
  duplicate,
  invalidValue,
  notSupported,
  oneOfErrors,
  required,
  ruleErrors,
  tooLong,
  tooMany,
} from './field-errors.ts';
import { domainPathErrors, qualifiedNameErrors } from './names.ts';
import { countErrors, podTemplateErrors } from './template-validation.ts';

const COMPLETION_MODES = ['NonIndexed', 'Indexed'];
const REPLACEMENT_POLICIES = ['Failed', 'TerminatingOrFailed'];
const FAILURE_ACTIONS = ['Count', 'FailIndex', 'FailJob', 'Ignore'];
const COUNTS = [
  'parallelism',
  'completions',
  'activeDeadlineSeconds',
  'backoffLimit',
  'ttlSecondsAfterFinished',
  'backoffLimitPerIndex',
  'maxFailedIndexes',
] as const;
const MAX_INDEXED_PARALLELISM = 100_000;
/** Above so many indexes the status could not name each that failed. */
const MANY_COMPLETIONS = 100_000;
const MAX_OF_MANY = 10_000;
const MAX_RULES = 20;
const MAX_EXIT_CODES = 255;
const MAX_INDEXES_LENGTH = 64 * 1024;
const MAX_MANAGER_LENGTH = 63;

/** What is wrong with the spec of a Job or of a CronJob's template, but for its selector. */
export function validateJobSpec(spec: JobSpec, field: string): FieldError[] {
  return [
    ...COUNTS.flatMap((key) => countErrors(spec[key], `${field}.${key}`)),
    ...modeErrors(spec, field),
    ...indexBackoffErrors(spec, field),
    ...(spec.podFailurePolicy ? failurePolicyErrors(spec.podFailurePolicy, spec, field) : []),
    ...successPolicyErrors(spec, field),
    ...replacementErrors(spec, field),
    ...managerErrors(spec, field),
    ...podTemplateErrors(spec.template, `${field}.template`),
    ...restartErrors(spec, `${field}.template.spec.restartPolicy`),
  ];
}

function modeErrors({ completionMode, completions, parallelism }: JobSpec, field: string): FieldError[] {
  if (completionMode === undefined) return [];
  if (!COMPLETION_MODES.includes(completionMode))
    return [notSupported(`${field}.completionMode`, completionMode, COMPLETION_MODES)];
  if (completionMode !== 'Indexed') return [];
  const errors: FieldError[] = [];
  if (completions === undefined)
    errors.push(required(`${field}.completions`, 'when completion mode is Indexed'));
  if ((parallelism ?? 0) > MAX_INDEXED_PARALLELISM)
    errors.push(
      invalidValue(
        `${field}.parallelism`,
        parallelism,
        `must be less than or equal to ${MAX_INDEXED_PARALLELISM} when completion mode is Indexed`,
      ),
    );
  return errors;
}

function indexBackoffErrors(spec: JobSpec, field: string): FieldError[] {
  const { backoffLimitPerIndex, maxFailedIndexes, completions = 0, completionMode } = spec;
  const errors: FieldError[] = [];
  if (backoffLimitPerIndex === undefined) {
    if (maxFailedIndexes !== undefined)
      errors.push(required(`${field}.backoffLimitPerIndex`, 'when maxFailedIndexes is specified'));
    return errors;
  }
  if (completionMode !== 'Indexed')
    errors.push(
      invalidValue(`${field}.backoffLimitPerIndex`, backoffLimitPerIndex, 'requires indexed completion mode'),
    );
  if (maxFailedIndexes !== undefined && maxFailedIndexes > completions)
    errors.push(
      invalidValue(
        `${field}.maxFailedIndexes`,
        maxFailedIndexes,
        'must be less than or equal to completions',
      ),
    );
  return completions > MANY_COMPLETIONS ? [...errors, ...manyIndexesErrors(spec, field)] : errors;
}

function manyIndexesErrors({ maxFailedIndexes, parallelism }: JobSpec, field: string): FieldError[] {
  if (maxFailedIndexes === undefined)
    return [
      required(
        `${field}.maxFailedIndexes`,
        `must be specified when completions is above ${MANY_COMPLETIONS}`,
      ),
    ];
  const tooLarge = (key: string, value: number | undefined) =>
    (value ?? 0) > MAX_OF_MANY
      ? [
          invalidValue(
            `${field}.${key}`,
            value,
            `must be less than or equal to ${MAX_OF_MANY} when completions are above ${MANY_COMPLETIONS} and used with backoff limit per index`,
          ),
        ]
      : [];
  return [...tooLarge('parallelism', parallelism), ...tooLarge('maxFailedIndexes', maxFailedIndexes)];
}

function failurePolicyErrors({ rules = [] }: PodFailurePolicy, spec: JobSpec, field: string): FieldError[] {
  const errors: FieldError[] = [];
  const at = `${field}.podFailurePolicy.rules`;
  const restart = spec.template?.spec?.restartPolicy;
  if (restart !== 'Never')
    errors.push(
      invalidValue(
        `${field}.template.spec.restartPolicy`,
        restart,
        'only "Never" is supported when podFailurePolicy is specified',
      ),
    );
  if (rules.length > MAX_RULES) errors.push(tooMany(at, rules.length, MAX_RULES));
  const { containers = [], initContainers = [] } = spec.template?.spec ?? {};
  const names = [...containers, ...initContainers].map(({ name }) => name);
  return [...errors, ...rules.flatMap((rule, index) => ruleOf(rule, spec, names, `${at}[${index}]`))];
}

function ruleOf(
  rule: PodFailurePolicyRule,
  spec: JobSpec,
  containers: readonly string[],
  field: string,
): FieldError[] {
  const { action, onExitCodes, onPodConditions = [] } = rule;
  const errors = oneOfErrors(`${field}.action`, action, FAILURE_ACTIONS);
  if (action === 'FailIndex' && spec.backoffLimitPerIndex === undefined)
    errors.push(invalidValue(`${field}.action`, action, 'requires the backoffLimitPerIndex to be set'));
  if (onExitCodes && onPodConditions.length > 0)
    errors.push(
      invalidValue(field, rule, 'specifying both OnExitCodes and OnPodConditions is not supported'),
    );
  if (!onExitCodes && onPodConditions.length === 0)
    errors.push(invalidValue(field, rule, 'specifying one of OnExitCodes and OnPodConditions is required'));
  if (onExitCodes) errors.push(...exitCodeErrors(onExitCodes, containers, `${field}.onExitCodes`));
  for (const [index, { type, status }] of onPodConditions.entries()) {
    const at = `${field}.onPodConditions[${index}]`;
    errors.push(...ruleErrors(`${at}.type`, type ?? '', qualifiedNameErrors));
    errors.push(...oneOfErrors(`${at}.status`, status, ['False', 'True', 'Unknown']));
  }
  return errors;
}

function exitCodeErrors(
  { containerName, operator, values = [] }: PodFailurePolicyOnExitCodesRequirement,
  containers: readonly string[],
  field: string,
): FieldError[] {
  const errors = oneOfErrors(`${field}.operator`, operator, ['In', 'NotIn']);
  if (containerName !== undefined && !containers.includes(containerName))
    errors.push(
      invalidValue(
        `${field}.containerName`,
        containerName,
        'must be one of the container or initContainer names in the pod template',
      ),
    );
  if (values.length === 0)
    errors.push(invalidValue(`${field}.values`, values, 'at least one value is required'));
  if (values.length > MAX_EXIT_CODES) errors.push(tooMany(`${field}.values`, values.length, MAX_EXIT_CODES));
  const seen = new Set<number>();
  for (const [index, value] of values.entries()) {
    if (operator === 'In' && value === 0)
      errors.push(invalidValue(`${field}.values[${index}]`, value, 'must not be 0 for the In operator'));
    if (seen.has(value)) errors.push(duplicate(`${field}.values[${index}]`, value));
    seen.add(value);
  }
  if (values.some((value, index) => value < (values[index - 1] ?? value)))
    errors.push(invalidValue(`${field}.values`, values, 'must be ordered'));
  return errors;
}

function successPolicyErrors({ successPolicy, completionMode, completions = 0 }: JobSpec, field: string) {
  const at = `${field}.successPolicy`;
  if (!successPolicy) return [];
  if (completionMode !== 'Indexed')
    return [invalidValue(at, successPolicy, 'requires indexed completion mode')];
  const { rules = [] } = successPolicy;
  if (rules.length === 0)
    return [
      required(`${at}.rules`, 'at least one rules must be specified when the successPolicy is specified'),
    ];
  const errors: FieldError[] = [];
  if (rules.length > MAX_RULES) errors.push(tooMany(`${at}.rules`, rules.length, MAX_RULES));
  for (const [index, { succeededCount, succeededIndexes }] of rules.entries()) {
    const rule = `${at}.rules[${index}]`;
    if (succeededCount === undefined && succeededIndexes === undefined)
      errors.push(required(rule, 'at least one of succeededCount or succeededIndexes must be specified'));
    if (succeededIndexes !== undefined)
      errors.push(...indexesErrors(succeededIndexes, completions, `${rule}.succeededIndexes`));
    errors.push(...countErrors(succeededCount, `${rule}.succeededCount`));
    if ((succeededCount ?? 0) > completions)
      errors.push(
        invalidValue(
          `${rule}.succeededCount`,
          succeededCount,
          `must be less than or equal to ${completions} (the number of specified completions)`,
        ),
      );
  }
  return errors;
}

/** `1,3-5,7`: growing, and below the number of completions. */
function indexesErrors(indexes: string, completions: number, field: string): FieldError[] {
  if (indexes.length > MAX_INDEXES_LENGTH) return [tooLong(field, MAX_INDEXES_LENGTH)];
  let last = -1;
  for (const part of indexes.split(',')) {
    const [, first = '', end = first] = /^(\d+)(?:-(\d+))?$/.exec(part) ?? [];
    const isGrowing = first !== '' && Number(first) > last && Number(end) >= Number(first);
    if (!isGrowing || Number(end) >= completions)
      return [invalidValue(field, indexes, `error parsing succeededIndexes: cannot use the range ${part}`)];
    last = Number(end);
  }
  return [];
}

function replacementErrors({ podReplacementPolicy: policy, podFailurePolicy }: JobSpec, field: string) {
  if (policy === undefined) return [];
  const allowed = podFailurePolicy ? ['Failed'] : REPLACEMENT_POLICIES;
  return oneOfErrors(`${field}.podReplacementPolicy`, policy, allowed);
}

function managerErrors({ managedBy }: JobSpec, field: string): FieldError[] {
  if (managedBy === undefined) return [];
  const errors = ruleErrors(`${field}.managedBy`, managedBy, domainPathErrors);
  if (managedBy.length > MAX_MANAGER_LENGTH) errors.push(tooLong(`${field}.managedBy`, MAX_MANAGER_LENGTH));
  return errors;
}

/** A pod that is started again for ever never completes. */
function restartErrors({ template }: JobSpec, field: string): FieldError[] {
  const policy = template?.spec?.restartPolicy;
  if (policy === 'OnFailure' || policy === 'Never' || !template?.spec) return [];
  return policy === 'Always'
    ? [required(field, 'valid values: "OnFailure", "Never"')]
    : [notSupported(field, policy, ['OnFailure', 'Never'])];
}
