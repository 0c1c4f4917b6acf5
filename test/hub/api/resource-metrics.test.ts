import t from 'tap';
import type { NodeUsage } from '../../../hub/resources/resource-metrics.ts';
import { startHub } from './test-hub.ts';

const METRICS = '/apis/metrics.k8s.io/v1beta1';
const asked: string[] = [];
const used = { cpuNanocores: 5_000_000n, windowMs: 1_000, workingSetBytes: 1024n };

/** A device that tells the same of every pod that it has. */
const usage = async (node: string): Promise<NodeUsage | undefined> => {
  asked.push(node);
  if (node === 'away') return undefined;
  const { items } = hub.registry.list(podDefinition());
  return {
    atMs: Date.parse('2026-11-22T10:00:00Z'),
    device: used,
    pods: new Map(items.map(({ metadata }) => [metadata.uid ?? '', [{ name: 'main', usage: used }]])),
  };
};
const hub = await startHub(t, { usage });

function podDefinition() {
  const found = hub.registry.definitions.find(({ group, plural }) => group === '' && plural === 'pods');
  if (!found) throw new Error('there are no pods');
  return found;
}

async function addPod(namespace: string, name: string, node: string, phase = 'Running'): Promise<void> {
  const path = `/api/v1/namespaces/${namespace}/pods`;
  const spec = { nodeName: node, containers: [{ name: 'main', image: 'a' }] };
  const { body } = await hub.post(path, { metadata: { name, labels: { app: name } }, spec });
  await hub.put(`${path}/${name}/status`, { ...body, status: { phase } });
}

async function namesOf(path: string): Promise<string[]> {
  asked.length = 0;
  const { code, body } = await hub.get(`${METRICS}${path}`);
  t.equal(code, 200, path);
  return body.items.map(({ metadata }: { metadata: { name: string } }) => metadata.name);
}

t.before(async () => {
  await hub.post('/api/v1/namespaces', { metadata: { name: 'other' } });
  for (const name of ['one', 'two', 'away', 'idle'])
    await hub.post('/api/v1/nodes', { metadata: { name, labels: { site: name } } });
  await addPod('default', 'a', 'one');
  await addPod('default', 'b', 'one');
  await addPod('default', 'lost', 'away');
  await addPod('default', 'done', 'two', 'Succeeded');
  await addPod('other', 'c', 'two');
});

t.test('lists', async (t) => {
  t.same(await namesOf('/nodes'), ['idle', 'one', 'two']);
  t.same(asked.toSorted(), ['away', 'idle', 'one', 'two']);
  t.same(await namesOf('/nodes?labelSelector=site%3Done'), ['one']);
  t.same(asked, ['one']);
  t.same(await namesOf('/nodes?fieldSelector=metadata.name%3Dtwo'), ['two']);
  t.same(await namesOf('/pods'), ['a', 'b', 'c']);
  t.same(await namesOf('/namespaces/default/pods'), ['a', 'b']);
  t.same(asked, ['one', 'away'], 'each node once, and none of other namespaces or of what has ended');
  t.same(await namesOf('/namespaces/default/pods?labelSelector=app%3Db'), ['b']);
  t.same(await namesOf('/namespaces/other/pods?fieldSelector=metadata.name%3Dc&limit=500'), ['c']);
  t.same(await namesOf('/namespaces/none/pods'), []);
  const { body } = await hub.get(`${METRICS}/nodes`);
  t.match(body, { kind: 'NodeMetricsList', apiVersion: 'metrics.k8s.io/v1beta1', metadata: {} });
  t.equal((await hub.get(`${METRICS}/nodes?labelSelector=a%3D%3D%3D`)).code, 400);
});

t.test('one of them', async (t) => {
  const { body } = await hub.get(`${METRICS}/namespaces/default/pods/a`);
  t.match(body, {
    kind: 'PodMetrics',
    metadata: { name: 'a', namespace: 'default', labels: { app: 'a' } },
    timestamp: '2026-11-22T10:00:00Z',
    window: '1s',
    containers: [{ name: 'main', usage: { cpu: '5m', memory: '1Ki' } }],
  });
  for (const [path, name] of [
    ['/nodes/away', 'nodemetrics.metrics.k8s.io "away"'],
    ['/nodes/none', 'nodemetrics.metrics.k8s.io "none"'],
    ['/namespaces/default/pods/lost', 'podmetrics.metrics.k8s.io "default/lost"'],
    ['/namespaces/default/pods/done', 'podmetrics.metrics.k8s.io "default/done"'],
    ['/namespaces/default/pods/none', 'podmetrics.metrics.k8s.io "default/none"'],
  ] as const) {
    const answer = await hub.get(`${METRICS}${path}`);
    t.match([answer.code, answer.body], [404, { reason: 'NotFound', message: `${name} not found` }], path);
  }
});

t.test('as tables and as metadata', async (t) => {
  const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io';
  const { body } = await hub.get(`${METRICS}/nodes`, { headers: { accept } });
  t.same(
    body.columnDefinitions.map(({ name, format }: { name: string; format: string }) => [name, format]),
    [
      ['Name', 'name'],
      ['cpu', 'quantity'],
      ['memory', 'quantity'],
      ['Window', 'duration'],
    ],
  );
  t.same(body.rows[0].cells, ['idle', '5m', '1Ki', '1s']);
  const one = await hub.get(`${METRICS}/nodes/one`, { headers: { accept } });
  t.equal(one.body.rows.length, 1);
  const partial = await hub.get(`${METRICS}/nodes`, {
    headers: { accept: 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io' },
  });
  t.match(partial.body, {
    kind: 'PartialObjectMetadataList',
    items: [{ metadata: { name: 'idle' } }, {}, {}],
  });
});

t.test('nothing of it is stored, and nothing else can be done with it', async (t) => {
  const { revision } = hub.registry;
  t.notOk(hub.registry.definitions.some(({ group }) => group === 'metrics.k8s.io'));
  for (const [method, path] of [
    ['GET', '/nodes?watch=true'],
    ['POST', '/nodes'],
    ['PUT', '/nodes/one'],
    ['PATCH', '/nodes/one'],
    ['DELETE', '/nodes/one'],
    ['DELETE', '/nodes'],
    ['POST', '/namespaces/default/pods'],
  ] as const)
    t.equal((await hub.call(method, `${METRICS}${path}`)).code, 405, `${method} ${path}`);
  t.equal((await hub.get(`${METRICS}/nodes/one/status`)).code, 404);
  t.equal(hub.registry.revision, revision);
});

t.test('where clients find it', async (t) => {
  const { body } = await hub.get(METRICS);
  t.same(body.resources, [
    { name: 'nodes', singularName: '', namespaced: false, kind: 'NodeMetrics', verbs: ['get', 'list'] },
    { name: 'pods', singularName: '', namespaced: true, kind: 'PodMetrics', verbs: ['get', 'list'] },
  ]);
  const { body: index } = await hub.get('/openapi/v3');
  const { body: document } = await hub.get(index.paths['apis/metrics.k8s.io/v1beta1'].serverRelativeURL);
  t.same(
    Object.entries(document.paths as Record<string, object>).map(([path, methods]) => [
      path.slice(METRICS.length),
      Object.keys(methods).filter((each) => each !== 'parameters'),
    ]),
    [
      ['/namespaces/{namespace}/pods', ['get']],
      ['/namespaces/{namespace}/pods/{name}', ['get']],
      ['/nodes', ['get']],
      ['/nodes/{name}', ['get']],
      ['/pods', ['get']],
    ],
  );
  const types = 'io.k8s.metrics.pkg.apis.metrics.v1beta1';
  t.match(document.components.schemas[`${types}.PodMetricsList`], {
    'x-kubernetes-group-version-kind': [{ kind: 'PodMetricsList' }],
  });
  t.match(document.components.schemas[`${types}.PodMetrics`], {
    required: ['timestamp', 'window', 'containers'],
    'x-kubernetes-group-version-kind': [{ kind: 'PodMetrics' }],
  });
});

t.test('nothing went wrong inside', async (t) => t.same(hub.errors, []));
