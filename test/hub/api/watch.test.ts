import { once } from 'node:events';
import { request } from 'node:https';
import t from 'tap';
import { configMaps } from '../../../hub/resources/table-of-resources.ts';
import { startHub } from './test-hub.ts';

const hub = await startHub(t, { watchBacklog: 300 });
const maps = '/api/v1/namespaces/default/configmaps';
const map = (name: string, data: object = {}, labels: object = {}) => ({ metadata: { name, labels }, data });
const summary = ({ type, object }: { type: string; object: { metadata: { name: string } } }) => [
  type,
  object.metadata.name,
];
await hub.post(maps, map('old'));

t.test('everything that exists comes first, then what changes', async (t) => {
  const stream = await hub.watch(`${maps}?watch=true`);
  t.equal(stream.response.statusCode, 200);
  t.same(summary(await stream.next()), ['ADDED', 'old']);
  const { body } = await hub.post(maps, map('new'));
  t.same(await stream.next(), { type: 'ADDED', object: body });
  await hub.patch(`${maps}/new`, 'merge', { data: { a: 'b' } });
  t.match(await stream.next(), { type: 'MODIFIED', object: { data: { a: 'b' } } });
  await hub.delete(`${maps}/new`);
  const deleted = await stream.next();
  t.match(deleted, {
    type: 'DELETED',
    object: { data: { a: 'b' }, metadata: { resourceVersion: String(hub.registry.revision) } },
  });
  stream.close();
});

t.test('from a version on', async (t) => {
  const { revision } = hub.registry;
  await hub.post(maps, map('later'));
  const stream = await hub.watch(`${maps}?watch=true&resourceVersion=${revision}`);
  t.same(summary(await stream.next()), ['ADDED', 'later'], 'what was missed');
  await hub.delete(`${maps}/later`);
  t.same(summary(await stream.next()), ['DELETED', 'later']);
  stream.close();
  const future = await hub.get(`${maps}?watch=true&resourceVersion=999999`);
  t.equal(future.code, 504);
  t.equal((await hub.get(`${maps}?watch=true&timeoutSeconds=soon`)).code, 400);
});

t.test('objects that start or stop to match come and go', async (t) => {
  const { revision } = hub.registry;
  const stream = await hub.watch(`${maps}?watch=true&labelSelector=tier%3Da&resourceVersion=${revision}`);
  await hub.post(maps, map('moving', {}, { tier: 'b' }));
  await hub.patch(`${maps}/moving`, 'merge', { metadata: { labels: { tier: 'a' } } });
  t.same(summary(await stream.next()), ['ADDED', 'moving']);
  await hub.patch(`${maps}/moving`, 'merge', { metadata: { labels: { tier: 'c' } } });
  t.match(await stream.next(), {
    type: 'DELETED',
    object: { metadata: { labels: { tier: 'a' }, resourceVersion: String(hub.registry.revision) } },
  });
  stream.close();
  const one = await hub.watch(`${maps}?watch=true&fieldSelector=metadata.name%3Dold`);
  t.same(summary(await one.next()), ['ADDED', 'old']);
  one.close();
  const path = await hub.watch(`${maps}/old?watch=true`);
  t.same(summary(await path.next()), ['ADDED', 'old'], 'or by the path of one object');
  path.close();
});

t.test('initial events have an end', async (t) => {
  const query =
    'watch=true&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan';
  const stream = await hub.watch(`${maps}?${query}`);
  t.same(summary(await stream.next()), ['ADDED', 'moving']);
  t.same(summary(await stream.next()), ['ADDED', 'old']);
  t.same(await stream.next(), {
    type: 'BOOKMARK',
    object: {
      kind: 'ConfigMap',
      apiVersion: 'v1',
      metadata: {
        resourceVersion: String(hub.registry.revision),
        annotations: { 'k8s.io/initial-events-end': 'true' },
      },
    },
  });
  stream.close();
  for (const bad of [
    'sendInitialEvents=true',
    'resourceVersionMatch=NotOlderThan',
    'sendInitialEvents=true&resourceVersionMatch=Exact',
  ])
    t.equal((await hub.get(`${maps}?watch=true&${bad}`)).code, 422, bad);
});

t.test('a timeout ends the stream, after a bookmark', async (t) => {
  const { revision } = hub.registry;
  const stream = await hub.watch(
    `${maps}?watch=true&resourceVersion=${revision}&timeoutSeconds=1&allowWatchBookmarks=true`,
  );
  t.match(await stream.next(), {
    type: 'BOOKMARK',
    object: { metadata: { resourceVersion: String(revision) } },
  });
  t.equal(await stream.next(), undefined);
  const quiet = await hub.watch(`${maps}?watch=true&resourceVersion=${revision}&timeoutSeconds=1`);
  t.equal(await quiet.next(), undefined, 'no bookmark unasked');
});

t.test('tables', async (t) => {
  const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io';
  const stream = await hub.watch(`${maps}?watch=true`, { accept });
  const first = await stream.next();
  t.match(first, {
    type: 'ADDED',
    object: {
      kind: 'Table',
      columnDefinitions: [{ name: 'Name' }, {}, {}],
      rows: [{ cells: ['moving', '0', /s$/] }],
    },
  });
  t.match(await stream.next(), {
    object: { kind: 'Table', columnDefinitions: null, rows: [{ cells: ['old', '0', /s$/] }] },
  });
  stream.close();
  const partial = await hub.watch(`${maps}?watch=true`, {
    accept: accept.replace('Table', 'PartialObjectMetadata'),
  });
  t.match(await partial.next(), {
    type: 'ADDED',
    object: { kind: 'PartialObjectMetadata', metadata: { name: 'moving' } },
  });
  partial.close();
});

t.test('a past that is forgotten', async (t) => {
  const real = hub.registry.watch.bind(hub.registry);
  const { expired } = await import('../../../hub/resources/api-error.ts');
  hub.registry.watch = () => {
    throw expired('too old resource version: 1 (9)');
  };
  t.teardown(() => {
    hub.registry.watch = real;
  });
  const stream = await hub.watch(`${maps}?watch=true&resourceVersion=1`, {
    accept: 'application/json;as=Table;v=v1;g=meta.k8s.io',
  });
  t.equal(stream.response.statusCode, 200);
  t.match(await stream.next(), {
    type: 'ERROR',
    object: { kind: 'Status', code: 410, reason: 'Expired', message: 'too old resource version: 1 (9)' },
  });
  t.equal(await stream.next(), undefined, 'then it ends');
});

t.test('who does not read is cut off, others are not', async (t) => {
  const reader = await hub.watch(
    `${maps}?watch=true&fieldSelector=metadata.name%3Dbig&resourceVersion=${hub.registry.revision}`,
  );
  const lazy = request({
    host: '127.0.0.1',
    port: hub.port,
    path: `${maps}?watch=true&resourceVersion=${hub.registry.revision}`,
    agent: hub.admin,
  });
  lazy.end();
  const [response] = await once(lazy, 'response');
  const cut = new Promise((resolve) => {
    response.once('error', resolve);
    response.once('close', resolve);
  });
  lazy.on('error', () => undefined);
  response.pause();
  let read = 0;
  const text = 'x'.repeat(20_000);
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'big', namespace: 'default' } };
  const options = { fieldManager: 'test' };
  await hub.registry.create(configMaps, { ...object, data: {} }, options);
  const writes = 800;
  const reading = (async () => {
    while (read <= writes) {
      if (!(await reader.next())) break;
      read++;
    }
  })();
  for (let index = 0; index < writes; index++)
    await hub.registry.modify(
      configMaps,
      'default',
      'big',
      () => ({ ...object, data: { index: `${index}`, text } }),
      options,
    );
  await reading;
  t.equal(read, writes + 1, 'who reads gets everything');
  response.resume();
  await cut;
  t.ok(response.destroyed, 'who does not is disconnected');
  reader.close();
});

t.test('nothing went wrong inside', async (t) => t.same(hub.errors, []));
