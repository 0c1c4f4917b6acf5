import t from 'tap';
import { completedRole, reconcileDefaultRoles } from '../../../hub/authorization/reconcile-default-roles.ts';
import { startClusterRoleAggregation } from '../../../hub/controllers/cluster-role-aggregation/cluster-role-aggregation.ts';
import { EventRecorder } from '../../../hub/controllers/event-recorder.ts';
import type { KubeObject } from '../../../hub/resources/object.ts';
import { clusterRoleBindings, clusterRoles } from '../../../hub/resources/table-of-resources.ts';
import type { RoleBindingObject, RoleObject } from '../../../hub/resources/typed.ts';
import { until } from '../../../scripts/until.ts';
import { silent } from '../controllers/cluster.ts';
import { grants } from './grants.ts';
import { startHub, TestHub } from './test-hub.ts';

const RBAC = '/apis/rbac.authorization.k8s.io/v1';
const PATIENCE_MS = 10_000;

const hub = await startHub(t);
const { roles, may } = grants(hub);
const context = { registry: hub.registry, log: silent, now: Date.now };
const aggregation = startClusterRoleAggregation({ ...context, events: new EventRecorder(context) });
t.before(() => hub.post('/api/v1/namespaces', { metadata: { name: 'other' } }));
t.teardown(() => aggregation.stop());

async function user(name: string, ...groups: string[]) {
  const agent = await TestHub.agentFor(hub.authority, name, groups);
  t.teardown(() => agent.destroy());
  return agent;
}

const role = (name: string) => hub.registry.get(clusterRoles, undefined, name) as RoleObject;

t.test('roles give what they say, where they are bound', async (t) => {
  const ann = await user('ann', 'staff');
  await roles('reader', [{ apiGroups: [''], resources: ['pods', 'pods/log'], verbs: ['get', 'list'] }]);
  await may('reader', 'User', 'ann', 'default');
  t.equal((await hub.get('/api/v1/namespaces/default/pods', { agent: ann })).code, 200);
  t.equal((await hub.get('/api/v1/namespaces/default/pods/x', { agent: ann })).code, 404, 'may look');
  for (const path of [
    '/api/v1/pods',
    '/api/v1/namespaces/other/pods',
    '/api/v1/namespaces/default/pods?watch=1',
  ])
    t.equal((await hub.get(path, { agent: ann })).code, 403, path);
  await may('reader', 'Group', 'staff');
  t.equal((await hub.get('/api/v1/pods', { agent: ann })).code, 200, 'through a group, everywhere');
  await hub.delete(`${RBAC}/clusterrolebindings/reader-staff`);
  t.equal((await hub.get('/api/v1/pods', { agent: ann })).code, 403, 'taken away at once');
});

t.test('a binding of a role that is missing says so', async (t) => {
  const agent = await user('lost');
  await hub.post(`${RBAC}/namespaces/default/rolebindings`, {
    metadata: { name: 'lost' },
    roleRef: { kind: 'Role', name: 'gone' },
    subjects: [{ kind: 'User', name: 'lost' }],
  });
  const { body } = await hub.get('/api/v1/namespaces/default/pods', { agent });
  t.equal(
    body.message,
    'pods is forbidden: User "lost" cannot list resource "pods" in API group "" in the namespace "default": RBAC: role.rbac.authorization.k8s.io "gone" not found',
  );
});

t.test('aggregated roles have the rules of those that they select', async (t) => {
  const has = (name: string, resource: string) =>
    (role(name).rules ?? []).some(({ resources }) => resources?.includes(resource));
  t.ok(await until(() => has('admin', 'rolebindings') && has('admin', 'pods/log'), PATIENCE_MS));
  t.equal(has('view', 'secrets'), false, 'who may look sees no secrets');
  t.equal(has('edit', 'rolebindings'), false, 'who may edit lets in nobody');
  await hub.post(`${RBAC}/clusterroles`, {
    metadata: { name: 'things', labels: { 'rbac.authorization.k8s.io/aggregate-to-view': 'true' } },
    rules: [{ apiGroups: ['example.com'], resources: ['things'], verbs: ['get'] }],
  });
  t.ok(
    await until(() => has('view', 'things') && has('edit', 'things') && has('admin', 'things'), PATIENCE_MS),
  );
  await hub.delete(`${RBAC}/clusterroles/things`);
  t.ok(await until(() => !has('admin', 'things'), PATIENCE_MS), 'and loses them with them');
});

t.test('default roles get back what they lost, unless they are to be left alone', async (t) => {
  const path = `${RBAC}/clusterroles/system:basic-user`;
  const { body } = await hub.get(path);
  const extra = { apiGroups: ['x'], resources: ['y'], verbs: ['get'] };
  await hub.put(path, { ...body, rules: [extra] });
  await hub.patch(`${RBAC}/clusterrolebindings/system:discovery`, 'merge', { subjects: [] });
  await hub.patch(`${RBAC}/clusterroles/system:discovery`, 'merge', {
    metadata: { annotations: { 'rbac.authorization.kubernetes.io/autoupdate': 'false' } },
    rules: [],
  });
  await reconcileDefaultRoles(hub.registry);
  const { rules = [] } = role('system:basic-user');
  t.same(rules[0], extra, 'what was added stays');
  t.ok(rules.some(({ resources }) => resources?.includes('selfsubjectreviews')));
  const binding = hub.registry.get(clusterRoleBindings, undefined, 'system:discovery') as RoleBindingObject;
  t.match(binding.subjects, [{ kind: 'Group', name: 'system:authenticated' }]);
  t.same(role('system:discovery').rules, [], 'left alone');
  const { revision } = hub.registry;
  await reconcileDefaultRoles(hub.registry);
  t.equal(hub.registry.revision, revision, 'nothing is written twice');
  const whole = role('cluster-admin');
  t.equal(completedRole(whole, whole), whole);
});

t.test('nobody gives what they do not have', async (t) => {
  const bob = await user('bob', 'people');
  await roles('role-maker', [
    {
      apiGroups: ['rbac.authorization.k8s.io'],
      resources: ['roles', 'clusterroles', 'rolebindings', 'clusterrolebindings'],
      verbs: ['get', 'create', 'update', 'patch'],
    },
    { apiGroups: [''], resources: ['pods'], verbs: ['get'] },
  ]);
  await may('role-maker', 'User', 'bob');
  const asBob = { agent: bob };
  const pods = (verbs: string[]) => [{ apiGroups: [''], resources: ['pods'], verbs }];
  const made = await hub.post(
    `${RBAC}/namespaces/default/roles`,
    { metadata: { name: 'own' }, rules: pods(['get']) },
    asBob,
  );
  t.equal(made.code, 201, 'what one has');
  const wide = await hub.post(
    `${RBAC}/namespaces/default/roles`,
    { metadata: { name: 'wide' }, rules: [...pods(['list', 'get', 'watch']), ...pods(['delete'])] },
    asBob,
  );
  t.equal(wide.code, 403);
  t.equal(
    wide.body.message,
    'roles.rbac.authorization.k8s.io "wide" is forbidden: user "bob" (groups=["people" "system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[""], Resources:["pods"], Verbs:["list" "watch" "delete"]}',
  );
  t.match(wide.body.details, { name: 'wide', group: 'rbac.authorization.k8s.io', kind: 'roles' });
  const patched = await hub.call('PATCH', `${RBAC}/namespaces/default/roles/own`, {
    body: { rules: pods(['*']) },
    headers: { 'content-type': 'application/merge-patch+json' },
    ...asBob,
  });
  t.match(patched, {
    code: 403,
    body: { message: /^roles.* "own" is forbidden: .*\n\{.*Verbs:\["\*"\]\}$/ },
  });
  const applied = await hub.call('PATCH', `${RBAC}/namespaces/default/roles/applied?fieldManager=x`, {
    body: { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', rules: pods(['*']) },
    headers: { 'content-type': 'application/apply-patch+yaml' },
    ...asBob,
  });
  t.equal(applied.code, 403, 'apply, creating');

  const bind = (roleName: string, name = `to-${roleName}`) =>
    hub.post(
      `${RBAC}/clusterrolebindings`,
      {
        metadata: { name },
        roleRef: { kind: 'ClusterRole', name: roleName },
        subjects: [{ kind: 'User', name: 'bob' }],
      },
      asBob,
    );
  t.match(await bind('cluster-admin'), {
    code: 403,
    body: {
      message:
        'clusterrolebindings.rbac.authorization.k8s.io "to-cluster-admin" is forbidden: user "bob" (groups=["people" "system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:["*"], Resources:["*"], Verbs:["*"]}\n{NonResourceURLs:["*"], Verbs:["*"]}',
    },
  });
  t.match(await bind('nothing'), {
    code: 404,
    body: { message: 'clusterrole.rbac.authorization.k8s.io "nothing" not found' },
  });
  t.match(
    await hub.post(
      `${RBAC}/clusterroles`,
      {
        metadata: { name: 'gather' },
        aggregationRule: { clusterRoleSelectors: [{ matchLabels: { a: 'b' } }] },
      },
      asBob,
    ),
    {
      code: 403,
      body: {
        message:
          'clusterroles.rbac.authorization.k8s.io "gather" is forbidden: must have cluster-admin privileges to use the aggregationRule',
      },
    },
  );
  const anchored: KubeObject = {
    ...made.body,
    metadata: { ...made.body.metadata, finalizers: ['a.example/b'] },
  };
  t.equal((await hub.put(`${RBAC}/namespaces/default/roles/own`, anchored, asBob)).code, 200);

  await roles('binder', [
    {
      apiGroups: ['rbac.authorization.k8s.io'],
      resources: ['clusterroles'],
      resourceNames: ['view'],
      verbs: ['bind'],
    },
    { apiGroups: ['rbac.authorization.k8s.io'], resources: ['roles'], verbs: ['escalate'] },
  ]);
  await may('binder', 'User', 'bob');
  t.equal((await bind('view')).code, 201, 'who may bind');
  t.equal((await bind('edit')).code, 403, 'but not another');
  const escalated = await hub.post(
    `${RBAC}/namespaces/default/roles`,
    { metadata: { name: 'wide' }, rules: pods(['*']) },
    asBob,
  );
  t.equal(escalated.code, 201, 'who may escalate');
});

t.test('decisions cost the same among a thousand bindings', async (t) => {
  await Promise.all(
    Array.from({ length: 1_000 }, (_, index) =>
      may('reader', 'User', `user-${index}`, index % 2 ? 'other' : undefined),
    ),
  );
  const { authorizer } = hub.access;
  const somebody = { name: 'user-501', groups: ['a', 'b', 'system:authenticated'] };
  const attributes = {
    type: 'resource',
    verb: 'get',
    group: '',
    resource: 'pods',
    namespace: 'other',
  } as const;
  t.equal(authorizer.authorize(somebody, attributes).allowed, true);
  const runs = 20_000;
  const startMs = performance.now();
  for (let run = 0; run < runs; run += 1) authorizer.authorize(somebody, { ...attributes, verb: 'delete' });
  const eachMicroseconds = ((performance.now() - startMs) * 1_000) / runs;
  t.comment(`${eachMicroseconds.toFixed(2)} µs for a refusal, which looks at all that there is`);
  t.ok(eachMicroseconds < 50, `${eachMicroseconds} µs`);
});
