import t from 'tap';
import type { KubeObject } from '../../../hub/resources/object.ts';
import { deployments } from '../../../hub/resources/table-of-resources.ts';
import { startHub } from './test-hub.ts';

const hub = await startHub(t);
const path = '/apis/apps/v1/namespaces/default/deployments/web';
const container = { name: 'a', image: 'b:1' };
const deployment = (spec: object = {}) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web' },
  spec: {
    selector: { matchLabels: { app: 'web' } },
    template: { metadata: { labels: { app: 'web' } }, spec: { containers: [container] } },
    ...spec,
  },
});
const created = await hub.post('/apis/apps/v1/namespaces/default/deployments', deployment());

t.test('the three ordinary patches', async (t) => {
  t.equal(created.code, 201);
  t.match(await hub.patch(path, 'json', [{ op: 'add', path: '/spec/replicas', value: 2 }]), {
    code: 200,
    body: { spec: { replicas: 2 } },
  });
  t.match(await hub.patch(path, 'merge', { metadata: { labels: { a: 'b' } } }), {
    code: 200,
    body: { metadata: { labels: { a: 'b' } } },
  });
  const strategic = { spec: { template: { spec: { containers: [{ name: 'side', image: 'c:1' }] } } } };
  const { body } = await hub.patch(path, 'strategic-merge', strategic);
  t.same(
    body.spec.template.spec.containers.map(({ name }: { name: string }) => name).sort(),
    ['a', 'side'],
    'lists are merged by name',
  );
  const merged = await hub.patch(path, 'merge', {
    spec: { template: { spec: { containers: [container] } } },
  });
  t.equal(merged.body.spec.template.spec.containers.length, 1, 'or replaced');
  t.match(await hub.patch(`${path}/status`, 'merge', { status: { replicas: 2 }, spec: { replicas: 9 } }), {
    code: 200,
    body: { spec: { replicas: 2 }, status: { replicas: 2 } },
  });
});

t.test('a patch that changes nothing writes nothing', async (t) => {
  const { revision } = hub.registry;
  t.equal((await hub.patch(path, 'merge', { spec: { replicas: 2 } })).code, 200);
  t.equal(hub.registry.revision, revision);
});

t.test('many at once change the same object, and none of them is refused', async (t) => {
  const labels = Array.from({ length: 60 }, (_, index) => `at-once-${index}`);
  const label = (name: string) => (current: KubeObject | undefined) => {
    const object = structuredClone(current as KubeObject);
    object.metadata.labels = { ...object.metadata.labels, [name]: 'yes' };
    return object;
  };
  await Promise.all(
    labels.map((name) =>
      hub.registry.modify(deployments, 'default', 'web', label(name), { fieldManager: name }),
    ),
  );
  const { body } = await hub.get(path);
  t.hasProps(body.metadata.labels, labels);
});

t.test('patches that are refused', async (t) => {
  const merge = (body: unknown, query = '') => hub.patch(`${path}${query}`, 'merge', body);
  t.match(
    await merge({ metadata: { resourceVersion: '1' } }),
    { code: 409 },
    'a version that is not the newest',
  );
  t.match(await merge({ metadata: { name: 'other' } }), { code: 400 });
  t.match(await merge({ spec: { replicas: 'two' } }), { code: 400 });
  t.match(await merge({ spec: { replicas: -1 } }), { code: 422 });
  t.match(await merge({ spec: { extra: 1 } }, '?fieldValidation=Strict'), {
    code: 400,
    body: { message: /unknown field "spec.extra"/ },
  });
  t.match(await merge({}, '?force=true'), { code: 422, body: { details: { causes: [{ field: 'force' }] } } });
  t.match(await merge([]), { code: 400 });
  t.match(await merge(''), { code: 400 });
  t.match(await hub.patch(path, 'json', [{ op: 'test', path: '/spec/replicas', value: 9 }]), { code: 422 });
  t.match(await hub.patch(path, 'json', {}), { code: 400 });
  t.match(await hub.patch(path.replace('web', 'none'), 'merge', {}), { code: 404 });
  t.match(await hub.patch(path, 'other', {}), {
    code: 415,
    body: { message: /application\/json-patch\+json/ },
  });
});

t.test('server-side apply', async (t) => {
  const target = path.replace('web', 'applied');
  const configuration = (spec: object) => ({ ...deployment(spec), metadata: { name: 'applied' } });
  const apply = (manager: string, spec: object, query = '') =>
    hub.patch(`${target}?fieldManager=${manager}${query}`, 'apply', configuration(spec));
  const first = await apply('one', { replicas: 1, minReadySeconds: 5 });
  t.equal(first.code, 201);
  t.match(first.body.metadata.managedFields, [{ manager: 'one', operation: 'Apply', apiVersion: 'apps/v1' }]);
  const again = await apply('one', { replicas: 1, minReadySeconds: 5 });
  t.match(
    again,
    { code: 200, body: { metadata: { resourceVersion: first.body.metadata.resourceVersion } } },
    'again changes nothing',
  );
  const conflict = await apply('two', { replicas: 2 });
  t.match(conflict, {
    code: 409,
    body: {
      reason: 'Conflict',
      message: 'Apply failed with 1 conflict: conflict with "one": .spec.replicas',
      details: { causes: [{ reason: 'FieldManagerConflict', field: '.spec.replicas' }] },
    },
  });
  t.match(await apply('two', { replicas: 2 }, '&force=true'), { code: 200, body: { spec: { replicas: 2 } } });
  const less = await apply('one', {});
  t.equal(less.body.spec.minReadySeconds, undefined, 'what is no longer sent is removed');
  t.equal(less.body.spec.replicas, 2, 'what another one owns stays');
  t.match(await hub.patch(target, 'apply', configuration({})), {
    code: 422,
    body: { details: { causes: [{ field: 'fieldManager' }] } },
  });
  t.match(await hub.patch(`${target}?fieldManager=x`, 'apply', { metadata: {} }), { code: 400 });
  t.match(
    await hub.patch(`${target}?fieldManager=x`, 'apply', {
      ...configuration({}),
      metadata: { managedFields: [] },
    }),
    { code: 400 },
  );
  const status = { apiVersion: 'apps/v1', kind: 'Deployment', status: { replicas: 7 } };
  t.match(await hub.patch(`${target}/status?fieldManager=x`, 'apply', status), {
    code: 200,
    body: { status: { replicas: 7 }, spec: { replicas: 2 } },
  });
  const uid = await hub.patch(`${path.replace('web', 'none')}?fieldManager=x`, 'apply', {
    ...deployment(),
    metadata: { uid: 'u' },
  });
  t.match(uid, { code: 409, body: { message: /uid mismatch/ } });
});

t.test('the spelling of a quantity is no conflict', async (t) => {
  const target = path.replace('web', 'spelled');
  const apply = (manager: string, cpu: string) => {
    const containers = [{ ...container, resources: { limits: { cpu } } }];
    const template = { metadata: { labels: { app: 'web' } }, spec: { containers } };
    return hub.patch(`${target}?fieldManager=${manager}`, 'apply', {
      ...deployment({ template }),
      metadata: {},
    });
  };
  t.equal((await apply('one', '1000m')).code, 201);
  t.equal((await apply('two', '1')).code, 200);
});

t.test('YAML as the media type says', async (t) => {
  const yaml = 'apiVersion: v1\nkind: ConfigMap\ndata: {a: b}\n';
  t.match(await hub.patch('/api/v1/namespaces/default/configmaps/y?fieldManager=x', 'apply', yaml), {
    code: 201,
    body: { data: { a: 'b' } },
  });
});

t.test('nothing went wrong inside', async (t) => t.same(hub.errors, []));

t.test('names of field managers', async (t) => {
  const named = (manager: string) =>
    hub.patch(`${path}?dryRun=All&fieldManager=${encodeURIComponent(manager)}`, 'merge', {});
  for (const manager of ['kubectl', 'a b', 'ü', 'x'.repeat(128)]) t.equal((await named(manager)).code, 200);
  t.match((await named('x'.repeat(129))).body, {
    code: 422,
    message: /fieldManager: Too long: .* 128 bytes/,
  });
  t.match((await named('ü'.repeat(65))).body, { code: 422, message: /Too long/ }, 'bytes count');
  t.match((await named('a\nb')).body, {
    code: 422,
    message: 'fieldManager: Invalid value: "a\\nb": should only contain printable characters',
  });
});

t.test('server-side apply of a Scale', async (t) => {
  const web = '/apis/apps/v1/namespaces/default/deployments/scaled';
  const { metadata: _, ...rest } = deployment({ replicas: 1 });
  await hub.patch(`${web}?fieldManager=owner`, 'apply', { ...rest, metadata: { name: 'scaled' } });
  const scale = (replicas: number, fields: object = {}) => ({
    apiVersion: 'autoscaling/v1',
    kind: 'Scale',
    metadata: { name: 'scaled' },
    spec: { replicas },
    ...fields,
  });
  const apply = (body: object, query = '') =>
    hub.patch(`${web}/scale?fieldManager=scaler${query}`, 'apply', body);
  t.match((await apply(scale(3))).body, {
    code: 409,
    message: 'Apply failed with 1 conflict: conflict with "owner": .spec.replicas',
  });
  t.match(await apply(scale(3), '&force=true&dryRun=All'), { code: 200, body: { spec: { replicas: 3 } } });
  t.equal((await hub.get(web)).body.spec.replicas, 1, 'it was but tried');
  t.match(await apply(scale(3), '&force=true'), {
    code: 200,
    body: { kind: 'Scale', metadata: { name: 'scaled' }, spec: { replicas: 3 } },
  });
  const { spec, metadata } = (await hub.get(web)).body;
  t.equal(spec.replicas, 3);
  t.match(
    metadata.managedFields.find(({ manager }: { manager: string }) => manager === 'scaler'),
    {
      operation: 'Apply',
      apiVersion: 'apps/v1',
      subresource: 'scale',
      fieldsV1: { 'f:spec': { 'f:replicas': {} } },
    },
  );
  const owner = metadata.managedFields.find(({ manager }: { manager: string }) => manager === 'owner');
  t.equal(owner.fieldsV1['f:spec']['f:replicas'], undefined, 'who was forced owns it no more');
  const { revision } = hub.registry;
  t.match(await apply(scale(3)), { code: 200 });
  t.equal(hub.registry.revision, revision, 'the same again changes nothing');
  const again = { ...rest, metadata: { name: 'scaled' } };
  t.match((await hub.patch(`${web}?fieldManager=owner`, 'apply', again)).body, {
    code: 409,
    message: /conflict with "scaler" with subresource "scale": \.spec\.replicas/,
  });
  t.match((await apply(scale(-1))).body, { code: 422, message: /^Scale\.autoscaling "scaled" is invalid/ });
  t.match(await apply(scale(1, { metadata: { name: 'other' } })), { code: 400 });
  t.match(await apply(scale(1, { kind: 'Deployment' })), { code: 400 });
  t.match(await apply({ spec: { replicas: 1 } }), { code: 400 }, 'a configuration says what it is');
  t.match(await hub.patch(`${web}/scale`, 'apply', scale(1)), { code: 422 }, 'and who sends it');
  const missing = web.replace('scaled', 'missing');
  t.match(await hub.patch(`${missing}/scale?fieldManager=m`, 'apply', scale(1, { metadata: {} })), {
    code: 404,
  });
});
