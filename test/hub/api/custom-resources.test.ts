import t from 'tap';
import { until } from '../../support/until.ts';
import { DEFINITIONS, define, definitionOf, objectOf, startCustomHub } from './custom-resource-hub.ts';

/* What is defined is served: all of the life of definitions and instances, through the API. */

const hub = await startCustomHub(t);
const crontabs = '/apis/example.com/v1/namespaces/default/crontabs';

const cronTab = definitionOf(
  'CronTab',
  objectOf({
    spec: objectOf(
      {
        schedule: { type: 'string', pattern: '^(\\d+|\\*)(/\\d+)?(\\s+(\\d+|\\*)(/\\d+)?){4}$' },
        image: { type: 'string', default: 'busybox' },
        replicas: { type: 'integer', minimum: 1, maximum: 10 },
        port: { 'x-kubernetes-int-or-string': true },
        extra: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
        steps: {
          type: 'array',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['name'],
          items: objectOf({ name: { type: 'string' }, run: { type: 'string' } }, { required: ['name'] }),
        },
      },
      { required: ['schedule'] },
    ),
    status: objectOf({
      replicas: { type: 'integer' },
      selector: { type: 'string' },
      conditions: {
        type: 'array',
        items: objectOf({ type: { type: 'string' }, status: { type: 'string' } }),
      },
    }),
  }),
  {
    subresources: {
      status: {},
      scale: {
        specReplicasPath: '.spec.replicas',
        statusReplicasPath: '.status.replicas',
        labelSelectorPath: '.status.selector',
      },
    },
    additionalPrinterColumns: [
      { name: 'Schedule', type: 'string', jsonPath: '.spec.schedule' },
      { name: 'Ready', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
      { name: 'Replicas', type: 'integer', jsonPath: '.spec.replicas', priority: 1 },
      { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
    ],
    selectableFields: [{ jsonPath: '.spec.image' }],
  },
  { names: { plural: 'crontabs', kind: 'CronTab', shortNames: ['ct'], categories: ['all'] } },
);

function instance(name: string, spec: object): object {
  return { apiVersion: 'example.com/v1', kind: 'CronTab', metadata: { name }, spec };
}

t.test('a definition is served as soon as it is established', async (t) => {
  t.equal((await hub.call('GET', crontabs)).code, 404);
  const startedMs = performance.now();
  await define(hub, cronTab);
  t.ok(performance.now() - startedMs < 1_000, 'within a second');
  const { body } = await hub.call('GET', `${DEFINITIONS}/crontabs.example.com`);
  t.match(body, {
    metadata: { finalizers: ['customresourcecleanup.apiextensions.k8s.io'], generation: 1 },
    spec: { names: { singular: 'crontab', listKind: 'CronTabList' }, conversion: { strategy: 'None' } },
    status: {
      acceptedNames: { plural: 'crontabs', shortNames: ['ct'] },
      storedVersions: ['v1'],
      conditions: [
        { type: 'NamesAccepted', status: 'True', reason: 'NoConflicts' },
        { type: 'Established', status: 'True', reason: 'InitialNamesAccepted' },
      ],
    },
  });
  const list = await hub.call('GET', crontabs);
  t.match(list.body, { kind: 'CronTabList', apiVersion: 'example.com/v1', items: [] });
});

t.test('discovery in both forms', async (t) => {
  const { body } = await hub.call('GET', '/apis/example.com/v1');
  t.match(
    body.resources.map((each: { name: string }) => each.name),
    ['crontabs', 'crontabs/scale', 'crontabs/status'],
  );
  t.match(body.resources[0], {
    kind: 'CronTab',
    singularName: 'crontab',
    shortNames: ['ct'],
    categories: ['all'],
  });
  const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
  const aggregated = await hub.call('GET', '/apis', { headers: { accept } });
  t.ok(
    aggregated.body.items.some(
      (each: { metadata: { name: string } }) => each.metadata.name === 'example.com',
    ),
  );
});

t.test('OpenAPI tells its schema, under a hash that follows it', async (t) => {
  const { body } = await hub.call('GET', '/openapi/v3');
  const url = body.paths['apis/example.com/v1'].serverRelativeURL;
  const document = await hub.call('GET', url);
  const schema = document.body.components.schemas['com.example.v1.CronTab'];
  t.equal(schema.properties.spec.properties.replicas.maximum, 10);
  t.match(schema.properties.metadata.allOf, [{ $ref: /ObjectMeta$/ }]);
  t.match(schema['x-kubernetes-group-version-kind'], [
    { group: 'example.com', version: 'v1', kind: 'CronTab' },
  ]);
  const paths = Object.keys(document.body.paths);
  t.ok(paths.includes('/apis/example.com/v1/namespaces/{namespace}/crontabs/{name}/scale'));
});

t.test('create: defaults, unknown fields, values', async (t) => {
  const body = instance('first', { schedule: '* * * * */5', port: '80', extra: { any: [1] }, foo: 1 });
  const strict = await hub.call('POST', `${crontabs}?fieldValidation=Strict`, { body });
  t.equal(strict.code, 400);
  t.match(strict.body.message, 'strict decoding error: unknown field "spec.foo"');
  const { code, body: made, headers } = await hub.call('POST', crontabs, { body });
  t.equal(code, 201);
  t.match(headers['warning'], /unknown field \\"spec.foo\\"/);
  t.same(made.spec, { schedule: '* * * * */5', image: 'busybox', port: '80', extra: { any: [1] } });
  t.equal(made.metadata.generation, 1);
});

t.test('what is not valid is refused in the words of Kubernetes', async (t) => {
  const rows: [spec: object, message: string][] = [
    [{}, 'spec.schedule: Required value'],
    [
      { schedule: 'never' },
      `spec.schedule: Invalid value: "never": spec.schedule in body should match '^(\\d+|\\*)(/\\d+)?(\\s+(\\d+|\\*)(/\\d+)?){4}$'`,
    ],
    [
      { schedule: '* * * * *', replicas: 'two' },
      'spec.replicas: Invalid value: "string": spec.replicas in body must be of type integer: "string"',
    ],
    [
      { schedule: '* * * * *', replicas: 11 },
      'spec.replicas: Invalid value: 11: spec.replicas in body should be less than or equal to 10',
    ],
    [
      { schedule: '* * * * *', port: true },
      'spec.port: Invalid value: "boolean": spec.port in body must be of type integer,string: "boolean"',
    ],
    [
      { schedule: '* * * * *', steps: [{ name: 'a' }, { name: 'a' }] },
      'spec.steps[1]: Duplicate value: {"name":"a"}',
    ],
    [{ schedule: '* * * * *', steps: [{ run: 'x' }] }, 'spec.steps[0].name: Required value'],
  ];
  for (const [spec, message] of rows) {
    const { code, body } = await hub.call('POST', crontabs, { body: instance('bad', spec) });
    t.equal(code, 422, message);
    t.equal(body.message, `CronTab.example.com "bad" is invalid: ${message}`);
  }
});

t.test('status and scale are written by themselves', async (t) => {
  const { body: before } = await hub.call('GET', `${crontabs}/first`);
  const status = { replicas: 2, selector: 'app=x', conditions: [{ type: 'Ready', status: 'True' }] };
  const told = await hub.call('PUT', `${crontabs}/first/status`, {
    body: { ...before, spec: { schedule: 'ignored' }, status },
  });
  t.equal(told.code, 200, told.text);
  t.same(told.body.status, status);
  t.equal(told.body.spec.schedule, '* * * * */5');
  t.equal(told.body.metadata.generation, 1);
  const scaled = await hub.call('PATCH', `${crontabs}/first/scale`, {
    headers: { 'content-type': 'application/merge-patch+json' },
    body: { spec: { replicas: 3 } },
  });
  t.match(scaled.body, { kind: 'Scale', spec: { replicas: 3 }, status: { replicas: 2, selector: 'app=x' } });
  const { body: after } = await hub.call('GET', `${crontabs}/first`);
  t.equal(after.spec.replicas, 3);
  t.equal(after.metadata.generation, 2);
});

t.test('columns', async (t) => {
  const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io';
  const { body } = await hub.call('GET', crontabs, { headers: { accept } });
  t.same(
    body.columnDefinitions.map((each: { name: string; priority: number }) => [each.name, each.priority]),
    [
      ['Name', 0],
      ['Schedule', 0],
      ['Ready', 0],
      ['Replicas', 1],
      ['Age', 0],
    ],
  );
  t.match(body.rows[0].cells, ['first', '* * * * */5', 'True', 3, /^\d+s$/]);
});

t.test('fields that may select', async (t) => {
  const hit = await hub.call('GET', `${crontabs}?fieldSelector=spec.image%3Dbusybox`);
  t.equal(hit.body.items.length, 1);
  const miss = await hub.call('GET', `${crontabs}?fieldSelector=spec.image%3Dother`);
  t.equal(miss.body.items.length, 0);
  t.equal((await hub.call('GET', `${crontabs}?fieldSelector=spec.replicas%3D3`)).code, 400);
});

t.test('patches: strategic is refused; apply merges lists by their keys', async (t) => {
  const strategic = await hub.call('PATCH', `${crontabs}/first`, {
    headers: { 'content-type': 'application/strategic-merge-patch+json' },
    body: { spec: { replicas: 4 } },
  });
  t.equal(strategic.code, 415);
  const apply = (manager: string, name: string) =>
    hub.call('PATCH', `${crontabs}/first?fieldManager=${manager}`, {
      headers: { 'content-type': 'application/apply-patch+yaml' },
      body: { ...instance('first', { steps: [{ name, run: manager }] }) },
    });
  t.equal((await apply('one', 'a')).code, 200);
  const second = await apply('two', 'b');
  t.same(second.body.spec.steps.map(({ name }: { name: string }) => name).sort(), ['a', 'b']);
  const conflict = await apply('three', 'a');
  t.equal(conflict.code, 409);
  t.match(conflict.body.message, /conflict with "one".*\.spec\.steps\[name="a"\]\.run/);
});

t.test('a PUT must name the version that it replaces', async (t) => {
  const { code, body } = await hub.call('PUT', `${crontabs}/first`, {
    body: instance('first', { schedule: '1 * * * *' }),
  });
  t.equal(code, 422);
  t.match(body.message, 'metadata.resourceVersion: Invalid value: 0x0: must be specified for an update');
});

t.test(
  'a schema that changes counts at once, for what is stored too; what is unchanged is not held against anybody',
  async (t) => {
    const { body: stored } = await hub.call('GET', `${DEFINITIONS}/crontabs.example.com`);
    const { spec } = stored.spec.versions[0].schema.openAPIV3Schema.properties;
    spec.properties.suspend = { type: 'boolean', default: false };
    spec.properties.replicas.maximum = 2;
    t.equal((await hub.call('PUT', `${DEFINITIONS}/crontabs.example.com`, { body: stored })).code, 200);
    const { body } = await hub.call('GET', `${crontabs}/first`);
    t.equal(body.spec.suspend, false, 'defaults are read');
    t.equal(body.spec.replicas, 3, 'not valid any more');
    const merge = { 'content-type': 'application/merge-patch+json' };
    const patch = (change: object) =>
      hub.call('PATCH', `${crontabs}/first`, { headers: merge, body: { spec: change } });
    t.equal((await patch({ image: 'alpine' })).code, 200);
    t.equal((await patch({ replicas: 5 })).code, 422);
  },
);

t.test('a watch sees instances come and go, and ends with the definition', async (t) => {
  const stream = await hub.watch(`${crontabs}?watch=true`);
  t.match(await stream.next(), { type: 'ADDED', object: { metadata: { name: 'first' } } });
  const gone = await hub.call('DELETE', `${DEFINITIONS}/crontabs.example.com`);
  t.equal(gone.code, 200);
  t.equal((await stream.next()).type, 'DELETED');
  t.equal(await stream.next(), undefined);
  await until('the definition is gone', async () => {
    const { code } = await hub.call('GET', `${DEFINITIONS}/crontabs.example.com`);
    return code === 404;
  });
  t.equal((await hub.call('GET', crontabs)).code, 404);
  t.notOk((await hub.call('GET', '/openapi/v3')).body.paths['apis/example.com/v1']);
});

t.test('a definition ends after its instances', async (t) => {
  await define(hub, cronTab);
  const held = {
    ...instance('held', { schedule: '* * * * *' }),
    metadata: { name: 'held', finalizers: ['a.b/c'] },
  };
  t.equal((await hub.call('POST', crontabs, { body: held })).code, 201);
  await hub.call('DELETE', `${DEFINITIONS}/crontabs.example.com`);
  await until('it says so', async () => {
    const { body } = await hub.call('GET', `${DEFINITIONS}/crontabs.example.com`);
    return body.status.conditions.some((each: { type: string }) => each.type === 'Terminating');
  });
  const refused = await hub.call('POST', crontabs, { body: instance('late', { schedule: '* * * * *' }) });
  t.equal(refused.code, 405);
  t.match(refused.body.message, 'create not allowed while custom resource definition is terminating');
  await hub.call('PATCH', `${crontabs}/held`, {
    headers: { 'content-type': 'application/merge-patch+json' },
    body: { metadata: { finalizers: null } },
  });
  await until('both are gone', async () => (await hub.call('GET', crontabs)).code === 404);
});

t.test('versions: one is stored, the others are views', async (t) => {
  const schema = { openAPIV3Schema: objectOf({ spec: objectOf({ size: { type: 'integer' } }) }) };
  await define(
    hub,
    definitionOf(
      'Box',
      {},
      {},
      {
        versions: [
          { name: 'v1alpha1', served: true, storage: false, deprecated: true, schema },
          {
            name: 'v1',
            served: true,
            storage: true,
            schema: {
              openAPIV3Schema: objectOf({
                spec: objectOf({
                  size: { type: 'integer', maximum: 5 },
                  color: { type: 'string', default: 'red' },
                }),
              }),
            },
          },
        ],
      },
    ),
  );
  const old = '/apis/example.com/v1alpha1/namespaces/default/boxs';
  const body = {
    apiVersion: 'example.com/v1alpha1',
    kind: 'Box',
    metadata: { name: 'b' },
    spec: { size: 9 },
  };
  const made = await hub.call('POST', old, { body });
  t.equal(made.code, 201, made.text);
  t.equal(made.body.apiVersion, 'example.com/v1alpha1');
  t.match(made.headers['warning'], /example.com\/v1alpha1 Box is deprecated; use example.com\/v1 Box/);
  const seen = await hub.call('GET', '/apis/example.com/v1/namespaces/default/boxs/b');
  t.match(seen.body, { apiVersion: 'example.com/v1', spec: { size: 9, color: 'red' } });
  const again = await hub.call('GET', `${old}/b`);
  t.same(again.body.spec, { size: 9 });
  const refused = await hub.call('POST', '/apis/example.com/v1/namespaces/default/boxs', {
    body: { ...body, apiVersion: 'example.com/v1', metadata: { name: 'c' } },
  });
  t.equal(refused.code, 422, 'each version has its own rules');
});

t.test('another version may be stored; those of before are not forgotten', async (t) => {
  const path = `${DEFINITIONS}/boxs.example.com`;
  const { body: before } = await hub.call('GET', path);
  const [alpha, stable] = before.spec.versions;
  const versions = [
    { ...alpha, storage: true },
    { ...stable, storage: false },
  ];
  const put = await hub.call('PUT', path, { body: { ...before, spec: { ...before.spec, versions } } });
  t.same(put.body.status.storedVersions, ['v1', 'v1alpha1'], put.text);
  const seen = await hub.call('GET', '/apis/example.com/v1alpha1/namespaces/default/boxs/b');
  t.match(seen.body, { apiVersion: 'example.com/v1alpha1', spec: { size: 9 } });
  const dropped = await hub.call('PUT', path, {
    body: { ...put.body, spec: { ...put.body.spec, versions: [versions[0]] } },
  });
  t.equal(dropped.code, 422);
  t.match(dropped.body.message, 'status.storedVersions[0]: Invalid value: "v1": missing from spec.versions');
  const unserved = [versions[0], { ...versions[1], served: false }];
  const hidden = await hub.call('PUT', path, {
    body: { ...put.body, spec: { ...put.body.spec, versions: unserved } },
  });
  t.equal(hidden.code, 200);
  t.equal((await hub.call('GET', '/apis/example.com/v1/namespaces/default/boxs/b')).code, 404);
});

t.test('a namespace ends with its custom objects', async (t) => {
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'short' } };
  await hub.call('POST', '/api/v1/namespaces', { body: namespace });
  const box = { apiVersion: 'example.com/v1alpha1', kind: 'Box', metadata: { name: 'in' }, spec: {} };
  const boxes = '/apis/example.com/v1alpha1/namespaces/short/boxs';
  t.equal((await hub.call('POST', boxes, { body: box })).code, 201);
  await hub.call('DELETE', '/api/v1/namespaces/short');
  await until('it is gone', async () => (await hub.call('GET', '/api/v1/namespaces/short')).code === 404);
  t.equal((await hub.call('GET', `${boxes}/in`)).code, 404);
});

t.test('owners may be custom objects', async (t) => {
  const owner = (await hub.call('GET', '/apis/example.com/v1alpha1/namespaces/default/boxs/b')).body.metadata;
  const reference = { apiVersion: 'example.com/v1alpha1', kind: 'Box', name: 'b', uid: owner.uid };
  const body = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'owned', ownerReferences: [reference] },
  };
  t.equal((await hub.call('POST', '/api/v1/namespaces/default/configmaps', { body })).code, 201);
  await hub.call('DELETE', '/apis/example.com/v1alpha1/namespaces/default/boxs/b');
  await until('it goes with its owner', async () => {
    return (await hub.call('GET', '/api/v1/namespaces/default/configmaps/owned')).code === 404;
  });
});

t.test('names are had by one definition of a group', async (t) => {
  await define(
    hub,
    definitionOf('Lamp', objectOf({}), {}, { names: { plural: 'lamps', kind: 'Lamp', shortNames: ['lp'] } }),
  );
  const other = definitionOf(
    'Light',
    objectOf({}),
    {},
    { names: { plural: 'lights', kind: 'Light', shortNames: ['lp'] } },
  );
  await hub.call('POST', DEFINITIONS, { body: other });
  const status = await until('it is told', async () => {
    const { body } = await hub.call('GET', `${DEFINITIONS}/lights.example.com`);
    return body.status?.conditions && body.status;
  });
  t.match(status.conditions, [
    {
      type: 'NamesAccepted',
      status: 'False',
      reason: 'ShortNamesConflict',
      message: '"lp" is already in use',
    },
    { type: 'Established', status: 'False', reason: 'NotAccepted' },
  ]);
  await hub.call('DELETE', `${DEFINITIONS}/lamps.example.com`);
  await until('it gets the name', async () => {
    return (await hub.call('GET', '/apis/example.com/v1/namespaces/default/lights')).code === 200;
  });
});

t.test('nothing went wrong inside', async (t) => t.same(hub.errors, []));
