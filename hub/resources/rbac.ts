import { isDeepStrictEqual } from 'node:util';
import type { PolicyRule, Subject } from 'kubernetes-types/rbac/v1.d.ts';
import type { FieldError } from './api-error.ts';
import { ageColumn, column, createdAtColumn, nameColumn, wideColumn } from './cells.ts';
import { defineResource } from './define.ts';
import { invalidValue, notSupported, required, ruleErrors } from './field-errors.ts';
import { pathNameErrors, subdomainNameErrors } from './names.ts';
import type { KubeObject } from './object.ts';
import { SUBJECT_INDEX, subjectKeys } from './rbac-subjects.ts';
import { labelSelectorErrors } from './template-validation.ts';
import type { RoleBindingObject, RoleObject } from './typed.ts';

/* Who may do what. Roles hold rules; bindings give them to users, groups and service accounts. */

const GROUP = 'rbac.authorization.k8s.io';
const NAMED_SUBJECTS = ['User', 'Group'];

function rulesErrors(rules: readonly PolicyRule[], isNamespaced: boolean): FieldError[] {
  return rules.flatMap((rule, index) => ruleOfErrors(rule, `rules[${index}]`, isNamespaced));
}

function ruleOfErrors(rule: PolicyRule, field: string, isNamespaced: boolean): FieldError[] {
  const { verbs, apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] } = rule;
  const errors: FieldError[] = [];
  if (!verbs?.length) errors.push(required(`${field}.verbs`, 'verbs must contain at least one value'));
  if (nonResourceURLs.length > 0) {
    const at = `${field}.nonResourceURLs`;
    if (isNamespaced)
      errors.push(invalidValue(at, nonResourceURLs, 'namespaced rules cannot apply to non-resource URLs'));
    if (apiGroups.length + resources.length + resourceNames.length > 0)
      errors.push(
        invalidValue(
          at,
          nonResourceURLs,
          'rules cannot apply to both regular resources and non-resource URLs',
        ),
      );
    return errors;
  }
  if (apiGroups.length === 0)
    errors.push(required(`${field}.apiGroups`, 'resource rules must supply at least one api group'));
  if (resources.length === 0)
    errors.push(required(`${field}.resources`, 'resource rules must supply at least one resource'));
  return errors;
}

function aggregationErrors({ aggregationRule }: RoleObject): FieldError[] {
  if (!aggregationRule) return [];
  const { clusterRoleSelectors = [] } = aggregationRule;
  const field = 'aggregationRule.clusterRoleSelectors';
  if (clusterRoleSelectors.length === 0)
    return [required(field, 'at least one clusterRoleSelector required if aggregationRule is non-nil')];
  return clusterRoleSelectors.flatMap((selector, index) =>
    labelSelectorErrors(selector, `${field}[${index}]`),
  );
}

function setBindingDefaults(object: KubeObject): void {
  const { roleRef, subjects = [] } = object as RoleBindingObject;
  if (roleRef) roleRef.apiGroup ||= GROUP;
  for (const subject of subjects) if (NAMED_SUBJECTS.includes(subject.kind)) subject.apiGroup ||= GROUP;
}

function validateBinding(roleKinds: readonly string[], isNamespaced: boolean) {
  return (object: KubeObject, old: KubeObject | undefined): FieldError[] => {
    const { roleRef, subjects = [] } = object as RoleBindingObject;
    return [
      ...roleErrors(roleRef, roleKinds),
      ...subjects.flatMap((each, index) => subjectErrors(each, `subjects[${index}]`, isNamespaced)),
      ...(old && !isDeepStrictEqual(roleRef, (old as RoleBindingObject).roleRef)
        ? [invalidValue('roleRef', roleRef, 'cannot change roleRef')]
        : []),
    ];
  };
}

function roleErrors(
  roleRef: RoleBindingObject['roleRef'] | undefined,
  kinds: readonly string[],
): FieldError[] {
  const { apiGroup, kind, name } = roleRef ?? { kind: '', name: '' };
  const errors: FieldError[] = [];
  if (apiGroup !== GROUP) errors.push(notSupported('roleRef.apiGroup', apiGroup ?? '', [GROUP]));
  if (!kinds.includes(kind)) errors.push(notSupported('roleRef.kind', kind, kinds));
  if (!name) errors.push(required('roleRef.name'));
  else errors.push(...ruleErrors('roleRef.name', name, pathNameErrors));
  return errors;
}

function subjectErrors(
  { kind, name, namespace, apiGroup = '' }: Subject,
  field: string,
  isNamespaced: boolean,
): FieldError[] {
  const errors = name ? [] : [required(`${field}.name`)];
  if (kind === 'ServiceAccount') {
    if (name) errors.push(...ruleErrors(`${field}.name`, name, subdomainNameErrors));
    if (apiGroup !== '') errors.push(notSupported(`${field}.apiGroup`, apiGroup, ['']));
    if (!isNamespaced && !namespace) errors.push(required(`${field}.namespace`));
    return errors;
  }
  if (!NAMED_SUBJECTS.includes(kind))
    return [...errors, notSupported(`${field}.kind`, kind ?? '', ['ServiceAccount', 'User', 'Group'])];
  return apiGroup === GROUP ? errors : [...errors, notSupported(`${field}.apiGroup`, apiGroup, [GROUP])];
}

function subjectsText(object: KubeObject, wanted: string): string {
  const { subjects = [] } = object as RoleBindingObject;
  return subjects
    .filter(({ kind }) => kind === wanted)
    .map(({ name, namespace }) => (wanted === 'ServiceAccount' ? `${namespace ?? ''}/${name}` : name))
    .join(', ');
}

const bindingColumns = [
  nameColumn,
  column('Role', 'What is given.', (object) => {
    const { kind, name } = (object as RoleBindingObject).roleRef;
    return `${kind}/${name}`;
  }),
  ageColumn,
  wideColumn('Users', 'Users whom it is given to.', (object) => subjectsText(object, 'User')),
  wideColumn('Groups', 'Groups whom it is given to.', (object) => subjectsText(object, 'Group')),
  wideColumn('ServiceAccounts', 'Service accounts whom it is given to.', (object) =>
    subjectsText(object, 'ServiceAccount'),
  ),
];

export const roles = defineResource({
  group: GROUP,
  version: 'v1',
  kind: 'Role',
  plural: 'roles',
  singular: 'role',
  namespaced: true,
  schema: 'io.k8s.api.rbac.v1.Role',
  nameRule: 'path',
  createOnUpdate: true,
  setDefaults: (object) => {
    (object as RoleObject).rules ??= [];
  },
  validate: (object) => rulesErrors((object as RoleObject).rules ?? [], true),
  columns: [nameColumn, createdAtColumn],
});

export const clusterRoles = defineResource({
  group: GROUP,
  version: 'v1',
  kind: 'ClusterRole',
  plural: 'clusterroles',
  singular: 'clusterrole',
  namespaced: false,
  schema: 'io.k8s.api.rbac.v1.ClusterRole',
  nameRule: 'path',
  createOnUpdate: true,
  setDefaults: (object) => {
    (object as RoleObject).rules ??= [];
  },
  validate: (object) => [
    ...rulesErrors((object as RoleObject).rules ?? [], false),
    ...aggregationErrors(object as RoleObject),
  ],
  columns: [nameColumn, createdAtColumn],
});

export const roleBindings = defineResource({
  group: GROUP,
  version: 'v1',
  kind: 'RoleBinding',
  plural: 'rolebindings',
  singular: 'rolebinding',
  namespaced: true,
  schema: 'io.k8s.api.rbac.v1.RoleBinding',
  nameRule: 'path',
  createOnUpdate: true,
  setDefaults: setBindingDefaults,
  validate: validateBinding(['Role', 'ClusterRole'], true),
  indexes: { [SUBJECT_INDEX]: subjectKeys },
  columns: bindingColumns,
});

export const clusterRoleBindings = defineResource({
  group: GROUP,
  version: 'v1',
  kind: 'ClusterRoleBinding',
  plural: 'clusterrolebindings',
  singular: 'clusterrolebinding',
  namespaced: false,
  schema: 'io.k8s.api.rbac.v1.ClusterRoleBinding',
  nameRule: 'path',
  createOnUpdate: true,
  setDefaults: setBindingDefaults,
  validate: validateBinding(['ClusterRole'], false),
  indexes: { [SUBJECT_INDEX]: subjectKeys },
  columns: bindingColumns,
});
