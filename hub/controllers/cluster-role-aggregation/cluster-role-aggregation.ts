import { isDeepStrictEqual } from 'node:util';
import type { PolicyRule } from 'kubernetes-types/rbac/v1.d.ts';
import type { Registry } from '../../registry/registry.ts';
import { matchesLabelSelector } from '../../resources/selector.ts';
import { clusterRoles } from '../../resources/table-of-resources.ts';
import type { RoleObject } from '../../resources/typed.ts';
import { type ControllerContext, type Running, startController } from '../controller.ts';
import { changeExisting } from '../status.ts';

const SOURCE = { fieldManager: 'clusterrole-aggregation-controller' };

/** Gives roles that have an `aggregationRule` the rules of the roles that it selects. */
export function startClusterRoleAggregation(context: ControllerContext): Running {
  const { registry } = context;
  return startController(context, {
    name: 'clusterrole-aggregation',
    // Whichever role changes, it may be part of any of the few that aggregate.
    watches: [{ resource: clusterRoles, keys: () => aggregates(registry) }],
    sync: async (name) => {
      const role = registry.get(clusterRoles, undefined, name) as RoleObject | undefined;
      if (!role?.aggregationRule || role.metadata.deletionTimestamp) return undefined;
      const all = registry.list(clusterRoles).items as readonly RoleObject[];
      const rules = aggregatedRules(role, all);
      if (isDeepStrictEqual(role.rules ?? [], rules)) return undefined;
      await changeExisting(registry, clusterRoles, role, (current) => ({ ...current, rules }), SOURCE);
      return undefined;
    },
  });
}

function aggregates(registry: Registry): string[] {
  const all = registry.list(clusterRoles).items as readonly RoleObject[];
  return all.flatMap(({ aggregationRule, metadata }) => (aggregationRule ? [metadata.name ?? ''] : []));
}

/** In the order of the selectors, then of the names; each rule once. */
export function aggregatedRules(role: RoleObject, all: readonly RoleObject[]): PolicyRule[] {
  const others = all.filter(({ metadata }) => metadata.name !== role.metadata.name);
  const selected = (role.aggregationRule?.clusterRoleSelectors ?? []).flatMap((selector) =>
    others.filter(({ metadata }) => matchesLabelSelector(selector, metadata.labels)),
  );
  const rules = selected.flatMap((each) => each.rules ?? []);
  return [...new Map(rules.map((rule) => [JSON.stringify(rule), rule])).values()];
}
