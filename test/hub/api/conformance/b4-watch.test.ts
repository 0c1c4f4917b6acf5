import { once } from 'node:events';
import { request } from 'node:https';
import t from 'tap';
import { configMaps } from '../../../../hub/resources/table-of-resources.ts';
import { startHub } from '../test-hub.ts';
import { MAPS, map, TABLE } from './objects.ts';

const hub = await startHub(t, { watchBacklog: 200 });
const versionNow = () => String(hub.registry.revision);
const seen = ({ type, object }: { type: string; object: { metadata: { name: string } } }) =>
  `${type} ${object.metadata.name}`;
await hub.post(MAPS, map('one', {}, { labels: { tier: 'a' } }));
await hub.post(MAPS, map('two', {}, { labels: { tier: 'b' } }));

t.test('B.4.1 one line an event, and the head of the answer before the first', async (t) => {
  for (const value of ['true', '1']) {
    const watch = await hub.watch(`${MAPS}?watch=${value}&resourceVersion=${versionNow()}`);
    t.equal(watch.response.statusCode, 200, 'there was no event yet');
    t.equal(watch.response.headers['transfer-encoding'], 'chunked');
    t.equal(watch.response.headers['content-type'], 'application/json');
    watch.close();
  }
});

t.test('B.4.2 where a watch begins', async (t) => {
  for (const query of ['', '&resourceVersion=0']) {
    const watch = await hub.watch(`${MAPS}?watch=true${query}`);
    t.same([seen(await watch.next()), seen(await watch.next())], ['ADDED one', 'ADDED two'], query);
    watch.close();
  }
  const from = versionNow();
  await hub.patch(`${MAPS}/one`, 'merge', { data: { a: 'b' } });
  const later = await hub.watch(`${MAPS}?watch=true&resourceVersion=${from}`);
  t.equal(seen(await later.next()), 'MODIFIED one');
  later.close();
});

t.test('B.4.2 a past that is forgotten', async (t) => {
  const old = await startHub(t);
  await old.post(MAPS, map('one'));
  for (const data of ['1', '2', '3']) await old.patch(`${MAPS}/one`, 'merge', { data: { data } });
  old.store.compact(old.registry.revision);
  for (const accept of ['application/json', TABLE]) {
    const watch = await old.watch(`${MAPS}?watch=true&resourceVersion=1`, { accept });
    t.equal(watch.response.statusCode, 200);
    t.match(await watch.next(), {
      type: 'ERROR',
      object: {
        kind: 'Status',
        code: 410,
        reason: 'Expired',
        message: /^too old resource version: 1 \(\d+\)$/,
      },
    });
    t.equal(await watch.next(), undefined, 'then it ends');
  }
});

t.test('B.4.3 what starts and stops to match', async (t) => {
  const watch = await hub.watch(`${MAPS}?watch=true&labelSelector=tier%3Dx&resourceVersion=${versionNow()}`);
  await hub.patch(`${MAPS}/two`, 'merge', { metadata: { labels: { tier: 'x' } } });
  t.equal(seen(await watch.next()), 'ADDED two');
  await hub.patch(`${MAPS}/two`, 'merge', { metadata: { labels: { tier: 'b' } } });
  t.match(await watch.next(), {
    type: 'DELETED',
    object: { metadata: { name: 'two', labels: { tier: 'x' }, resourceVersion: versionNow() } },
  });
  watch.close();
});

t.test('B.4.4 bookmarks, for who asks', async (t) => {
  const open = (query: string) =>
    hub.watch(`${MAPS}?watch=true&resourceVersion=${versionNow()}&timeoutSeconds=1${query}`);
  const [asked, tables, unasked] = await Promise.all([
    open('&allowWatchBookmarks=true'),
    hub.watch(`${MAPS}?watch=true&resourceVersion=${versionNow()}&timeoutSeconds=1&allowWatchBookmarks=1`, {
      accept: TABLE,
    }),
    open(''),
  ]);
  t.same(await asked.next(), {
    type: 'BOOKMARK',
    object: { kind: 'ConfigMap', apiVersion: 'v1', metadata: { resourceVersion: versionNow() } },
  });
  t.match(await tables.next(), {
    type: 'BOOKMARK',
    object: { kind: 'Table', metadata: { resourceVersion: versionNow() }, rows: [] },
  });
  for (const watch of [asked, tables, unasked]) t.equal(await watch.next(), undefined);
});

t.test('B.4.5 a timeout is a clean end', async (t) => {
  const watch = await hub.watch(
    `${MAPS}?watch=true&resourceVersion=${versionNow()}&timeoutSeconds=1&timeout=1h`,
  );
  t.equal(await watch.next(), undefined);
  t.ok(watch.response.complete, 'the last chunk came');
});

const STREAMED = 'watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan';

t.test('B.4.6 initial events, and the mark at their end', async (t) => {
  const watch = await hub.watch(`${MAPS}?${STREAMED}&allowWatchBookmarks=true&labelSelector=tier%3Db`);
  t.equal(seen(await watch.next()), 'ADDED two', 'only what is selected');
  t.same(await watch.next(), {
    type: 'BOOKMARK',
    object: {
      kind: 'ConfigMap',
      apiVersion: 'v1',
      metadata: { resourceVersion: versionNow(), annotations: { 'k8s.io/initial-events-end': 'true' } },
    },
  });
  await hub.post(MAPS, map('unselected'));
  await hub.post(MAPS, map('three', {}, { labels: { tier: 'b' } }));
  t.equal(seen(await watch.next()), 'ADDED three', 'then what changes');
  watch.close();
  const field = await hub.watch(
    `${MAPS}?${STREAMED}&allowWatchBookmarks=true&fieldSelector=metadata.name%3Dnone`,
  );
  t.match(await field.next(), { type: 'BOOKMARK' }, 'nothing is selected');
  field.close();
});

t.test('B.4.6 options that go together', async (t) => {
  for (const [query, field] of [
    ['watch=true&sendInitialEvents=true', 'resourceVersionMatch'],
    ['watch=true&sendInitialEvents=true&resourceVersionMatch=Exact', 'resourceVersionMatch'],
    ['watch=true&resourceVersionMatch=NotOlderThan', 'resourceVersionMatch'],
    ['sendInitialEvents=true', 'sendInitialEvents'],
  ] as const) {
    const { code, body } = await hub.get(`${MAPS}?${query}`);
    t.match([code, body.reason], [422, 'Invalid'], query);
    t.ok(body.details.causes.some((cause: { field: string }) => cause.field === field));
  }
  t.match(await hub.get(`${MAPS}?${STREAMED}&resourceVersion=9999999`), {
    code: 504,
    body: { details: { causes: [{ reason: 'ResourceVersionTooLarge' }] } },
  });
});

t.test('B.4.7 who does not read is cut off', async (t) => {
  const path = `${MAPS}?watch=true&resourceVersion=${versionNow()}`;
  const lazy = request({ host: '127.0.0.1', port: hub.port, path, agent: hub.admin });
  lazy.on('error', () => undefined);
  lazy.end();
  const [response] = await once(lazy, 'response');
  response.on('error', () => undefined);
  const closed = new Promise((resolve) => response.once('close', resolve));
  const text = 'x'.repeat(100_000);
  const object = (index: number) => ({
    ...map('large', { index: `${index}`, text }),
    metadata: { name: 'large', namespace: 'default' },
  });
  const options = { fieldManager: 'test' };
  await hub.registry.create(configMaps, object(0), options);
  for (let index = 1; index < 600; index++)
    await hub.registry.modify(configMaps, 'default', 'large', () => object(index), options);
  response.resume();
  await closed;
  t.notOk(response.complete, 'it was cut off, not ended');
});

t.test('nothing went wrong inside', async (t) => t.same(hub.errors, []));
