import t from 'tap';
import { startHub } from './test-hub.ts';

const hub = await startHub(t);
const AGGREGATED = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';

const GROUPS = [
  'apps',
  'autoscaling',
  'batch',
  'certificates.k8s.io',
  'networking.k8s.io',
  'policy',
  'rbac.authorization.k8s.io',
  'storage.k8s.io',
  'admissionregistration.k8s.io',
  'apiextensions.k8s.io',
  'scheduling.k8s.io',
  'coordination.k8s.io',
  'node.k8s.io',
  'discovery.k8s.io',
  'fleet.holdfast.dev',
  'events.k8s.io',
  'authentication.k8s.io',
  'authorization.k8s.io',
  'metrics.k8s.io',
];

t.test('all in one document', async (t) => {
  const headers = { accept: `${AGGREGATED},application/json` };
  const core = await hub.get('/api?timeout=32s', { headers });
  t.equal(core.headers['content-type'], AGGREGATED);
  t.match(core.body, {
    kind: 'APIGroupDiscoveryList',
    apiVersion: 'apidiscovery.k8s.io/v2',
    items: [{ metadata: {}, versions: [{ version: 'v1', freshness: 'Current' }] }],
  });
  const groups = await hub.get('/apis', {
    headers: { accept: 'application/json;as=APIGroupDiscoveryList;v=v2;g=apidiscovery.k8s.io' },
  });
  t.same(
    groups.body.items.map((each: { metadata: { name: string } }) => each.metadata.name),
    GROUPS,
  );
  const autoscaling = groups.body.items[1].versions.map(({ version }: { version: string }) => version);
  t.same(autoscaling, ['v2', 'v1'], 'the newest version is the preferred one');
  const deployment = groups.body.items[0].versions[0].resources.find(
    (each: { resource: string }) => each.resource === 'deployments',
  );
  t.match(deployment, {
    responseKind: { group: 'apps', version: 'v1', kind: 'Deployment' },
    scope: 'Namespaced',
    singularResource: 'deployment',
    shortNames: ['deploy'],
    categories: ['all'],
    verbs: ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'],
    subresources: [
      {
        subresource: 'scale',
        responseKind: { group: 'autoscaling', version: 'v1', kind: 'Scale' },
        verbs: ['get', 'patch', 'update'],
      },
      { subresource: 'status', responseKind: { kind: 'Deployment' } },
    ],
  });
  const { etag = '' } = core.headers;
  t.match(core.headers, { vary: 'Accept', 'cache-control': 'public' });
  const again = await hub.get('/api', { headers: { ...headers, 'if-none-match': etag } });
  t.same([again.code, again.text], [304, '']);
});

t.test('the old way', async (t) => {
  t.match((await hub.get('/api')).body, { kind: 'APIVersions', versions: ['v1'] });
  t.match((await hub.get('/apis')).body, {
    kind: 'APIGroupList',
    groups: [{ name: 'apps', preferredVersion: { groupVersion: 'apps/v1', version: 'v1' } }, {}],
  });
  t.match((await hub.get('/apis/apps')).body, { kind: 'APIGroup', name: 'apps' });
  const { body } = await hub.get('/api/v1');
  t.match(body, { kind: 'APIResourceList', groupVersion: 'v1' });
  const names = body.resources.map((each: { name: string }) => each.name);
  for (const name of [
    'pods',
    'pods/log',
    'pods/binding',
    'pods/eviction',
    'pods/status',
    'namespaces/finalize',
  ])
    t.ok(names.includes(name), name);
  t.match(
    body.resources.find((each: { name: string }) => each.name === 'pods/eviction'),
    { group: 'policy', version: 'v1', kind: 'Eviction', verbs: ['create'] },
  );
  for (const path of ['/api/v2', '/apis/none', '/apis/apps/v9'])
    t.equal((await hub.get(path)).code, 404, path);
});

t.test('OpenAPI', async (t) => {
  const { body } = await hub.get('/openapi/v3');
  t.same(
    Object.keys(body.paths).sort(),
    [
      'api/v1',
      'apis/autoscaling/v2',
      ...GROUPS.map((group) => `apis/${group}/${group === 'metrics.k8s.io' ? 'v1beta1' : 'v1'}`),
    ].sort(),
  );
  const { serverRelativeURL: url } = body.paths['apis/apps/v1'];
  const document = await hub.get(url);
  t.match(document.headers, { 'cache-control': 'public, immutable', 'content-type': 'application/json' });
  const patch = document.body.paths['/apis/apps/v1/namespaces/{namespace}/deployments/{name}'].patch;
  t.same(patch['x-kubernetes-group-version-kind'], { group: 'apps', version: 'v1', kind: 'Deployment' });
  const moved = await hub.get('/openapi/v3/apis/apps/v1?hash=old');
  t.match(moved, { code: 301, headers: { location: url } });
  const { etag = '' } = document.headers;
  t.equal((await hub.get(url, { headers: { 'if-none-match': etag } })).code, 304);
  t.equal((await hub.get('/openapi/v3/apis/none/v1')).code, 404);
  const stub = await hub.get('/openapi/v2', {
    headers: { accept: 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf' },
  });
  t.equal(stub.headers['content-type'], 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf');
  t.match((await hub.get('/openapi/v2')).body, { swagger: '2.0' });
  t.equal((await hub.get('/openapi/v2', { headers: { accept: 'text/html' } })).code, 406);
});

t.test('version and health', async (t) => {
  t.match((await hub.get('/version')).body, {
    major: '1',
    minor: '34',
    gitVersion: /^v1\.34\.\d+\+holdfast$/,
    platform: /^linux\//,
  });
  t.equal((await hub.get('/livez')).text, 'ok');
  t.equal((await hub.get('/readyz?verbose')).text, '[+]ping ok\nreadyz check passed\n');
});
