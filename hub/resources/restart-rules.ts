import type { Container } from 'kubernetes-types/core/v1.d.ts';
import type { FieldError } from './api-error.ts';
import { forbiddenField, invalidValue, notSupported, required } from './field-errors.ts';

/** Newer than the types that we build on. */
interface RestartRule {
  readonly action?: string;
  readonly exitCodes?: { readonly operator?: string; readonly values?: readonly number[] };
}

const POLICIES = ['Always', 'Never', 'OnFailure'];
const OPERATORS = ['In', 'NotIn'];
const MOST_RULES = 20;
const MOST_CODES = 255;

/** What is wrong with what a container says of when it runs again. */
export function restartErrors(container: Container, field: string): FieldError[] {
  const { restartPolicy, restartPolicyRules: rules = [] } = container as Container & {
    readonly restartPolicyRules?: readonly RestartRule[];
  };
  const errors: FieldError[] = [];
  if (restartPolicy && !POLICIES.includes(restartPolicy))
    errors.push(notSupported(`${field}.restartPolicy`, restartPolicy, POLICIES));
  if (rules.length === 0) return errors;
  const at = `${field}.restartPolicyRules`;
  if (!restartPolicy)
    errors.push(required(`${field}.restartPolicy`, 'must specify restartPolicy when restart rules are used'));
  if (rules.length > MOST_RULES) errors.push(forbiddenField(at, `must have at most ${MOST_RULES} rules`));
  return [...errors, ...rules.flatMap((rule, index) => ruleErrors(rule, `${at}[${index}]`))];
}

function ruleErrors({ action, exitCodes }: RestartRule, field: string): FieldError[] {
  const errors: FieldError[] = [];
  if (!action) errors.push(required(`${field}.action`));
  else if (action !== 'Restart') errors.push(notSupported(`${field}.action`, action, ['Restart']));
  if (!exitCodes) return [...errors, required(`${field}.exitCodes`)];
  const { operator, values = [] } = exitCodes;
  if (!operator) errors.push(required(`${field}.exitCodes.operator`));
  else if (!OPERATORS.includes(operator))
    errors.push(notSupported(`${field}.exitCodes.operator`, operator, OPERATORS));
  if (values.length > MOST_CODES)
    errors.push(forbiddenField(`${field}.exitCodes.values`, `must have at most ${MOST_CODES} values`));
  for (const [index, value] of values.entries())
    if (value < 0 || value > 255)
      errors.push(invalidValue(`${field}.exitCodes.values[${index}]`, value, 'must be between 0 and 255'));
  return errors;
}
