import t from 'tap';
import { startHub } from '../test-hub.ts';
import { DEPLOYMENTS, deployment, MAPS, map } from './objects.ts';

const hub = await startHub(t);
const SERVICES = '/api/v1/namespaces/default/services';

interface Entry {
  readonly manager: string;
  readonly operation: string;
  readonly subresource?: string;
  readonly time: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into fields of every shape
  readonly fieldsV1: any;
}
interface Managed {
  readonly metadata: { readonly managedFields?: Entry[] };
}
const entryOf = ({ metadata }: Managed, manager: string, operation = 'Apply') =>
  metadata.managedFields?.find((entry) => entry.manager === manager && entry.operation === operation);
const applyTo = (path: string, manager: string, body: object, query = '') =>
  hub.patch(`${path}?fieldManager=${manager}${query}`, 'apply', body);
const FORCE = '&force=true';

t.test('B.8.1 what an apply must say', async (t) => {
  const path = `${MAPS}/said`;
  t.match(await hub.patch(path, 'apply', map('said')), {
    code: 422,
    body: { message: /fieldManager: Required value: is required for apply patch/ },
  });
  t.match(await applyTo(path, 'x'.repeat(129), map('said')), { code: 422 });
  t.match(await applyTo(path, '%07', map('said')), { code: 422 });
  for (const { apiVersion, kind } of [
    { apiVersion: undefined, kind: 'ConfigMap' },
    { apiVersion: 'v1', kind: undefined },
    { apiVersion: 'v1', kind: 'Secret' },
    { apiVersion: 'v2', kind: 'ConfigMap' },
  ])
    t.equal(
      (await applyTo(path, 'm', { ...map('said'), apiVersion, kind })).code,
      400,
      `${apiVersion} ${kind}`,
    );
  t.match(await applyTo(path, 'm', map('other')), { code: 400 });
  t.match(await applyTo(path, 'm', map('said', {}, { managedFields: [] })), {
    code: 400,
    body: { message: 'metadata.managedFields must be nil' },
  });
  t.match(await applyTo(path, 'm', map('said', {}, { uid: 'u' })), { code: 409 });
  t.equal((await applyTo(path, 'm', { apiVersion: 'v1', kind: 'ConfigMap' })).code, 201, 'the URL names it');
  const headers = { 'user-agent': 'robot/1.2 (linux)' };
  const { body } = await hub.post(MAPS, map('by-agent', { a: 'b' }), { headers });
  t.match(body.metadata.managedFields, [{ manager: 'robot', operation: 'Update' }]);
});

t.test('B.8.2 entries, and how fields are written', async (t) => {
  const path = `${SERVICES}/entries`;
  const ports = [
    { name: 'web', port: 80 },
    { name: 'names', port: 53, protocol: 'UDP' },
  ];
  const metadata = { name: 'entries', finalizers: ['example.com/a'], labels: { x: 'y' } };
  const { code, body } = await applyTo(path, 'm', {
    apiVersion: 'v1',
    kind: 'Service',
    metadata,
    spec: { ports, selector: { app: 'a' } },
  });
  t.equal(code, 201);
  const { time, ...entry } = entryOf(body, 'm') ?? {};
  t.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  t.same(entry, {
    manager: 'm',
    operation: 'Apply',
    apiVersion: 'v1',
    fieldsType: 'FieldsV1',
    fieldsV1: {
      'f:metadata': { 'f:finalizers': { 'v:"example.com/a"': {} }, 'f:labels': { 'f:x': {} } },
      'f:spec': {
        'f:ports': {
          'k:{"port":80,"protocol":"TCP"}': { '.': {}, 'f:name': {}, 'f:port': {} },
          'k:{"port":53,"protocol":"UDP"}': { '.': {}, 'f:name': {}, 'f:port': {}, 'f:protocol': {} },
        },
        'f:selector': {},
      },
    },
  });
  await hub.patch(`${path}?fieldManager=m`, 'merge', { metadata: { labels: { z: '1' } } });
  await hub.patch(`${path}/status?fieldManager=m`, 'merge', {
    status: { loadBalancer: { ingress: [{ ip: '1.2.3.4' }] } },
  });
  const kinds = ((await hub.get(path)).body as Managed).metadata.managedFields ?? [];
  t.same(
    kinds.map(({ operation, subresource = '' }) => `${operation} ${subresource}`).sort(),
    ['Apply ', 'Update ', 'Update status'],
    'one for each way of writing',
  );
});

t.test('B.8.3 what nobody owns', async (t) => {
  const path = `${DEPLOYMENTS}/owned`;
  const { body } = await hub.post(`${DEPLOYMENTS}?fieldManager=maker`, {
    ...deployment('owned'),
    status: { replicas: 1 },
  });
  const {
    'f:metadata': metadata,
    'f:status': status,
    ...rest
  } = entryOf(body, 'maker', 'Update')?.fieldsV1 ?? {};
  t.same([metadata, status, Object.keys(rest)], [undefined, undefined, ['f:spec']]);
  const changed = await hub.patch(`${path}/status?fieldManager=teller`, 'merge', {
    metadata: { labels: { a: 'b' } },
    spec: { replicas: 9 },
    status: { replicas: 1 },
  });
  t.same(entryOf(changed.body, 'teller', 'Update')?.fieldsV1, { 'f:status': { 'f:replicas': {} } });
});

t.test('B.8.4 conflicts, shared fields, and what is sent no more', async (t) => {
  const path = `${DEPLOYMENTS}/shared`;
  const configuration = (spec: object, labels: object = {}) => ({
    ...deployment('shared', spec),
    metadata: { name: 'shared', labels },
  });
  const apply = (manager: string, spec: object, query = '', labels: object = {}) =>
    applyTo(path, manager, configuration(spec, labels), query);
  t.equal((await apply('one', { replicas: 2, minReadySeconds: 5 }, '', { one: '1' })).code, 201);
  t.match(await apply('two', { replicas: 3 }), { code: 409 }, 'another value');
  const shared = await apply('two', { replicas: 2 }, '', { two: '2' });
  t.equal(shared.code, 200, 'the same value is shared');
  for (const manager of ['one', 'two'])
    t.match(entryOf(shared.body, manager)?.fieldsV1['f:spec'], { 'f:replicas': {} });
  t.same(shared.body.metadata.labels, { one: '1', two: '2' });

  const less = await apply('one', {}, '', {});
  t.equal(less.body.spec.minReadySeconds, undefined, 'nobody else owns it: removed');
  t.equal(less.body.spec.replicas, 2, 'somebody does');
  t.same(less.body.metadata.labels, { two: '2' });
  t.equal(entryOf(less.body, 'one')?.fieldsV1['f:spec']['f:replicas'], undefined);
  t.equal((await apply('one', { replicas: 4 })).code, 409, 'it belongs to the other one alone');

  const forced = await apply('one', { replicas: 4 }, FORCE);
  t.equal(forced.body.spec.replicas, 4);
  t.equal(
    entryOf(forced.body, 'two')?.fieldsV1['f:spec']['f:replicas'],
    undefined,
    'what was forced leaves the other one',
  );
  const defaulted = await apply('one', {});
  t.equal(defaulted.body.spec.replicas, 1, 'removed, then defaulted');
});

t.test('B.8.4 items of lists, by keys that may be defaults', async (t) => {
  const path = `${SERVICES}/ports`;
  const apply = (manager: string, ports: object[], query = '') =>
    applyTo(
      path,
      manager,
      { apiVersion: 'v1', kind: 'Service', metadata: { name: 'ports' }, spec: { ports } },
      query,
    );
  await apply('one', [{ name: 'a', port: 80 }]);
  const second = await apply('two', [{ name: 'b', port: 81 }]);
  t.same(
    second.body.spec.ports.map(({ port }: { port: number }) => port),
    [80, 81],
    'each its own',
  );
  const same = await apply('two', [
    { name: 'b', port: 81 },
    { name: 'a', port: 80, protocol: 'TCP' },
  ]);
  t.equal(same.code, 200, 'with its protocol written out it is the same item');
  t.equal(same.body.spec.ports.length, 2);
  t.equal((await apply('two', [{ name: 'c', port: 80 }])).code, 409, 'its name is the first one’s');
  t.equal((await apply('two', [{ name: 'b', port: 81 }])).code, 200);
  const gone = await apply('one', [{ name: 'x', port: 90 }]);
  t.same(
    gone.body.spec.ports.map(({ port }: { port: number }) => port).sort(),
    [81, 90],
    'what nobody sends is gone',
  );
});

t.test('B.8.4 containers of two managers, by name', async (t) => {
  const path = `${DEPLOYMENTS}/sidecar`;
  const withContainers = (...containers: object[]) => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'sidecar' },
    spec: {
      selector: { matchLabels: { app: 'x' } },
      template: { metadata: { labels: { app: 'x' } }, spec: { containers } },
    },
  });
  const main = { name: 'main', image: 'a:1', ports: [{ containerPort: 80 }] };
  await applyTo(path, 'owner', withContainers(main));
  const injected = await applyTo(path, 'injector', withContainers({ name: 'side', image: 'b:1' }));
  t.equal(injected.code, 200);
  const names = ({ body }: typeof injected) =>
    body.spec.template.spec.containers.map(({ name }: { name: string }) => name);
  t.same(names(injected), ['main', 'side']);
  const again = await applyTo(path, 'owner', withContainers({ ...main, image: 'a:2' }));
  t.same(names(again), ['main', 'side'], 'the other one’s stays');
  t.match(entryOf(again.body, 'owner')?.fieldsV1, {
    'f:spec': {
      'f:template': {
        'f:spec': {
          'f:containers': {
            'k:{"name":"main"}': {
              'f:ports': { 'k:{"containerPort":80,"protocol":"TCP"}': { '.': {}, 'f:containerPort': {} } },
            },
          },
        },
      },
    },
  });
  const conflict = await applyTo(path, 'injector', withContainers({ name: 'main', image: 'c:1' }));
  t.match(conflict.body.details.causes, [{ field: '.spec.template.spec.containers[name="main"].image' }]);
});

t.test('B.8.5 who writes owns what changed, alone', async (t) => {
  const path = `${MAPS}/written`;
  await applyTo(path, 'applier', map('written', { a: '1', b: '1', c: '1' }));
  await hub.patch(`${path}?fieldManager=a-writer`, 'merge', { data: { a: '2', b: '1', c: null, d: '1' } });
  const { body } = await hub.get(path);
  t.same(entryOf(body, 'applier')?.fieldsV1['f:data'], { 'f:b': {} }, 'what stayed the same stays its own');
  t.same(entryOf(body, 'a-writer', 'Update')?.fieldsV1['f:data'], { 'f:a': {}, 'f:d': {} });
  const { time } = entryOf(body, 'applier') ?? {};
  t.ok(time);
  for (let index = 0; index < 14; index++)
    await hub.patch(`${path}?fieldManager=m${index}`, 'merge', { data: { [`k${index}`]: 'v' } });
  const entries = ((await hub.get(path)).body as Managed).metadata.managedFields ?? [];
  const updates = entries.filter(({ operation }) => operation === 'Update');
  t.equal(updates.length, 10);
  const ancient = updates.find(({ manager }) => manager === 'ancient-changes');
  t.match(ancient?.fieldsV1['f:data'], { 'f:a': {}, 'f:d': {}, 'f:k0': {} });
});

t.test('B.8.6 what a conflict says', async (t) => {
  const path = `${DEPLOYMENTS}/fought`;
  const apply = (manager: string, spec: object) => applyTo(path, manager, deployment('fought', spec));
  await apply('one', { replicas: 1, minReadySeconds: 1 });
  t.match((await apply('me', { replicas: 2 })).body, {
    code: 409,
    reason: 'Conflict',
    message: 'Apply failed with 1 conflict: conflict with "one": .spec.replicas',
    details: {
      causes: [{ reason: 'FieldManagerConflict', message: 'conflict with "one"', field: '.spec.replicas' }],
    },
  });
  t.equal(
    (await apply('me', { replicas: 2, minReadySeconds: 2 })).body.message,
    'Apply failed with 2 conflicts: conflicts with "one":\n- .spec.minReadySeconds\n- .spec.replicas',
  );
  await hub.patch(`${path}?fieldManager=writer`, 'merge', { spec: { paused: true } });
  await hub.patch(`${path}/scale?fieldManager=scaler`, 'merge', { spec: { replicas: 7 } });
  const { message } = (await apply('me', { replicas: 2, paused: false })).body;
  t.match(
    message,
    /conflicts with "scaler" with subresource "scale" using apps\/v1 at \d{4}-\S+Z:\n- \.spec\.replicas/,
  );
  t.match(message, /conflicts with "writer" using apps\/v1 at \d{4}-\S+Z:\n- \.spec\.paused/);
});

t.test('B.8.7 from client-side apply to the server’s, as kubectl does it', async (t) => {
  const path = `${MAPS}/moved`;
  const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': '{}' };
  const query = '?fieldManager=kubectl-client-side-apply';
  await hub.post(`${MAPS}${query}`, map('moved', { a: '1', b: '1' }, { annotations }));
  const { metadata } = (await hub.get(path)).body;
  const entry = {
    ...entryOf({ metadata }, 'kubectl-client-side-apply', 'Update'),
    manager: 'kubectl',
    operation: 'Apply',
  };
  const migrate = (resourceVersion: string) =>
    hub.patch(path, 'json', [
      { op: 'replace', path: '/metadata/managedFields', value: [entry] },
      { op: 'replace', path: '/metadata/resourceVersion', value: resourceVersion },
    ]);
  t.match(await migrate('1'), { code: 409 }, 'of the version that was seen');
  const moved = await migrate(metadata.resourceVersion);
  t.equal(moved.code, 200);
  t.match(moved.body.metadata.managedFields, [{ manager: 'kubectl', operation: 'Apply' }]);
  t.equal(moved.body.metadata.managedFields.length, 1);
  const applied = await applyTo(path, 'kubectl', map('moved', { a: '2' }));
  t.match([applied.code, applied.body.data], [200, { a: '2' }], 'no conflict, and b is gone');
  for (const nothing of [[], [{}]]) {
    const { body } = await hub.patch(path, 'merge', { metadata: { managedFields: nothing } });
    t.equal(body.metadata.managedFields, undefined, JSON.stringify(nothing));
  }
});

t.test('B.8.8 the same again is no write', async (t) => {
  const path = `${DEPLOYMENTS}/same`;
  const first = await applyTo(path, 'm', deployment('same', { replicas: 2 }));
  const { revision } = hub.registry;
  for (const query of ['', FORCE]) {
    const again = await applyTo(path, 'm', deployment('same', { replicas: 2 }), query);
    t.same(again.body, first.body);
  }
  t.equal(hub.registry.revision, revision);
});

t.test('nothing went wrong inside', async (t) => t.same(hub.errors, []));
