import type { PolicyRule } from 'kubernetes-types/rbac/v1.d.ts';
import { ALL, coversPath, coversResource } from './rules.ts';

/* Whether the rules that somebody has contain the rules of a role: nobody may give away what they do not have. */

/** The parts of `wanted` that no rule of `held` covers, as rules of one verb on one thing; none when all are. */
export function missingRules(held: readonly PolicyRule[], wanted: readonly PolicyRule[]): PolicyRule[] {
  return wanted.flatMap(atoms).filter((atom) => !held.some((rule) => covers(rule, atom)));
}

/** A rule taken apart into rules of one group, resource, name and verb, or of one path and verb. */
function atoms({
  verbs = [],
  apiGroups = [],
  resources = [],
  resourceNames = [],
  nonResourceURLs = [],
}: PolicyRule): PolicyRule[] {
  const onResources = apiGroups.flatMap((group) =>
    resources.flatMap((resource) =>
      verbs.flatMap((verb): PolicyRule[] => {
        const atom = { apiGroups: [group], resources: [resource], verbs: [verb] };
        if (resourceNames.length === 0) return [atom];
        return resourceNames.map((name) => ({ ...atom, resourceNames: [name] }));
      }),
    ),
  );
  const onPaths = nonResourceURLs.flatMap((url) =>
    verbs.map((verb) => ({ nonResourceURLs: [url], verbs: [verb] })),
  );
  return [...onResources, ...onPaths];
}

function covers(rule: PolicyRule, atom: PolicyRule): boolean {
  const { apiGroups, resources = [], resourceNames = [], nonResourceURLs = [] } = atom;
  if (!holdsAll(rule.verbs, atom.verbs)) return false;
  if (nonResourceURLs.length > 0)
    return nonResourceURLs.every((url) => coversPath(rule.nonResourceURLs, url));
  const names = rule.resourceNames ?? [];
  return (
    holdsAll(rule.apiGroups, apiGroups) &&
    resources.every((resource) => coversResource(rule.resources, resource, resource.split('/')[1] ?? '')) &&
    (names.length === 0 || (resourceNames.length > 0 && resourceNames.every((name) => names.includes(name))))
  );
}

function holdsAll(held: readonly string[] = [], wanted: readonly string[] = []): boolean {
  return held.includes(ALL) || wanted.every((each) => held.includes(each));
}

/** Rules that differ in their verbs only, as one. */
export function compactRules(rules: readonly PolicyRule[]): PolicyRule[] {
  const compact = new Map<string, PolicyRule>();
  for (const rule of rules) {
    const { verbs, ...rest } = rule;
    const isSimple = !rest.nonResourceURLs?.length && (rest.resourceNames ?? []).length <= 1;
    const key = JSON.stringify(isSimple ? rest : rule);
    const known = compact.get(key);
    compact.set(key, known ? { ...known, verbs: [...known.verbs, ...verbs] } : rule);
  }
  return [...compact.values()];
}

const PARTS = [
  ['APIGroups', 'apiGroups'],
  ['Resources', 'resources'],
  ['NonResourceURLs', 'nonResourceURLs'],
  ['ResourceNames', 'resourceNames'],
  ['Verbs', 'verbs'],
] as const;

/** `{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}`. */
export function ruleText(rule: PolicyRule): string {
  const parts = PARTS.flatMap(([label, key]) => {
    const values = rule[key] ?? [];
    return values.length > 0 ? [`${label}:${listText(values)}`] : [];
  });
  return `{${parts.join(', ')}}`;
}

/** As Go prints a list of strings: `["a" "b"]`. */
export function listText(values: readonly string[]): string {
  return `[${values.map((value) => JSON.stringify(value)).join(' ')}]`;
}
