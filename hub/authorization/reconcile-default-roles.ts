import { isDeepStrictEqual } from 'node:util';
import type { Registry } from '../registry/registry.ts';
import type { KubeObject, ObjectMeta } from '../resources/object.ts';
import { clusterRoleBindings, clusterRoles } from '../resources/table-of-resources.ts';
import type { RoleBindingObject, RoleObject } from '../resources/typed.ts';
import { missingRules } from './coverage.ts';
import {
  aggregationLabel,
  DEFAULT_CLUSTER_ROLE_BINDINGS,
  DEFAULT_CLUSTER_ROLES,
  type DefaultBinding,
  type DefaultRole,
} from './default-roles.ts';

const AUTOUPDATE = 'rbac.authorization.kubernetes.io/autoupdate';
const BOOTSTRAPPING = { 'kubernetes.io/bootstrapping': 'rbac-defaults' };
const API_GROUP = 'rbac.authorization.k8s.io';
const API_VERSION = `${API_GROUP}/v1`;
const MANAGER = { fieldManager: 'holdfast-hub' };

/**
 * Makes the default roles and bindings, and gives back to those that are there what they lost. What was added stays,
 * and what says `autoupdate: "false"` is left alone.
 */
export async function reconcileDefaultRoles(registry: Registry): Promise<void> {
  await Promise.all(DEFAULT_CLUSTER_ROLES.map((role) => reconcileRole(registry, roleObject(role))));
  await Promise.all(
    DEFAULT_CLUSTER_ROLE_BINDINGS.map((binding) => reconcileBinding(registry, bindingObject(binding))),
  );
}

function roleObject({ name, rules, aggregateTo, isAggregate }: DefaultRole): RoleObject {
  return {
    apiVersion: API_VERSION,
    kind: 'ClusterRole',
    metadata: defaultMetadata(name, aggregateTo ? aggregationLabel(aggregateTo) : {}),
    ...(rules && { rules: [...rules] }),
    ...(isAggregate && {
      aggregationRule: { clusterRoleSelectors: [{ matchLabels: aggregationLabel(name) }] },
    }),
  };
}

function bindingObject({ name, subjects }: DefaultBinding): RoleBindingObject {
  return {
    apiVersion: API_VERSION,
    kind: 'ClusterRoleBinding',
    metadata: defaultMetadata(name, {}),
    roleRef: { apiGroup: API_GROUP, kind: 'ClusterRole', name },
    subjects: [...subjects],
  };
}

function defaultMetadata(name: string, labels: Readonly<Record<string, string>>): ObjectMeta {
  return { name, labels: { ...BOOTSTRAPPING, ...labels }, annotations: { [AUTOUPDATE]: 'true' } };
}

const isProtected = ({ metadata }: KubeObject) => metadata.annotations?.[AUTOUPDATE] === 'false';

async function reconcileRole(registry: Registry, wanted: RoleObject): Promise<void> {
  const change = (current: KubeObject | undefined) =>
    current ? completedRole(current as RoleObject, wanted) : wanted;
  await registry.modify(clusterRoles, undefined, wanted.metadata.name ?? '', change, MANAGER);
}

/** `current` with what it lacks of `wanted`; itself when it lacks nothing. */
export function completedRole(current: RoleObject, wanted: RoleObject): RoleObject {
  if (isProtected(current)) return current;
  const { rules = [], aggregationRule } = current;
  const selectors = aggregationRule?.clusterRoleSelectors ?? [];
  const lost = (wanted.aggregationRule?.clusterRoleSelectors ?? []).filter(
    (selector) => !selectors.some((each) => isDeepStrictEqual(each, selector)),
  );
  const completed = {
    ...current,
    metadata: completedMetadata(current, wanted),
    // The rules of an aggregate are for its controller to write.
    ...(!wanted.aggregationRule && { rules: [...rules, ...missingRules(rules, wanted.rules ?? [])] }),
    ...(wanted.aggregationRule && { aggregationRule: { clusterRoleSelectors: [...selectors, ...lost] } }),
  };
  return isDeepStrictEqual(completed, current) ? current : completed;
}

async function reconcileBinding(registry: Registry, wanted: RoleBindingObject): Promise<void> {
  const name = wanted.metadata.name ?? '';
  const current = registry.get(clusterRoleBindings, undefined, name) as RoleBindingObject | undefined;
  // What a binding gives can not be changed: one that gives another role is replaced.
  if (current && !isProtected(current) && !isDeepStrictEqual(current.roleRef, wanted.roleRef))
    await registry.delete(clusterRoleBindings, undefined, name, {});
  const change = (newest: KubeObject | undefined) =>
    newest ? completedBinding(newest as RoleBindingObject, wanted) : wanted;
  await registry.modify(clusterRoleBindings, undefined, name, change, MANAGER);
}

/** `current` with what it lacks of `wanted`; itself when it lacks nothing. */
export function completedBinding(current: RoleBindingObject, wanted: RoleBindingObject): RoleBindingObject {
  if (isProtected(current)) return current;
  const { subjects = [] } = current;
  const isKnown = (kind: string, name: string) =>
    subjects.some((each) => each.kind === kind && each.name === name);
  const lost = (wanted.subjects ?? []).filter(({ kind, name }) => !isKnown(kind, name));
  const completed = {
    ...current,
    metadata: completedMetadata(current, wanted),
    subjects: [...subjects, ...lost],
  };
  return isDeepStrictEqual(completed, current) ? current : completed;
}

function completedMetadata({ metadata }: KubeObject, wanted: KubeObject): ObjectMeta {
  return {
    ...metadata,
    labels: { ...wanted.metadata.labels, ...metadata.labels },
    annotations: { ...wanted.metadata.annotations, ...metadata.annotations },
  };
}
