import type { PolicyRule } from 'kubernetes-types/rbac/v1.d.ts';
import type { Attributes } from './attributes.ts';
import { resourceText } from './attributes.ts';

/* Whether one rule of a role covers one request. */

export const ALL = '*';

/** As Kubernetes evaluates it: every part of the rule must cover its part of the request. */
export function ruleAllows(rule: PolicyRule, attributes: Attributes): boolean {
  if (!coversWord(rule.verbs, attributes.verb)) return false;
  if (attributes.type === 'path') return coversPath(rule.nonResourceURLs, attributes.path);
  const { group, subresource = '', name = '' } = attributes;
  return (
    coversWord(rule.apiGroups, group) &&
    coversResource(rule.resources, resourceText(attributes), subresource) &&
    coversName(rule.resourceNames, name)
  );
}

function coversWord(words: readonly string[] = [], wanted: string): boolean {
  return words.includes(ALL) || words.includes(wanted);
}

/** A star is everything, `pods` no subresource of pods, and a star before `/scale` that subresource of whatever has it. */
export function coversResource(
  resources: readonly string[] = [],
  resource: string,
  subresource: string,
): boolean {
  return resources.some(
    (each) => each === ALL || each === resource || (subresource !== '' && each === `*/${subresource}`),
  );
}

/** A rule with names is for requests of a name only: it lets nobody list or create. */
function coversName(names: readonly string[] = [], name: string): boolean {
  return names.length === 0 || names.includes(name);
}

export function coversPath(urls: readonly string[] = [], path: string): boolean {
  return urls.some(
    (url) => url === ALL || url === path || (url.endsWith(ALL) && path.startsWith(url.replace(/\*+$/, ''))),
  );
}
