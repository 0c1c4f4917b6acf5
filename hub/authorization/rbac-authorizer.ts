import type { PolicyRule } from 'kubernetes-types/rbac/v1.d.ts';
import type { Registry } from '../registry/registry.ts';
import type { ResourceDefinition } from '../resources/definition.ts';
import { accountUser, groupKey, SUBJECT_INDEX, userKey } from '../resources/rbac-subjects.ts';
import { clusterRoleBindings, clusterRoles, roleBindings, roles } from '../resources/table-of-resources.ts';
import type { RoleBindingObject, RoleObject } from '../resources/typed.ts';
import type { Attributes, Authorizer, Decision, User, UserRules } from './attributes.ts';
import { ruleAllows } from './rules.ts';

/** A binding that names the user, and what it gives. */
interface Grant {
  readonly binding: RoleBindingObject;
  readonly rules: readonly PolicyRule[];
}

/** Roles and bindings, as the registry has them this moment. */
export class RbacAuthorizer implements Authorizer {
  readonly #registry: Registry;

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  authorize(user: User, attributes: Attributes): Decision {
    const problems = new Set<string>();
    const namespace = attributes.type === 'resource' ? attributes.namespace : undefined;
    for (const { binding, rules } of this.#grants(user, namespace, problems)) {
      if (!rules.some((rule) => ruleAllows(rule, attributes))) continue;
      return { allowed: true, reason: `RBAC: allowed by ${grantText(user, binding)}` };
    }
    return { allowed: false, reason: problems.size > 0 ? `RBAC: ${problemsText(problems)}` : '' };
  }

  rulesFor(user: User, namespace: string): UserRules {
    const problems = new Set<string>();
    const rules = [...this.#grants(user, namespace, problems)].flatMap((grant) => grant.rules);
    const isOfPaths = ({ nonResourceURLs = [] }: PolicyRule) => nonResourceURLs.length > 0;
    return {
      resourceRules: rules.filter((rule) => (rule.resources ?? []).length > 0),
      nonResourceRules: rules.filter(isOfPaths),
      incomplete: problems.size > 0,
      error: problems.size > 0 ? problemsText(problems) : '',
    };
  }

  /** All rules that the user has in a namespace, or everywhere without one. */
  policyRules(user: User, namespace: string | undefined): PolicyRule[] {
    return [...this.#grants(user, namespace, new Set())].flatMap(({ rules }) => rules);
  }

  /** What a role gives; undefined when there is none of that name. */
  rulesOfRole(
    { kind, name }: RoleBindingObject['roleRef'],
    namespace: string | undefined,
  ): readonly PolicyRule[] | undefined {
    const role =
      kind === 'Role'
        ? this.#registry.get(roles, namespace, name)
        : this.#registry.get(clusterRoles, undefined, name);
    return role && ((role as RoleObject).rules ?? []);
  }

  *#grants(user: User, namespace: string | undefined, problems: Set<string>): Iterable<Grant> {
    yield* this.#grantsOf(clusterRoleBindings, user, '', problems);
    if (namespace) yield* this.#grantsOf(roleBindings, user, namespace, problems);
  }

  *#grantsOf(
    resource: ResourceDefinition,
    user: User,
    namespace: string,
    problems: Set<string>,
  ): Iterable<Grant> {
    const keys = [userKey(namespace, user.name), ...user.groups.map((group) => groupKey(namespace, group))];
    for (const key of keys) {
      for (const object of this.#registry.byIndex(resource, SUBJECT_INDEX, key)) {
        const binding = object as RoleBindingObject;
        const rules = this.rulesOfRole(binding.roleRef, namespace);
        if (rules) yield { binding, rules };
        else problems.add(missingText(binding));
      }
    }
  }
}

function missingText({ roleRef: { kind, name } }: RoleBindingObject): string {
  return `${kind.toLowerCase()}.rbac.authorization.k8s.io ${JSON.stringify(name)} not found`;
}

function problemsText(problems: ReadonlySet<string>): string {
  const all = [...problems];
  return all.length === 1 ? (all[0] ?? '') : `[${all.join(', ')}]`;
}

function grantText(user: User, { kind, metadata, roleRef, subjects = [] }: RoleBindingObject): string {
  const { name = '', namespace } = metadata;
  const subject = subjects.find((each) => {
    if (each.kind === 'User') return each.name === user.name;
    if (each.kind === 'Group') return user.groups.includes(each.name);
    return accountUser(each.namespace || (namespace ?? ''), each.name) === user.name;
  });
  const whom =
    subject?.kind === 'ServiceAccount'
      ? `${subject.name}/${subject.namespace || (namespace ?? '')}`
      : (subject?.name ?? '');
  const which = JSON.stringify(namespace ? `${name}/${namespace}` : name);
  return `${kind} ${which} of ${roleRef.kind} ${JSON.stringify(roleRef.name)} to ${subject?.kind} ${JSON.stringify(whom)}`;
}
