import { isDeepStrictEqual } from 'node:util';
import type { PolicyRule } from 'kubernetes-types/rbac/v1.d.ts';
import { ApiError, forbidden } from '../resources/api-error.ts';
import type { ResourceDefinition } from '../resources/definition.ts';
import type { KubeObject } from '../resources/object.ts';
import { clusterRoleBindings, clusterRoles, roleBindings, roles } from '../resources/table-of-resources.ts';
import type { RoleBindingObject, RoleObject } from '../resources/typed.ts';
import type { Authorizer, User } from './attributes.ts';
import { ADMINISTRATORS } from './authorizers.ts';
import { compactRules, listText, missingRules, ruleText } from './coverage.ts';
import type { RbacAuthorizer } from './rbac-authorizer.ts';
import type { AdmittedWrite } from './write-checks.ts';

const RBAC_GROUP = 'rbac.authorization.k8s.io';
const EVERYTHING: readonly PolicyRule[] = [
  { apiGroups: ['*'], resources: ['*'], verbs: ['*'] },
  { nonResourceURLs: ['*'], verbs: ['*'] },
];

/** What the checks ask: `authorizer` for the verbs `escalate` and `bind`, `rbac` for rules. */
export interface EscalationContext {
  readonly authorizer: Authorizer;
  readonly rbac: RbacAuthorizer;
}

/** Throws 403 for a role or binding that would give somebody more than its author has. */
export function checkEscalation(context: EscalationContext, write: AdmittedWrite): void {
  const { user, resource, object, old, operation } = write;
  if (operation === 'DELETE' || !object || user.groups.includes(ADMINISTRATORS)) return;
  if (old && isCleaning(object, old)) return;
  if (resource === roles || resource === clusterRoles) checkRole(context, write, object as RoleObject);
  if (resource === roleBindings || resource === clusterRoleBindings)
    checkBinding(context, write, object as RoleBindingObject);
}

/** The garbage collector and who helps it touch nothing but owners and finalizers. */
function isCleaning(object: KubeObject, old: KubeObject): boolean {
  const rest = ({
    metadata: { ownerReferences: _, finalizers: __, managedFields: ___, ...metadata },
    ...all
  }: KubeObject) => ({
    ...all,
    metadata,
  });
  return isDeepStrictEqual(rest(object), rest(old));
}

function checkRole(context: EscalationContext, write: AdmittedWrite, role: RoleObject): void {
  const { user, resource, namespace, name, old } = write;
  // The name is known from the path only: a rule with names can not let anybody create.
  const requested = write.operation === 'CREATE' ? undefined : name;
  if (hasVerb(context, user, 'escalate', { resource: resource.plural, namespace, name: requested })) return;
  const held = context.rbac.policyRules(user, namespace);
  refuseMissing(user, resource, name, held, role.rules ?? []);
  if (!role.aggregationRule && !(old as RoleObject | undefined)?.aggregationRule) return;
  if (missingRules(held, EVERYTHING).length > 0)
    throw forbidden(resource, name, 'must have cluster-admin privileges to use the aggregationRule');
}

function checkBinding(context: EscalationContext, write: AdmittedWrite, binding: RoleBindingObject): void {
  const { user, resource, namespace, name } = write;
  const { kind, name: role } = binding.roleRef ?? {};
  const plural = kind === 'Role' ? 'roles' : 'clusterroles';
  if (hasVerb(context, user, 'bind', { resource: plural, namespace, name: role })) return;
  const wanted = context.rbac.rulesOfRole(binding.roleRef ?? { kind: '', name: '' }, namespace);
  if (!wanted) throw missingRole(kind, role);
  refuseMissing(user, resource, name, context.rbac.policyRules(user, namespace), wanted);
}

/** To who may not bind it anyway, a role that is missing is told as what it is. */
function missingRole(kind = '', name = ''): ApiError {
  const what = kind.toLowerCase();
  return new ApiError(404, 'NotFound', `${what}.${RBAC_GROUP} ${JSON.stringify(name)} not found`, {
    name,
    group: RBAC_GROUP,
    kind: what,
  });
}

function hasVerb(
  { authorizer }: EscalationContext,
  user: User,
  verb: string,
  {
    resource,
    namespace,
    name,
  }: { resource: string; namespace: string | undefined; name: string | undefined },
): boolean {
  return authorizer.authorize(user, {
    type: 'resource',
    verb,
    group: RBAC_GROUP,
    resource,
    ...(namespace && { namespace }),
    ...(name && { name }),
  }).allowed;
}

function refuseMissing(
  user: User,
  resource: ResourceDefinition,
  name: string,
  held: readonly PolicyRule[],
  wanted: readonly PolicyRule[],
): void {
  const missing = missingRules(held, wanted);
  if (missing.length === 0) return;
  const lines = [...new Set(compactRules(missing).map(ruleText))].sort().join('\n');
  const who = `user ${JSON.stringify(user.name)} (groups=${listText(user.groups)})`;
  throw forbidden(
    resource,
    name,
    `${who} is attempting to grant RBAC permissions not currently held:\n${lines}`,
  );
}
