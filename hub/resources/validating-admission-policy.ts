import type {
  MatchResources,
  ParamRef,
  ValidatingAdmissionPolicyBindingSpec,
  ValidatingAdmissionPolicySpec,
  Validation,
} from 'kubernetes-types/admissionregistration/v1.d.ts';
import type { FieldError } from './api-error.ts';
import { ageColumn, column, countColumn, nameColumn } from './cells.ts';
import { defineResource, setDefault, specOf } from './define.ts';
import {
  duplicate,
  forbiddenField,
  invalidValue,
  notSupported,
  oneOfErrors,
  required,
  ruleErrors,
} from './field-errors.ts';
import { qualifiedNameErrors, subdomainNameErrors } from './names.ts';
import type { KubeObject } from './object.ts';
import { labelSelectorErrors } from './template-validation.ts';
import type { AdmissionPolicyBindingObject, AdmissionPolicyObject } from './typed.ts';

/* Rules about writes, and where they hold. Expressions are stored as they are: nothing here reads them. */

const FAILURE_POLICIES = ['Fail', 'Ignore'];
const MATCH_POLICIES = ['Equivalent', 'Exact'];
const REASONS = ['Forbidden', 'Invalid', 'RequestEntityTooLarge', 'Unauthorized'];
const OPERATIONS = ['*', 'CONNECT', 'CREATE', 'DELETE', 'UPDATE'];
const SCOPES = ['*', 'Cluster', 'Namespaced'];
const ACTIONS = ['Audit', 'Deny', 'Warn'];
const NOT_FOUND_ACTIONS = ['Allow', 'Deny'];
const IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** As JSON has it: flat, which the published type does not tell. */
interface ResourceRule {
  resourceNames?: string[];
  apiGroups?: string[];
  apiVersions?: string[];
  resources?: string[];
  operations?: string[];
  scope?: string;
}

function rulesOf({ resourceRules = [], excludeResourceRules = [] }: MatchResources): {
  readonly resourceRules: readonly ResourceRule[];
  readonly excludeResourceRules: readonly ResourceRule[];
} {
  return { resourceRules, excludeResourceRules };
}

function setMatchDefaults(match: MatchResources | undefined): void {
  if (!match) return;
  setDefault(match, 'matchPolicy', 'Equivalent');
  setDefault(match, 'namespaceSelector', {});
  setDefault(match, 'objectSelector', {});
  const { resourceRules, excludeResourceRules } = rulesOf(match);
  for (const rule of [...resourceRules, ...excludeResourceRules]) setDefault(rule, 'scope', '*');
}

function policyErrors(object: KubeObject): FieldError[] {
  const { spec } = object as AdmissionPolicyObject;
  const { validations = [], auditAnnotations = [], matchConditions = [], variables = [] } = spec;
  const errors = oneOfErrors('spec.failurePolicy', spec.failurePolicy, FAILURE_POLICIES);
  if (spec.paramKind) {
    if (!spec.paramKind.apiVersion) errors.push(required('spec.paramKind.apiVersion'));
    if (!spec.paramKind.kind) errors.push(required('spec.paramKind.kind'));
  }
  if (!spec.matchConstraints) errors.push(required('spec.matchConstraints'));
  else errors.push(...matchErrors(spec.matchConstraints, 'spec.matchConstraints', true));
  if (validations.length === 0 && auditAnnotations.length === 0)
    errors.push(required('spec.validations', 'validations or auditAnnotations must be non-empty'));
  errors.push(...validations.flatMap((each, index) => validationErrors(each, `spec.validations[${index}]`)));
  for (const [index, { key, valueExpression }] of auditAnnotations.entries()) {
    const field = `spec.auditAnnotations[${index}]`;
    errors.push(...ruleErrors(`${field}.key`, key ?? '', qualifiedNameErrors));
    if (!valueExpression?.trim())
      errors.push(required(`${field}.valueExpression`, 'valueExpression is not specified'));
  }
  errors.push(...namedErrors(matchConditions, 'spec.matchConditions', qualifiedNameErrors));
  errors.push(
    ...namedErrors(variables, 'spec.variables', (name) =>
      IDENTIFIER.test(name) ? [] : ['name is not a valid CEL identifier'],
    ),
  );
  return errors;
}

function validationErrors({ expression, message, reason }: Validation, field: string): FieldError[] {
  const errors: FieldError[] = [];
  if (!expression?.trim()) errors.push(required(`${field}.expression`, 'expression is not specified'));
  if (message?.includes('\n'))
    errors.push(invalidValue(`${field}.message`, message, 'message must not contain line breaks'));
  else if (message !== undefined && message.trim() === '' && message !== '')
    errors.push(invalidValue(`${field}.message`, message, 'message must be non-empty if specified'));
  if (reason !== undefined && !REASONS.includes(reason))
    errors.push(notSupported(`${field}.reason`, reason, REASONS));
  return errors;
}

function namedErrors(
  items: readonly { readonly name: string; readonly expression: string }[],
  field: string,
  rule: (name: string) => readonly string[],
): FieldError[] {
  const names = new Set<string>();
  return items.flatMap(({ name, expression }, index) => {
    const at = `${field}[${index}]`;
    const errors = name ? ruleErrors(`${at}.name`, name, rule) : [required(`${at}.name`)];
    if (names.has(name)) errors.push(duplicate(`${at}.name`, name));
    names.add(name);
    if (!expression?.trim()) errors.push(required(`${at}.expression`));
    return errors;
  });
}

function matchErrors(match: MatchResources, field: string, needsRules: boolean): FieldError[] {
  const rules = rulesOf(match);
  const errors = [
    ...oneOfErrors(`${field}.matchPolicy`, match.matchPolicy, MATCH_POLICIES),
    ...labelSelectorErrors(match.namespaceSelector, `${field}.namespaceSelector`),
    ...labelSelectorErrors(match.objectSelector, `${field}.objectSelector`),
  ];
  if (needsRules && rules.resourceRules.length === 0) errors.push(required(`${field}.resourceRules`));
  for (const name of ['resourceRules', 'excludeResourceRules'] as const)
    for (const [index, rule] of rules[name].entries())
      errors.push(...ruleOfErrors(rule, `${field}.${name}[${index}]`));
  return errors;
}

function ruleOfErrors(rule: ResourceRule, field: string): FieldError[] {
  const errors: FieldError[] = [];
  for (const key of ['apiGroups', 'apiVersions', 'resources', 'operations'] as const) {
    const values = rule[key] ?? [];
    if (values.length === 0) errors.push(required(`${field}.${key}`));
    if (values.length > 1 && values.includes('*'))
      errors.push(
        invalidValue(`${field}.${key}`, values, "if '*' is present, must not specify other values"),
      );
  }
  for (const [index, operation] of (rule.operations ?? []).entries())
    if (!OPERATIONS.includes(operation))
      errors.push(notSupported(`${field}.operations[${index}]`, operation, OPERATIONS));
  if (rule.scope !== undefined && !SCOPES.includes(rule.scope))
    errors.push(notSupported(`${field}.scope`, rule.scope, SCOPES));
  return errors;
}

function bindingErrors(object: KubeObject): FieldError[] {
  const {
    policyName,
    paramRef,
    matchResources,
    validationActions = [],
  } = (object as AdmissionPolicyBindingObject).spec;
  const errors = policyName
    ? ruleErrors('spec.policyName', policyName, subdomainNameErrors)
    : [required('spec.policyName')];
  if (paramRef) errors.push(...paramErrors(paramRef));
  if (matchResources) errors.push(...matchErrors(matchResources, 'spec.matchResources', false));
  if (validationActions.length === 0) errors.push(required('spec.validationActions'));
  for (const [index, action] of validationActions.entries()) {
    const field = `spec.validationActions[${index}]`;
    if (!ACTIONS.includes(action)) errors.push(notSupported(field, action, ACTIONS));
    if (validationActions.indexOf(action) !== index) errors.push(duplicate(field, action));
  }
  if (validationActions.includes('Deny') && validationActions.includes('Warn'))
    errors.push(
      invalidValue(
        'spec.validationActions',
        validationActions,
        'must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)',
      ),
    );
  return errors;
}

function paramErrors({ name, selector, parameterNotFoundAction: action }: ParamRef): FieldError[] {
  const field = 'spec.paramRef';
  const errors: FieldError[] = [];
  if (name) {
    errors.push(...ruleErrors(`${field}.name`, name, subdomainNameErrors));
    if (selector) errors.push(forbiddenField(`${field}.name`, 'name and selector are mutually exclusive'));
  } else if (selector) errors.push(...labelSelectorErrors(selector, `${field}.selector`));
  else errors.push(required(field, 'one of name or selector must be specified'));
  return [...errors, ...oneOfErrors(`${field}.parameterNotFoundAction`, action, NOT_FOUND_ACTIONS)];
}

function paramKindText(object: KubeObject): string {
  const { paramKind } = (object as AdmissionPolicyObject).spec;
  return paramKind ? `${paramKind.apiVersion}/${paramKind.kind}` : '<unset>';
}

function paramRefText(object: KubeObject): string {
  const { paramRef } = (object as AdmissionPolicyBindingObject).spec;
  if (!paramRef) return '<unset>';
  const { name, namespace } = paramRef;
  return `${namespace || '*'}/${name || '*'}`;
}

const names = { group: 'admissionregistration.k8s.io', version: 'v1', namespaced: false } as const;

export const validatingAdmissionPolicies = defineResource({
  ...names,
  kind: 'ValidatingAdmissionPolicy',
  plural: 'validatingadmissionpolicies',
  singular: 'validatingadmissionpolicy',
  categories: ['api-extensions'],
  schema: 'io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicy',
  hasStatus: true,
  updateNeedsVersion: true,
  setDefaults: (object) => {
    const spec = specOf<ValidatingAdmissionPolicySpec>(object);
    setDefault(spec, 'failurePolicy', 'Fail');
    setMatchDefaults(spec.matchConstraints);
  },
  prepareForCreate: (object) => {
    object.status = {};
  },
  validate: policyErrors,
  columns: [
    nameColumn,
    countColumn(
      'Validations',
      'The number of rules.',
      (object) => (object as AdmissionPolicyObject).spec.validations?.length ?? 0,
    ),
    column('ParamKind', 'The kind of its parameters.', paramKindText),
    ageColumn,
  ],
});

export const validatingAdmissionPolicyBindings = defineResource({
  ...names,
  kind: 'ValidatingAdmissionPolicyBinding',
  plural: 'validatingadmissionpolicybindings',
  singular: 'validatingadmissionpolicybinding',
  categories: ['api-extensions'],
  schema: 'io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicyBinding',
  updateNeedsVersion: true,
  hasGeneration: true,
  setDefaults: (object) => {
    setMatchDefaults(specOf<ValidatingAdmissionPolicyBindingSpec>(object).matchResources);
  },
  validate: bindingErrors,
  columns: [
    nameColumn,
    column(
      'PolicyName',
      'The policy that holds.',
      (object) => (object as AdmissionPolicyBindingObject).spec.policyName ?? '',
    ),
    column('ParamRef', 'The parameters of the policy.', paramRefText),
    ageColumn,
  ],
});
