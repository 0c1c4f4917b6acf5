import type { MatchResources } from 'kubernetes-types/admissionregistration/v1.d.ts';
import type { AdmissionRequest } from '../../registry/admission.ts';
import type { KubeObject } from '../../resources/object.ts';
import { matchesLabelSelector } from '../../resources/selector.ts';

/** As JSON has it: flat, which the published type does not tell. */
interface Rule {
  readonly resourceNames?: readonly string[];
  readonly apiGroups?: readonly string[];
  readonly apiVersions?: readonly string[];
  readonly resources?: readonly string[];
  readonly operations?: readonly string[];
  readonly scope?: string;
}

const ANY = '*';

/** Whether a policy or a binding is about this write. `namespace` is the object's, if it is in one. Pure. */
export function isMatched(
  match: MatchResources | undefined,
  request: AdmissionRequest,
  namespace: KubeObject | undefined,
): boolean {
  if (!match) return true;
  const rules = (match.resourceRules ?? []) as readonly Rule[];
  const excluded = (match.excludeResourceRules ?? []) as readonly Rule[];
  // A binding that names no rules is about whatever its policy is about.
  if (rules.length > 0 && !rules.some((rule) => ruleMatches(rule, request))) return false;
  if (excluded.some((rule) => ruleMatches(rule, request))) return false;
  if (namespace && !matchesLabelSelector(match.namespaceSelector ?? {}, namespace.metadata.labels))
    return false;
  const selects = (object: KubeObject | undefined) =>
    object !== undefined && matchesLabelSelector(match.objectSelector ?? {}, object.metadata.labels);
  return selects(request.object) || selects(request.old);
}

function ruleMatches(rule: Rule, { operation, resource, subresource, object }: AdmissionRequest): boolean {
  const has = (values: readonly string[] | undefined, value: string) =>
    values?.includes(ANY) === true || values?.includes(value) === true;
  const scope = resource.namespaced ? 'Namespaced' : 'Cluster';
  const names = rule.resourceNames ?? [];
  return (
    has(rule.operations, operation) &&
    has(rule.apiGroups, resource.group) &&
    has(rule.apiVersions, resource.version) &&
    (rule.scope === undefined || rule.scope === ANY || rule.scope === scope) &&
    (names.length === 0 || names.includes(object.metadata.name ?? '')) &&
    (rule.resources ?? []).some((wanted) => resourceMatches(wanted, resource.plural, subresource))
  );
}

/** `pods`, `pods/status`, `pods/*`, `*`, `*` with a part: without a slash, the object itself is meant. */
function resourceMatches(wanted: string, plural: string, subresource: string | undefined): boolean {
  const [name, part] = wanted.split('/');
  if (name !== ANY && name !== plural) return false;
  return part === undefined ? subresource === undefined : part === ANY || part === subresource;
}
