import t from 'tap';
import { ADMIT_ALL } from '../../../../hub/registry/admission.ts';
import { DEPLOYMENTS, deployment, MAPS, map, PODS, pod } from './objects.ts';
import { startWholeHub } from './whole-hub.ts';

const { hub } = await startWholeHub(t);
const SECRETS = '/api/v1/namespaces/default/secrets';
const SERVICES = '/api/v1/namespaces/default/services';
const RBAC = '/apis/rbac.authorization.k8s.io/v1/namespaces/default';
const isForbidden = (message: RegExp) => ({ code: 422, body: { reason: 'Invalid', message } });

t.test('B.5.1 what the server sets, and what it drops', async (t) => {
  const given = {
    ...deployment('made'),
    metadata: {
      name: 'made',
      creationTimestamp: null,
      uid: 'u',
      generation: 7,
      deletionTimestamp: '2020-01-01T00:00:00Z',
      deletionGracePeriodSeconds: 3,
      selfLink: '/x',
    },
    status: { replicas: 9 },
  };
  const { code, body } = await hub.post(`${DEPLOYMENTS}?dryRun=All`, given);
  t.equal(code, 201);
  const { uid, creationTimestamp, generation, deletionTimestamp, selfLink } = body.metadata;
  t.match(uid, /^[0-9a-f]{8}-/);
  t.match(creationTimestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  t.same([generation, deletionTimestamp, selfLink], [1, undefined, undefined]);
  t.equal(body.status?.replicas, undefined);
  t.match((await hub.post(PODS, { ...pod('made'), status: {} })).body.status, { phase: 'Pending' });
  t.match(await hub.post(MAPS, map('old', {}, { resourceVersion: '5' })), { code: 400 });
});

t.test('B.5.2 name and namespace are those of the URL', async (t) => {
  t.match((await hub.post(MAPS, map('placed', {}, { namespace: '' }))).body.metadata, {
    namespace: 'default',
  });
  const elsewhere = map('placed', {}, { namespace: 'other' });
  const message = 'the namespace of the provided object does not match the namespace sent on the request';
  t.match(await hub.post(MAPS, elsewhere), { code: 400, body: { message } });
  t.match(await hub.put(`${MAPS}/placed`, elsewhere), { code: 400, body: { message } });
  t.match(await hub.put(`${MAPS}/placed`, map('other')), { code: 400 });
  t.match(await hub.patch(`${MAPS}/placed`, 'merge', { metadata: { name: 'other' } }), { code: 400 });
  t.match(await hub.patch(`${MAPS}/placed`, 'merge', { metadata: { namespace: 'other' } }), { code: 400 });
  t.match(await hub.put(`${MAPS}/placed`, { data: { a: 'b' } }), {
    code: 200,
    body: { metadata: { name: 'placed' } },
  });
  const node = await hub.post('/api/v1/nodes?dryRun=All', { metadata: { name: 'n', namespace: 'default' } });
  t.same([node.code, node.body.metadata.namespace], [201, undefined], 'no namespace where there is none');
});

t.test('B.5.3 generated names', async (t) => {
  const { body } = await hub.post(MAPS, { metadata: { generateName: 'a'.repeat(70) } });
  t.match(body.metadata.name, /^a{58}[bcdfghjklmnpqrstvwxz2456789]{5}$/);
  t.equal(body.metadata.generateName, 'a'.repeat(70));
});

t.test('B.5.3 a generated name that is taken is made again, eight times', async (t) => {
  await hub.post(MAPS, map('taken'));
  const { registry } = hub;
  const real = registry.admission;
  t.teardown(() => {
    registry.admission = real;
  });
  const generated: string[] = [];
  /** As if chance had it that the first `unlucky` names are ones that there are. */
  const takeNames = (unlucky: number) => {
    generated.length = 0;
    registry.admission = {
      ...ADMIT_ALL,
      complete: ({ object }) => {
        if (object.kind !== 'ConfigMap') return;
        generated.push(object.metadata.name ?? '');
        if (generated.length <= unlucky) object.metadata.name = 'taken';
      },
    };
  };
  takeNames(7);
  const lucky = await hub.post(MAPS, { metadata: { generateName: 'some-' } });
  t.match([lucky.code, lucky.body.metadata.name], [201, generated.at(-1)]);
  t.same([generated.length, new Set(generated).size], [8, 8]);
  takeNames(8);
  t.match(await hub.post(MAPS, { metadata: { generateName: 'some-' } }), {
    code: 409,
    body: {
      reason: 'AlreadyExists',
      message:
        'configmaps "taken" already exists, the server was not able to generate a unique name for the object',
    },
  });
  t.equal(generated.length, 8);
});

t.test('B.5.4 names', async (t) => {
  const code = async (path: string, name: string, rest: object = {}) =>
    (await hub.post(`${path}?dryRun=All`, { metadata: { name }, ...rest })).code;
  t.equal(await code(MAPS, `${'a'.repeat(249)}.b-c`), 201);
  for (const name of ['a'.repeat(254), 'Upper', '-a', 'a_b', 'a/b'])
    t.equal(await code(MAPS, name), 422, name.slice(0, 10));
  t.equal(await code('/api/v1/namespaces', 'a'.repeat(63)), 201);
  for (const name of ['a'.repeat(64), 'a.b']) t.equal(await code('/api/v1/namespaces', name), 422);
  t.equal(await code(SERVICES, 'a.b', { spec: { ports: [{ port: 80 }] } }), 422);
  t.equal(await code(`${RBAC}/roles`, 'system:some:role'), 201);
});

t.test('B.5.5 namespaces that are missing, or ending', async (t) => {
  t.match(await hub.post('/api/v1/namespaces/none/configmaps', map('a')), {
    code: 404,
    body: { message: 'namespaces "none" not found' },
  });
  await hub.post('/api/v1/namespaces', { metadata: { name: 'ending', finalizers: ['example.com/wait'] } });
  await hub.delete('/api/v1/namespaces/ending');
  t.match(await hub.post('/api/v1/namespaces/ending/configmaps', map('a')), {
    code: 403,
    body: {
      message:
        'configmaps "a" is forbidden: unable to create new content in namespace ending because it is being terminated',
      details: { causes: [{ reason: 'NamespaceTerminating', field: 'metadata.namespace' }] },
    },
  });
  await hub.patch('/api/v1/namespaces/ending', 'merge', { metadata: { finalizers: null } });
});

t.test('B.5.6 PUT', async (t) => {
  const { body } = await hub.post(MAPS, map('put', { a: '1' }));
  t.match(await hub.put(`${MAPS}/put`, map('put', { a: '2' })), { code: 200 }, 'unconditional');
  t.match(await hub.put(`${MAPS}/put`, { ...body, data: { a: '3' } }), {
    code: 409,
    body: { reason: 'Conflict' },
  });
  t.match(await hub.put(`${MAPS}/none`, map('none')), { code: 404 });
  const leases = '/apis/coordination.k8s.io/v1/namespaces/default/leases';
  const budgets = '/apis/policy/v1/namespaces/default/poddisruptionbudgets';
  const kinds: [string, string][] = [
    [leases, 'Lease'],
    [budgets, 'PodDisruptionBudget'],
    ['/apis/node.k8s.io/v1/runtimeclasses', 'RuntimeClass'],
  ];
  for (const [path, kind] of kinds) {
    const object = {
      metadata: { name: 'put' },
      spec: {},
      ...(kind === 'RuntimeClass' && { handler: 'x', spec: undefined }),
    };
    t.equal((await hub.post(path, object)).code, 201, kind);
    t.match(await hub.put(`${path}/put`, object), {
      code: 422,
      body: { message: /metadata\.resourceVersion: Invalid value: 0x0: must be specified for an update$/ },
    });
  }
  const creates: [string, object][] = [
    ['/api/v1/namespaces/default/events', { involvedObject: { namespace: 'default' } }],
    [leases, { spec: {} }],
    [SERVICES, { spec: { ports: [{ port: 80 }] } }],
    ['/api/v1/namespaces/default/endpoints', {}],
    ['/api/v1/namespaces/default/limitranges', { spec: { limits: [] } }],
    [`${RBAC}/roles`, {}],
    ['/apis/node.k8s.io/v1/runtimeclasses', { handler: 'x' }],
  ];
  for (const [path, rest] of creates)
    t.equal((await hub.put(`${path}/by-put`, { metadata: { name: 'by-put' }, ...rest })).code, 201, path);
});

t.test('B.5.7 what no client can change', async (t) => {
  const { body } = await hub.post(DEPLOYMENTS, deployment('fixed'));
  t.match(await hub.put(`${DEPLOYMENTS}/fixed`, { ...body, metadata: { name: 'fixed', uid: 'other' } }), {
    code: 409,
    body: { message: /UID in precondition: other/ },
  });
  const { resourceVersion: _, ...metadata } = body.metadata;
  const changed = await hub.put(`${DEPLOYMENTS}/fixed`, {
    ...body,
    metadata: {
      ...metadata,
      creationTimestamp: '2020-01-01T00:00:00Z',
      deletionTimestamp: '2020-01-01T00:00:00Z',
      deletionGracePeriodSeconds: 5,
      generation: 99,
    },
  });
  t.equal(changed.code, 200);
  const { creationTimestamp, generation, deletionTimestamp, deletionGracePeriodSeconds } =
    changed.body.metadata;
  t.equal(creationTimestamp, metadata.creationTimestamp);
  t.same([generation, deletionTimestamp, deletionGracePeriodSeconds], [1, undefined, undefined]);
});

t.test('B.5.8 generation, and the parts of an object', async (t) => {
  const path = `${PODS}/parts`;
  await hub.post(PODS, pod('parts', { schedulerName: 'none' }));
  const job = '/apis/batch/v1/namespaces/default/jobs';
  const template = { spec: { restartPolicy: 'Never', containers: [{ name: 'a', image: 'b' }] } };
  await hub.post(job, { metadata: { name: 'counted' }, spec: { template } });
  const generation = async (type: string, where: string, body: object) =>
    (await hub.patch(`${job}/counted${where}`, type, body)).body.metadata.generation;
  t.equal(await generation('merge', '', { metadata: { annotations: { a: 'b' } } }), 1);
  t.equal(await generation('merge', '', { spec: { parallelism: 3 } }), 2);
  t.equal(await generation('merge', '/status', { status: { active: 1 } }), 2);
  t.equal(await generation('merge', '', { status: { active: 5 } }), 2);
  t.equal((await hub.get(`${job}/counted`)).body.status.active, 1, 'the main path leaves the status alone');
  const { body } = await hub.patch(`${path}/status`, 'merge', {
    metadata: { labels: { a: 'b' }, annotations: { a: 'b' } },
    spec: { activeDeadlineSeconds: 5 },
    status: { message: 'hello' },
  });
  t.match(body.status, { message: 'hello', phase: 'Pending' });
  t.same(
    [body.metadata.labels, body.metadata.annotations, body.spec.activeDeadlineSeconds],
    [undefined, undefined, undefined],
  );
  t.match(
    body.metadata.managedFields.find(({ subresource }: { subresource?: string }) => subresource === 'status')
      .fieldsV1,
    { 'f:status': { 'f:message': {} } },
  );
});

t.test('B.5.8 a Deployment counts its annotations too', async (t) => {
  await hub.post(DEPLOYMENTS, deployment('counted', { replicas: 0 }));
  const { body } = await hub.patch(`${DEPLOYMENTS}/counted`, 'merge', {
    metadata: { annotations: { a: 'b' } },
  });
  t.equal(body.metadata.generation, 2);
});

t.test('B.5.9 a dry run of every write', async (t) => {
  await hub.post(MAPS, map('dry', { a: '1' }));
  await hub.post(DEPLOYMENTS, deployment('dry', { replicas: 0, paused: true }));
  await hub.post(PODS, pod('dry', { schedulerName: 'none' }));
  const account = '/api/v1/namespaces/default/serviceaccounts';
  await hub.post(account, { metadata: { name: 'dry' } });
  const settled = () =>
    hub.get(`${DEPLOYMENTS}/dry`).then(({ body }) => body.status?.observedGeneration === 1);
  while (!(await settled()));
  const watch = await hub.watch(`${MAPS}?watch=true&resourceVersion=${hub.registry.revision}`);
  const { revision } = hub.registry;
  const dry = '?dryRun=All';
  const scale = {
    apiVersion: 'autoscaling/v1',
    kind: 'Scale',
    metadata: { name: 'dry' },
    spec: { replicas: 3 },
  };
  const target = { apiVersion: 'v1', kind: 'Node', name: 'n' };
  const writes = [
    [await hub.post(`${MAPS}${dry}`, map('dry-2')), 201],
    [await hub.put(`${MAPS}/dry${dry}`, map('dry', { a: '2' })), 200],
    [await hub.patch(`${MAPS}/dry${dry}`, 'merge', { data: { a: '2' } }), 200],
    [await hub.patch(`${MAPS}/dry${dry}`, 'strategic-merge', { data: { a: '2' } }), 200],
    [await hub.patch(`${MAPS}/dry${dry}`, 'json', [{ op: 'remove', path: '/data' }]), 200],
    [await hub.patch(`${MAPS}/dry${dry}&fieldManager=m&force=true`, 'apply', map('dry', { a: '2' })), 200],
    [await hub.patch(`${MAPS}/dry-2${dry}&fieldManager=m`, 'apply', map('dry-2')), 201],
    [await hub.delete(`${MAPS}/dry${dry}`), 200],
    [await hub.delete(`${MAPS}/dry`, { dryRun: ['All'] }), 200],
    [await hub.delete(`${MAPS}${dry}`), 200],
    [await hub.patch(`${DEPLOYMENTS}/dry/status${dry}`, 'merge', { status: { replicas: 4 } }), 200],
    [await hub.put(`${DEPLOYMENTS}/dry/scale${dry}`, scale), 200],
    [await hub.patch(`${DEPLOYMENTS}/dry/scale${dry}`, 'merge', { spec: { replicas: 4 } }), 200],
    [await hub.post(`${PODS}/dry/binding${dry}`, { target }), 201],
    [await hub.post(`${PODS}/dry/eviction${dry}`, { metadata: { name: 'dry' } }), 201],
    [await hub.post(`${PODS}/dry/eviction`, { deleteOptions: { dryRun: ['All'] } }), 201],
    [await hub.post(`${account}/dry/token${dry}`, {}), 201],
    [await hub.post(`/api/v1/namespaces${dry}`, { metadata: { name: 'dry' } }), 201],
    [await hub.delete(`/api/v1/namespaces/default${dry}`), 403],
  ] as const;
  for (const [index, [{ code, body }, expected]] of writes.entries())
    t.equal(code, expected, `${index} ${body.message}`);
  t.equal(hub.registry.revision, revision, 'nothing is stored');
  await hub.post(MAPS, map('real'));
  t.match(await watch.next(), { type: 'ADDED', object: { metadata: { name: 'real' } } }, 'nor told');
  watch.close();
  t.match(await hub.post(`${MAPS}${dry}`, map('dry')), { code: 409 }, 'conflicts are found');
  t.match(
    await hub.post(`${DEPLOYMENTS}${dry}`, deployment('x', { replicas: -1 })),
    { code: 422 },
    'what is wrong, too',
  );
  for (const [method, path] of [
    ['POST', MAPS],
    ['PUT', `${MAPS}/dry`],
    ['DELETE', `${MAPS}/dry`],
  ] as const)
    t.match(await hub.call(method, `${path}?dryRun=Some`, method === 'DELETE' ? {} : { body: map('dry') }), {
      code: 422,
      body: { message: /dryRun: Unsupported value: "Some": supported values: "All"/ },
    });
  t.match(await hub.delete(`${MAPS}/dry`, { dryRun: ['Some'] }), { code: 422 });
  t.equal((await hub.get(`${MAPS}/dry`)).code, 200);
});

t.test('B.5.10 fields that nobody knows', async (t) => {
  const body = '{"metadata":{"name":"odd"},"data":{"a":"1","a":"2"},"spec":{"foo":1}}';
  const post = (query: string, text = body) => hub.post(`${MAPS}?dryRun=All${query}`, text);
  t.match(await post('&fieldValidation=Strict'), {
    code: 400,
    body: {
      message:
        /^ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: .*duplicate field "data\.a".*unknown field "spec"/,
    },
  });
  for (const query of ['', '&fieldValidation=Warn']) {
    const { code, headers, body: made } = await post(query);
    t.equal(code, 201);
    t.match(headers['warning'], '299 - "unknown field \\"spec\\""');
    t.match(headers['warning'], 'duplicate field \\"data.a\\"');
    t.equal(made.spec, undefined);
  }
  t.equal((await post('&fieldValidation=Ignore')).headers['warning'], undefined);
  t.match(await post('&fieldValidation=Maybe'), { code: 422 });
  for (const query of ['', '&fieldValidation=Ignore'])
    t.match(
      await post(query, '{"metadata":{"name":"odd"},"data":{"a":1}}'),
      { code: 400 },
      'wrong types never pass',
    );
});

t.test('B.5.11 what can not change', async (t) => {
  const immutable = async (
    path: string,
    made: object,
    name: string,
    patch: object,
    message = /field is immutable/,
  ) => {
    t.equal((await hub.post(path, made)).code, 201, path);
    t.match(await hub.patch(`${path}/${name}`, 'merge', patch), isForbidden(message), path);
  };
  const apps = '/apis/apps/v1/namespaces/default';
  const labels = { matchLabels: { b: 'c' } };
  const relabelled = { spec: { selector: labels, template: { metadata: { labels: { b: 'c' } } } } };
  const paused = { schedulerName: 'none', containers: [{ name: 'a', image: 'b' }] };
  const of = (name: string, more: object = {}) => ({
    metadata: { name },
    spec: {
      selector: { matchLabels: { app: name } },
      template: { metadata: { labels: { app: name } }, spec: paused },
      ...more,
    },
  });
  await immutable(DEPLOYMENTS, of('still', { replicas: 0 }), 'still', relabelled);
  await immutable(`${apps}/replicasets`, of('still', { replicas: 0 }), 'still', relabelled);
  await immutable(`${apps}/daemonsets`, of('still'), 'still', relabelled);
  await immutable(
    `${apps}/statefulsets`,
    of('still', { serviceName: 'a', replicas: 0 }),
    'still',
    { spec: { serviceName: 'b' } },
    /updates to statefulset spec for fields other than/,
  );
  const jobTemplate = { spec: { ...paused, restartPolicy: 'Never' } };
  const job = { metadata: { name: 'still' }, spec: { template: jobTemplate } };
  const image = { spec: { template: { spec: { containers: [{ name: 'a', image: 'c' }] } } } };
  await immutable('/apis/batch/v1/namespaces/default/jobs', job, 'still', image);
  await immutable(
    PODS,
    pod('still', { schedulerName: 'none' }),
    'still',
    { spec: { hostname: 'other' } },
    /pod updates may not change fields other than/,
  );
  t.equal(
    (
      await hub.patch(`${PODS}/still`, 'strategic-merge', {
        spec: { containers: [{ name: 'main', image: 'c' }] },
      })
    ).code,
    200,
  );
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'a' };
  await immutable(
    `${RBAC}/rolebindings`,
    { metadata: { name: 'still' }, roleRef },
    'still',
    { roleRef: { ...roleRef, name: 'b' } },
    /cannot change roleRef/,
  );
  const data = { a: Buffer.from('b').toString('base64') };
  const gone = { data: null };
  await immutable(
    SECRETS,
    { metadata: { name: 'still' }, data, immutable: true },
    'still',
    gone,
    /field is immutable when `immutable` is set/,
  );
  await immutable(
    MAPS,
    { ...map('still', { a: 'b' }), immutable: true },
    'still',
    gone,
    /field is immutable when `immutable` is set/,
  );
  await immutable(SECRETS, { metadata: { name: 'typed' }, type: 'a/b' }, 'typed', { type: 'c/d' });
});

t.test('B.5.12 Secrets', async (t) => {
  const { body } = await hub.post(SECRETS, {
    metadata: { name: 's' },
    stringData: { a: 'b' },
    data: { c: 'ZA==' },
  });
  t.same(body.data, { a: Buffer.from('b').toString('base64'), c: 'ZA==' });
  t.equal(body.stringData, undefined);
  t.equal(body.type, 'Opaque');
  t.match(await hub.post(SECRETS, { metadata: { name: 'bad' }, data: { a: '%' } }), { code: 400 });
});

t.test('nothing went wrong inside', async (t) => t.same(hub.errors, []));
