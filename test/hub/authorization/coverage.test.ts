import type { PolicyRule } from 'kubernetes-types/rbac/v1.d.ts';
import t from 'tap';
import { compactRules, missingRules, ruleText } from '../../../hub/authorization/coverage.ts';

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

const CASES: readonly [held: PolicyRule[], wanted: PolicyRule[], missing: string[]][] = [
  [[rule('', 'pods', 'get')], [rule('', 'pods', 'get')], []],
  [[rule('', 'pods', 'get'), rule('', 'pods', 'list')], [rule('', 'pods', 'get,list')], []],
  [[rule('*', '*', '*')], [rule('apps', 'deployments/scale', 'get', 'x')], []],
  [[rule('', '*/log', 'get')], [rule('', 'pods/log', 'get')], []],
  [
    [rule('', 'pods', 'get')],
    [rule('', 'pods', 'get,list,watch')],
    ['{APIGroups:[""], Resources:["pods"], Verbs:["list" "watch"]}'],
  ],
  [
    [rule('', 'pods', 'get', 'a')],
    [rule('', 'pods', 'get', 'a,b')],
    ['{APIGroups:[""], Resources:["pods"], ResourceNames:["b"], Verbs:["get"]}'],
  ],
  [
    [rule('', 'pods', 'get', 'a')],
    [rule('', 'pods', 'get')],
    ['{APIGroups:[""], Resources:["pods"], Verbs:["get"]}'],
  ],
  [[rule('', '*', 'get')], [rule('*', '*', '*')], ['{APIGroups:["*"], Resources:["*"], Verbs:["*"]}']],
  [[paths('/logs/*')], [paths('/logs/x')], []],
  [
    [paths('/logs/*')],
    [paths('/logs,/x', 'get,post')],
    [
      '{NonResourceURLs:["/logs"], Verbs:["get"]}',
      '{NonResourceURLs:["/logs"], Verbs:["post"]}',
      '{NonResourceURLs:["/x"], Verbs:["get"]}',
      '{NonResourceURLs:["/x"], Verbs:["post"]}',
    ],
  ],
];

t.test('what is missing of a role, as it is told', async (t) => {
  for (const [held, wanted, missing] of CASES)
    t.same(compactRules(missingRules(held, wanted)).map(ruleText), missing, JSON.stringify(wanted));
});
