import t from 'tap';
import { startHub } from '../test-hub.ts';
import { DEPLOYMENTS, deployment, MAPS, map, TABLE } from './objects.ts';

const hub = await startHub(t);
const PARTIAL = TABLE.replace('Table', 'PartialObjectMetadata');
await hub.post(MAPS, map('one', { a: 'b' }));

t.test('B.1.1 the first entry of Accept that can be served wins', async (t) => {
  const answer = (accept: string, path = `${MAPS}/one`) => hub.get(path, { headers: { accept } });
  for (const accept of ['', '*/*', 'application/*', 'application/vnd.kubernetes.protobuf,application/json']) {
    const { headers, body } = await answer(accept);
    t.match([headers['content-type'], body.kind], ['application/json', 'ConfigMap'], accept);
  }
  t.match((await answer(`${TABLE},application/json`)).body, { kind: 'Table', apiVersion: 'meta.k8s.io/v1' });
  t.match((await answer(`application/json,${TABLE}`)).body, { kind: 'ConfigMap' });
  t.match((await answer(TABLE.replace('v=v1', 'v=v1beta1'))).body, { apiVersion: 'meta.k8s.io/v1beta1' });
  t.match((await answer(`${TABLE.replace('v=v1', 'v=v9')},application/json`)).body, { kind: 'ConfigMap' });
  t.match((await answer('application/yaml')).text, /^apiVersion: v1$/m);
  t.match((await answer(PARTIAL)).body, { kind: 'PartialObjectMetadata', metadata: { name: 'one' } });
  t.match((await answer(PARTIAL.replace('Metadata', 'MetadataList'), MAPS)).body, {
    kind: 'PartialObjectMetadataList',
    apiVersion: 'meta.k8s.io/v1',
    items: [{ kind: 'PartialObjectMetadata', metadata: { name: 'one' } }],
  });
  t.match(await answer('text/html,application/vnd.kubernetes.protobuf'), {
    code: 406,
    body: {
      reason: 'NotAcceptable',
      message: /^only the following media types are accepted: application\/json/,
    },
  });
});

t.test('B.1.2 what a body may be written in', async (t) => {
  const post = (type: string | undefined, body: unknown) =>
    hub.post(`${MAPS}?dryRun=All`, body, type === undefined ? {} : { headers: { 'content-type': type } });
  const { code, body } = await hub.call('POST', `${MAPS}?dryRun=All`, {
    body: Buffer.from(JSON.stringify(map('two'))),
    headers: { 'content-type': '' },
  });
  t.match([code, body.kind], [201, 'ConfigMap'], 'none said is JSON');
  t.match(await post('application/json; charset=utf-8', map('two')), { code: 201 });
  t.match(await post('application/yaml', 'metadata: {name: two}'), { code: 201 });
  t.match(await post('application/cbor', map('two')), {
    code: 415,
    body: {
      reason: 'UnsupportedMediaType',
      message:
        'the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf',
    },
  });
  t.match(await hub.patch(`${MAPS}/one`, 'unheard-of', {}), {
    code: 415,
    body: {
      message:
        'the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json, application/apply-patch+yaml',
    },
  });
  for (const body of ['{"apiVersion":"v1","kind":"ConfigMap"}', 'apiVersion: v1\nkind: ConfigMap\n'])
    t.equal((await hub.patch(`${MAPS}/two?fieldManager=m&dryRun=All`, 'apply', body)).code, 201, body);
});

t.test('B.1.3 tables', async (t) => {
  await hub.post(DEPLOYMENTS, deployment('web', { replicas: 2 }));
  const table = async (query = '') =>
    (await hub.get(`${DEPLOYMENTS}${query}`, { headers: { accept: TABLE } })).body;
  const { columnDefinitions, rows, ...rest } = await table();
  t.same(rest, {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata: { resourceVersion: String(hub.registry.revision) },
  });
  t.same(Object.keys(columnDefinitions[0]).sort(), ['description', 'format', 'name', 'priority', 'type']);
  t.equal(rows[0].cells.length, columnDefinitions.length);
  t.match(rows[0].object, {
    kind: 'PartialObjectMetadata',
    apiVersion: 'meta.k8s.io/v1',
    metadata: { name: 'web' },
  });
  t.match((await table('?includeObject=Object')).rows[0].object, {
    kind: 'Deployment',
    spec: { replicas: 2 },
  });
  t.equal((await table('?includeObject=None')).rows[0].object, undefined);
  await hub.post(DEPLOYMENTS, deployment('xyz'));
  t.match((await table('?limit=1')).metadata, { continue: /./, remainingItemCount: 1 });

  const watch = await hub.watch(`${DEPLOYMENTS}?watch=true`, { accept: TABLE });
  t.equal((await watch.next()).object.columnDefinitions.length, columnDefinitions.length);
  t.notOk((await watch.next()).object.columnDefinitions, 'columns are told once');
  watch.close();
});

t.test('B.1.4 lists', async (t) => {
  const { body } = await hub.get('/api/v1/configmaps');
  t.match(body, {
    kind: 'ConfigMapList',
    apiVersion: 'v1',
    metadata: { resourceVersion: String(hub.registry.revision) },
  });
  t.match((await hub.get('/api/v1/nodes')).text, '"items":[]');
  for (const name of ['a', 'a-b']) {
    await hub.post('/api/v1/namespaces', { metadata: { name } });
    for (const each of ['z', 'b.c', 'b-c', 'b0'])
      await hub.post(`/api/v1/namespaces/${name}/configmaps`, map(each));
  }
  const { items } = (await hub.get('/api/v1/configmaps')).body;
  t.same(
    items.map(
      (each: { metadata: { namespace: string; name: string } }) =>
        `${each.metadata.namespace}/${each.metadata.name}`,
    ),
    ['a/b-c', 'a/b.c', 'a/b0', 'a/z', 'a-b/b-c', 'a-b/b.c', 'a-b/b0', 'a-b/z', 'default/one'],
    'by namespace, then name',
  );
});

t.test('nothing went wrong inside', async (t) => t.same(hub.errors, []));
