import type { PolicyRule } from 'kubernetes-types/rbac/v1.d.ts';
import t from 'tap';
import type { Attributes } from '../../../hub/authorization/attributes.ts';
import { ruleAllows } from '../../../hub/authorization/rules.ts';

/** `get pods`, `get core/pods/log x`, `get apps/deployments`: verb, group/resource/subresource, name. */
function request(line: string): Attributes {
  const [verb = '', what = '', name] = line.split(' ');
  if (what.startsWith('/')) return { type: 'path', verb, path: what };
  const parts = what.split('/');
  const [domain = '', resource = '', subresource] = parts.length === 1 ? ['core', ...parts] : parts;
  return {
    type: 'resource',
    verb,
    group: domain === 'core' ? '' : domain,
    resource,
    ...(subresource && { subresource }),
    ...(name && { name }),
  };
}

const rule = (group: string, resources: string, verbs: string, names?: string): PolicyRule => ({
  apiGroups: group.split(','),
  resources: resources.split(','),
  verbs: verbs.split(','),
  ...(names && { resourceNames: names.split(',') }),
});
const paths = (urls: string, verbs = 'get'): PolicyRule => ({
  nonResourceURLs: urls.split(','),
  verbs: verbs.split(','),
});

const CASES: readonly [PolicyRule, allowed: readonly string[], denied: readonly string[]][] = [
  [
    rule('', 'pods', 'get,list'),
    ['get pods', 'list pods', 'get pods x'],
    ['watch pods', 'get core/pods/log', 'get apps/pods'],
  ],
  [rule('', 'pods/log', 'get'), ['get core/pods/log x'], ['get pods x', 'get core/pods/exec x']],
  [rule('', '*', '*'), ['get pods', 'delete core/pods/log x', 'anything nodes'], ['get apps/deployments']],
  [rule('*', '*', 'get'), ['get pods', 'get apps/deployments/scale x'], ['list pods', 'get /api']],
  [
    rule('apps,batch', '*/scale', 'update'),
    ['update apps/deployments/scale x', 'update batch/jobs/scale x'],
    [
      'update apps/deployments x',
      'update apps/deployments/status x',
      'update extensions/deployments/scale x',
    ],
  ],
  [
    rule('', 'configmaps', 'get,list,create', 'a,b'),
    ['get configmaps a', 'list configmaps b'],
    ['get configmaps c', 'list configmaps', 'create configmaps'],
  ],
  [
    paths('/healthz,/logs/*'),
    ['get /healthz', 'get /logs/x', 'get /logs/'],
    ['post /healthz', 'get /healthz/x', 'get /logs', 'get pods'],
  ],
  [paths('*', '*'), ['post /anything'], ['get pods']],
];

t.test('what a rule covers', async (t) => {
  for (const [each, allowed, denied] of CASES) {
    for (const line of allowed)
      t.equal(ruleAllows(each, request(line)), true, `${JSON.stringify(each)} allows ${line}`);
    for (const line of denied)
      t.equal(ruleAllows(each, request(line)), false, `${JSON.stringify(each)} denies ${line}`);
  }
});
