import t from 'tap';
import { startHub } from './test-hub.ts';

const hub = await startHub(t);
const maps = '/api/v1/namespaces/default/configmaps';
const deployments = '/apis/apps/v1/namespaces/default/deployments';
const TABLE = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' };
const PARTIAL = { accept: 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io' };

const map = (name: string, data: object = {}, metadata: object = {}) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, ...metadata },
  data,
});
const deployment = (name: string, spec: object = {}) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name },
  spec: {
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'a', image: 'b:1' }] } },
    ...spec,
  },
});

t.test('create', async (t) => {
  const given = map(
    'created',
    { a: 'b' },
    { creationTimestamp: null, uid: 'mine', deletionTimestamp: '2020-01-01T00:00:00Z' },
  );
  const { code, body } = await hub.post(maps, given);
  t.equal(code, 201);
  t.match(body, {
    kind: 'ConfigMap',
    apiVersion: 'v1',
    data: { a: 'b' },
    metadata: {
      name: 'created',
      namespace: 'default',
      resourceVersion: /^\d+$/,
      uid: /-/,
      creationTimestamp: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/,
    },
  });
  t.equal(body.metadata.deletionTimestamp, undefined);
  t.match(body.metadata.managedFields, [
    { manager: 'unknown', operation: 'Update', fieldsV1: { 'f:data': { 'f:a': {} } } },
  ]);
  t.same((await hub.get(`${maps}/created`)).body, body);
  t.match(await hub.post(maps, given), {
    code: 409,
    body: {
      reason: 'AlreadyExists',
      message: 'configmaps "created" already exists',
      details: { name: 'created', kind: 'configmaps' },
    },
  });
  const generated = await hub.post(maps, { ...given, metadata: { generateName: 'some-' } });
  t.match(generated.body.metadata.name, /^some-[a-z0-9]{5}$/);
});

t.test('a body that says less, or something else', async (t) => {
  t.match((await hub.post(maps, { metadata: { name: 'bare' } })).body, {
    kind: 'ConfigMap',
    apiVersion: 'v1',
  });
  const cases: [string, object, RegExp][] = [
    ['another kind', { ...map('x'), kind: 'Secret' }, /the kind in the data \(Secret\) does not match/],
    [
      'another version',
      { ...map('x'), apiVersion: 'apps/v1' },
      /does not match the expected API version \(v1\)/,
    ],
    [
      'another namespace',
      map('x', {}, { namespace: 'other' }),
      /the namespace of the provided object does not match/,
    ],
    [
      'a wrong type',
      map('x', { a: 1 }),
      /ConfigMap in version "v1" cannot be handled as a ConfigMap: json: cannot unmarshal number/,
    ],
  ];
  for (const [what, body, message] of cases)
    t.match(await hub.post(maps, body), { code: 400, body: { reason: 'BadRequest', message } }, what);
  t.match(await hub.post(maps, '{"a":'), { code: 400 }, 'no JSON');
  t.match(await hub.post(maps, '[]'), { code: 400 }, 'no object');
  t.match(await hub.call('POST', maps), { code: 400 }, 'nothing');
  t.match(await hub.put(`${maps}/bare`, map('other')), {
    code: 400,
    body: { message: 'the name of the object (other) does not match the name on the URL (bare)' },
  });
  t.match(await hub.post('/api/v1/namespaces/missing/configmaps', map('x')), {
    code: 404,
    body: { message: 'namespaces "missing" not found' },
  });
  t.equal((await hub.post('/api/v1/configmaps', map('x'))).code, 405);
  t.equal((await hub.post(`${maps}/bare`, map('bare'))).code, 405);
  t.match(await hub.post(maps, map('x'), { headers: { 'content-type': 'application/cbor' } }), {
    code: 415,
    body: { reason: 'UnsupportedMediaType' },
  });
});

t.test('YAML', async (t) => {
  const headers = { 'content-type': 'application/yaml' };
  t.match(await hub.post(maps, 'metadata: {name: yaml}\ndata:\n  a: "1"\n', { headers }), {
    code: 201,
    body: { data: { a: '1' } },
  });
  t.match(
    (await hub.get(`${maps}/yaml`, { headers: { accept: 'application/yaml' } })).text,
    /^kind: ConfigMap$/m,
  );
  t.equal((await hub.post(maps, 'a: [', { headers })).code, 400);
  t.equal((await hub.post(maps, 'a: &a [1]\na: *a\n', { headers })).code, 400, 'a key twice');
});

t.test('fields that are not known', async (t) => {
  const body = { ...map('unknown'), extra: 1 };
  const strict = await hub.post(`${maps}?fieldValidation=Strict`, body);
  t.match(strict, {
    code: 400,
    body: {
      message:
        'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "extra"',
    },
  });
  const warned = await hub.post(`${maps}?dryRun=All`, body);
  t.equal(warned.code, 201);
  t.equal(warned.headers['warning'], '299 - "unknown field \\"extra\\""');
  t.equal(warned.body.extra, undefined, 'they are dropped');
  t.equal((await hub.post(`${maps}?fieldValidation=Ignore`, body)).headers['warning'], undefined);
  t.match(
    await hub.post(
      `${maps}?fieldValidation=Strict`,
      '{"metadata":{"name":"twice"},"data":{"a":"1","a":"2"}}',
    ),
    { code: 400, body: { message: /duplicate field "data.a"/ } },
  );
  t.equal((await hub.post(`${maps}?fieldValidation=Perhaps`, body)).code, 422);
});

t.test('a dry run', async (t) => {
  const { revision } = hub.registry;
  t.equal((await hub.post(`${maps}?dryRun=All`, map('dry'))).code, 201);
  t.equal((await hub.get(`${maps}/dry`)).code, 404);
  t.match(await hub.post(`${maps}?dryRun=Some`, map('dry')), {
    code: 422,
    body: { details: { causes: [{ field: 'dryRun', reason: 'FieldValueNotSupported' }] } },
  });
  t.equal(hub.registry.revision, revision, 'nothing was written');
});

t.test('update', async (t) => {
  const { body: first } = await hub.post(deployments, deployment('updated'));
  t.equal(first.metadata.generation, 1);
  t.equal(first.status, undefined);
  const changed = { ...first, spec: { ...first.spec, replicas: 3 }, status: { replicas: 9 } };
  const { code, body: second } = await hub.put(`${deployments}/updated`, changed);
  t.equal(code, 200);
  t.match(second, { metadata: { generation: 2 }, spec: { replicas: 3 } });
  t.equal(second.status, undefined, 'the main path keeps the status');
  t.match(await hub.put(`${deployments}/updated`, changed), {
    code: 409,
    body: {
      reason: 'Conflict',
      message: /^Operation cannot be fulfilled on deployments.apps "updated": the object has been modified/,
    },
  });
  const { body: third } = await hub.put(`${deployments}/updated/status`, {
    ...second,
    spec: {},
    status: { replicas: 3 },
  });
  t.match(
    third,
    { metadata: { generation: 2 }, spec: { replicas: 3 }, status: { replicas: 3 } },
    'status changes status only',
  );
  const same = await hub.put(`${deployments}/updated`, third);
  t.equal(same.body.metadata.resourceVersion, third.metadata.resourceVersion, 'no change takes no revision');
  t.match(await hub.put(`${deployments}/missing`, deployment('missing')), {
    code: 404,
    body: { message: 'deployments.apps "missing" not found' },
  });
  const events = '/api/v1/namespaces/default/events';
  const event = { metadata: { name: 'e' }, involvedObject: { namespace: 'default' } };
  t.equal((await hub.put(`${events}/e`, event)).code, 201, 'some kinds are created by it');
  t.match(
    await hub.put(`${deployments}/updated`, {
      ...third,
      spec: { ...third.spec, selector: { matchLabels: { x: 'y' } } },
    }),
    {
      code: 422,
      body: {
        details: {
          kind: 'Deployment',
          group: 'apps',
          causes: [{ field: 'spec.selector' }, { field: 'spec.template.metadata.labels' }],
        },
      },
    },
  );
});

t.test('a list and its tables', async (t) => {
  const list = await hub.get(`${maps}?labelSelector=!x&limit=500`);
  t.match(list.body, {
    kind: 'ConfigMapList',
    apiVersion: 'v1',
    metadata: { resourceVersion: String(hub.registry.revision) },
  });
  const names = list.body.items.map(({ metadata }: { metadata: { name: string } }) => metadata.name);
  t.same(names, [...names].sort(), 'by name');
  t.same((await hub.get('/api/v1/nodes')).body.items, []);
  const { body: table } = await hub.get(maps, { headers: TABLE });
  t.match(table, {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    columnDefinitions: [{ name: 'Name', format: 'name', priority: 0 }, { name: 'Data' }, { name: 'Age' }],
  });
  t.match(table.rows[1], {
    cells: ['created', '1', /s$/],
    object: { kind: 'PartialObjectMetadata', metadata: { name: 'created' } },
  });
  t.equal(table.rows[1].object.data, undefined);
  const { body: full } = await hub.get(`${maps}/created?includeObject=Object`, { headers: TABLE });
  t.match(full.rows, [{ object: { kind: 'ConfigMap', data: { a: 'b' } } }], 'of one object');
  t.equal((await hub.get(`${maps}?includeObject=None`, { headers: TABLE })).body.rows[0].object, undefined);
  t.equal((await hub.get(`${maps}?includeObject=Some`, { headers: TABLE })).code, 400);
  t.match((await hub.get(maps, { headers: PARTIAL })).body, {
    kind: 'PartialObjectMetadataList',
    items: [{ kind: 'PartialObjectMetadata' }],
  });
  t.match((await hub.get(`${maps}/created`, { headers: PARTIAL })).body, {
    kind: 'PartialObjectMetadata',
    metadata: { name: 'created' },
  });
  t.equal((await hub.get(maps, { headers: { accept: 'text/html' } })).code, 406);
});

t.test('selectors and versions', async (t) => {
  const names = async (query: string) =>
    (await hub.get(`${maps}?${query}`)).body.items?.map(
      (each: { metadata: { name: string } }) => each.metadata.name,
    );
  t.same(await names('fieldSelector=metadata.name%3Dcreated'), ['created']);
  t.same(await names('fieldSelector=metadata.name%3Dmissing'), []);
  t.match(await hub.get(`${maps}?fieldSelector=data%3Dx`), {
    code: 400,
    body: { message: 'field label not supported: data' },
  });
  t.equal((await hub.get(`${maps}?labelSelector=a%3D%3D%3D`)).code, 400);
  t.equal((await hub.get(`${maps}?resourceVersion=0`)).code, 200);
  const future = await hub.get(`${maps}?resourceVersion=999999`);
  t.match(future, {
    code: 504,
    headers: { 'retry-after': '1' },
    body: { details: { causes: [{ reason: 'ResourceVersionTooLarge' }] } },
  });
  t.same(await names('resourceVersion=1&resourceVersionMatch=Exact'), []);
  t.equal((await hub.get(`${maps}?resourceVersion=0&resourceVersionMatch=Exact`)).code, 422);
  t.equal((await hub.get(`${maps}?resourceVersionMatch=Exact`)).code, 422);
  t.equal((await hub.get(`${maps}?sendInitialEvents=true`)).code, 422);
  t.equal((await hub.get(`${maps}?continue=abc`)).code, 400);
  t.equal((await hub.get(`${maps}?limit=x`)).code, 400);
  t.equal((await hub.get(`${maps}?resourceVersion=x`)).code, 400);
});

t.test('pages of one state', async (t) => {
  const secrets = '/api/v1/namespaces/default/secrets';
  const names = ({ body }: { body: { items: { metadata: { name: string } }[] } }) =>
    body.items.map(({ metadata }) => metadata.name);
  for (const name of ['s1', 's2', 's3', 's4', 's5']) await hub.post(secrets, { metadata: { name } });
  const first = await hub.get(`${secrets}?limit=2`);
  t.same(names(first), ['s1', 's2']);
  t.equal(first.body.metadata.remainingItemCount, 3);
  await hub.delete(`${secrets}/s3`);
  await hub.post(secrets, { metadata: { name: 's6' } });
  const second = await hub.get(`${secrets}?limit=2&continue=${first.body.metadata.continue}`);
  t.same(names(second), ['s3', 's4'], 'what changed meanwhile is not seen');
  t.equal(second.body.metadata.resourceVersion, first.body.metadata.resourceVersion);
  const elsewhere = await hub.get(`${maps}?continue=${second.body.metadata.continue}`);
  t.equal(elsewhere.code, 400, 'a token is for its collection only');
  const third = await hub.get(`${secrets}?limit=2&continue=${second.body.metadata.continue}`);
  t.same(names(third), ['s5']);
  t.equal(third.body.metadata.continue, undefined);
  t.equal((await hub.get(`${secrets}?continue=${second.body.metadata.continue}`)).code, 410, 'it is over');
  const selected = await hub.get(`${secrets}?limit=2&labelSelector=!x`);
  t.ok(selected.body.metadata.continue);
  t.equal(selected.body.metadata.remainingItemCount, undefined, 'unknown where a selector is');
  t.equal((await hub.get(`${secrets}?limit=5`)).body.metadata.continue, undefined, 'exactly one page');
});

t.test('delete', async (t) => {
  const { body: created } = await hub.post(maps, map('gone'));
  const { uid } = created.metadata;
  t.match(await hub.delete(`${maps}/gone`, { preconditions: { uid: 'other' } }), { code: 409 });
  t.match(await hub.delete(`${maps}/gone`, { propagationPolicy: 'Sometimes' }), { code: 422 });
  t.match(await hub.delete(`${maps}/gone`, { propagationPolicy: 'Orphan', orphanDependents: true }), {
    code: 422,
  });
  t.equal((await hub.delete(`${maps}/gone?dryRun=All`)).code, 200);
  const answer = await hub.delete(`${maps}/gone`, { propagationPolicy: 'Background' });
  t.match(answer, {
    code: 200,
    body: { kind: 'Status', status: 'Success', details: { name: 'gone', kind: 'configmaps', uid } },
  });
  t.match(await hub.delete(`${maps}/gone`), { code: 404 });
  await hub.post(maps, map('kept', {}, { finalizers: ['example.com/wait'] }));
  const ending = await hub.delete(`${maps}/kept`);
  t.match(ending, {
    code: 200,
    body: { kind: 'ConfigMap', metadata: { deletionTimestamp: /Z$/, deletionGracePeriodSeconds: 0 } },
  });
  await hub.patch(`${maps}/kept`, 'merge', { metadata: { finalizers: null } });
  t.equal((await hub.get(`${maps}/kept`)).code, 404, 'the last finalizer took it along');
});

t.test('delete a collection', async (t) => {
  for (const name of ['c1', 'c2', 'c3'])
    await hub.post(maps, map(name, {}, { labels: { group: name === 'c3' ? 'b' : 'a' } }));
  const { code, body } = await hub.delete(`${maps}?labelSelector=group%3Da`);
  t.equal(code, 200);
  t.match(body, {
    kind: 'ConfigMapList',
    items: [{ metadata: { name: 'c1' } }, { metadata: { name: 'c2' } }],
  });
  t.equal((await hub.get(`${maps}/c1`)).code, 404);
  t.equal((await hub.get(`${maps}/c3`)).code, 200);
});

t.test('namespaces that must stay', async (t) => {
  const message = 'namespaces "default" is forbidden: this namespace may not be deleted';
  t.match(await hub.delete('/api/v1/namespaces/default'), { code: 403, body: { message } });
  t.equal((await hub.delete('/api/v1/namespaces?fieldSelector=metadata.name%3Ddefault')).code, 200);
  const { body } = await hub.get('/api/v1/namespaces/default');
  t.equal(body.metadata.deletionTimestamp, undefined, 'nor with all the others');
});

t.test('a namespace ends when its finalizer is taken away', async (t) => {
  await hub.post('/api/v1/namespaces', { metadata: { name: 'brief' } });
  const stolen = await hub.patch('/api/v1/namespaces/brief', 'merge', { spec: { finalizers: [] } });
  t.same(stolen.body.spec.finalizers, ['kubernetes'], 'not while it lives');
  const { body: ending } = await hub.delete('/api/v1/namespaces/brief');
  t.match(ending, { kind: 'Namespace', metadata: { deletionTimestamp: /Z$/ } });
  const refused = await hub.post('/api/v1/namespaces/brief/configmaps', map('late'));
  t.match(refused, { code: 403, body: { details: { causes: [{ reason: 'NamespaceTerminating' }] } } });
  const finalized = await hub.put('/api/v1/namespaces/brief/finalize', {
    ...ending,
    spec: { finalizers: [] },
  });
  t.equal(finalized.code, 200);
  t.equal((await hub.get('/api/v1/namespaces/brief')).code, 404);
});

t.test('scale', async (t) => {
  await hub.post(deployments, deployment('scaled', { replicas: 2 }));
  const path = `${deployments}/scaled/scale`;
  const { body: scale } = await hub.get(path);
  t.match(scale, {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name: 'scaled', namespace: 'default', uid: /-/ },
    spec: { replicas: 2 },
    status: { replicas: 0, selector: 'app=scaled' },
  });
  t.match(await hub.put(path, { ...scale, spec: { replicas: 4 } }), {
    code: 200,
    body: { spec: { replicas: 4 } },
  });
  t.match(await hub.put(path, { ...scale, spec: { replicas: 5 } }), { code: 409 }, 'with an old version');
  t.match(await hub.patch(path, 'merge', { spec: { replicas: 6 } }), {
    code: 200,
    body: { spec: { replicas: 6 } },
  });
  t.match(await hub.patch(path, 'merge', { spec: { replicas: -1 } }), {
    code: 422,
    body: { details: { kind: 'Scale' } },
  });
  const { body: parent } = await hub.get(`${deployments}/scaled`);
  t.match(parent, { spec: { replicas: 6 }, metadata: { generation: 3 } });
  t.match(
    parent.metadata.managedFields.find((each: { subresource?: string }) => each.subresource === 'scale')
      .fieldsV1,
    { 'f:spec': { 'f:replicas': {} } },
  );
  t.match((await hub.get(path, { headers: TABLE })).body.rows[0].cells, ['scaled', 6, 0]);
  t.equal((await hub.get(`${maps}/created/scale`)).code, 404);
  t.equal((await hub.post(path, scale)).code, 405);
});

t.test('nothing went wrong inside', async (t) => t.same(hub.errors, []));
