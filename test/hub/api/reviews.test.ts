import t from 'tap';
import { grants } from './grants.ts';
import { startHub, TestHub } from './test-hub.ts';

const AUTHORIZATION = '/apis/authorization.k8s.io/v1';
const hub = await startHub(t);
const { roles, may } = grants(hub);
const ann = await TestHub.agentFor(hub.authority, 'ann', ['staff']);
t.teardown(() => ann.destroy());
t.before(async () => {
  await roles('reader', [
    { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list'] },
    { apiGroups: [''], resources: ['secrets'], resourceNames: ['key'], verbs: ['get'] },
  ]);
  await may('reader', 'User', 'ann', 'default');
  await roles('metrics', [{ nonResourceURLs: ['/metrics'], verbs: ['get'] }]);
  await may('metrics', 'Group', 'staff');
});

const pods = { resource: 'pods', verb: 'list', namespace: 'default' };
const BY_READER = 'RBAC: allowed by RoleBinding "reader-ann/default" of ClusterRole "reader" to User "ann"';

t.test('what I may', async (t) => {
  const mayI = async (spec: object) =>
    (await hub.post(`${AUTHORIZATION}/selfsubjectaccessreviews`, { spec }, { agent: ann })).body.status;
  t.same(await mayI({ resourceAttributes: pods }), { allowed: true, reason: BY_READER });
  t.same(await mayI({ resourceAttributes: { ...pods, namespace: 'x' } }), { allowed: false });
  t.same(await mayI({ resourceAttributes: { resource: 'secrets', verb: 'get', namespace: 'default' } }), {
    allowed: false,
  });
  t.match(
    await mayI({
      resourceAttributes: { resource: 'secrets', name: 'key', verb: 'get', namespace: 'default' },
    }),
    { allowed: true },
  );
  t.match(await mayI({ nonResourceAttributes: { path: '/metrics', verb: 'get' } }), { allowed: true });
});

t.test('what somebody else may', async (t) => {
  const may = (spec: object) => hub.post(`${AUTHORIZATION}/subjectaccessreviews`, { spec });
  t.match((await may({ user: 'ann', resourceAttributes: pods })).body.status, { allowed: true });
  t.match(
    (await may({ user: 'eve', groups: ['staff'], nonResourceAttributes: { path: '/metrics', verb: 'get' } }))
      .body.status,
    { allowed: true },
  );
  t.match((await may({ user: 'eve', resourceAttributes: pods })).body.status, { allowed: false });
  t.match(await may({ resourceAttributes: pods }), {
    code: 422,
    body: { message: /spec\.user: Invalid value: "": at least one of user or group must be specified$/ },
  });
  t.equal((await may({ user: 'ann' })).code, 422);
  t.equal((await hub.post(`${AUTHORIZATION}/subjectaccessreviews`, { spec: {} }, { agent: ann })).code, 403);
  const local = '/apis/authorization.k8s.io/v1/namespaces/default/localsubjectaccessreviews';
  t.match((await hub.post(local, { spec: { user: 'ann', resourceAttributes: pods } })).body.status, {
    allowed: true,
  });
  t.equal(
    (await hub.post(local, { spec: { user: 'ann', resourceAttributes: { ...pods, namespace: 'x' } } })).code,
    422,
  );
});

t.test('all that I may', async (t) => {
  const { body } = await hub.post(
    `${AUTHORIZATION}/selfsubjectrulesreviews`,
    { spec: { namespace: 'default' } },
    { agent: ann },
  );
  t.equal(body.status.incomplete, false);
  t.match(
    body.status.resourceRules.filter(({ resources }: { resources: string[] }) => resources[0] === 'pods'),
    [{ apiGroups: [''], resources: ['pods'], verbs: ['get', 'list'] }],
  );
  t.ok(
    body.status.nonResourceRules.some(
      (rule: { nonResourceURLs: string[] }) => rule.nonResourceURLs[0] === '/metrics',
    ),
  );
  const missing = await hub.post(`${AUTHORIZATION}/selfsubjectrulesreviews`, { spec: {} });
  t.match(missing, { code: 400, body: { message: 'no namespace on request' } });
});

t.test('nothing of a review is stored, and nothing else can be done with one', async (t) => {
  const { revision } = hub.registry;
  await hub.post('/apis/authentication.k8s.io/v1/selfsubjectreviews', {});
  t.equal(hub.registry.revision, revision);
  for (const [method, path] of [
    ['GET', `${AUTHORIZATION}/subjectaccessreviews`],
    ['GET', `${AUTHORIZATION}/subjectaccessreviews/x`],
    ['DELETE', `${AUTHORIZATION}/subjectaccessreviews/x`],
    ['POST', `${AUTHORIZATION}/localsubjectaccessreviews`],
  ] as const)
    t.equal(
      (await hub.call(method, path, { body: method === 'POST' ? {} : undefined })).code,
      405,
      `${method} ${path}`,
    );
  const { body } = await hub.get('/apis/authorization.k8s.io/v1');
  t.same(
    body.resources.map(({ name, verbs }: { name: string; verbs: string[] }) => [name, ...verbs]),
    [
      ['localsubjectaccessreviews', 'create'],
      ['selfsubjectaccessreviews', 'create'],
      ['selfsubjectrulesreviews', 'create'],
      ['subjectaccessreviews', 'create'],
    ],
  );
  const { body: index } = await hub.get('/openapi/v3');
  const { body: document } = await hub.get(index.paths['apis/authorization.k8s.io/v1'].serverRelativeURL);
  t.same(Object.keys(document.paths['/apis/authorization.k8s.io/v1/subjectaccessreviews']), ['post']);
  t.equal(document.paths['/apis/authorization.k8s.io/v1/subjectaccessreviews/{name}'], undefined);
});
