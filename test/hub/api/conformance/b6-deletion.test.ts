import t from 'tap';
import { pods } from '../../../../hub/resources/table-of-resources.ts';
import { until } from '../../../support/until.ts';
import { DEPLOYMENTS, deployment, MAPS, map, namesOf, PODS, pod } from './objects.ts';
import { startWholeHub } from './whole-hub.ts';

const { hub, cluster } = await startWholeHub(t);
const REPLICA_SETS = '/apis/apps/v1/namespaces/default/replicasets';
await cluster.addNode('device');
const isGone = async (path: string) => (await hub.get(path)).code === 404;
const gone = (path: string) => until(`${path} is gone`, () => isGone(path));
const KEPT = { finalizers: ['example.com/wait'] };
const release = (path: string) => hub.patch(path, 'merge', { metadata: { finalizers: null } });

/** A pod that is bound, and so ends gracefully. */
async function boundPod(name: string, spec: object = {}): Promise<string> {
  t.equal((await hub.post(PODS, pod(name, { nodeName: 'device', ...spec }))).code, 201);
  return `${PODS}/${name}`;
}

t.test('B.6.1 options, in the body or the query', async (t) => {
  const { body } = await hub.post(MAPS, map('a'));
  const path = `${MAPS}/a`;
  const { uid, resourceVersion } = body.metadata;
  t.match(await hub.delete(path, { preconditions: { uid: 'other' } }), {
    code: 409,
    body: { reason: 'Conflict' },
  });
  t.match(await hub.delete(path, { preconditions: { resourceVersion: '1' } }), { code: 409 });
  t.match(await hub.delete(path, { propagationPolicy: 'Orphan', orphanDependents: true }), { code: 422 });
  t.match(await hub.delete(`${path}?propagationPolicy=Orphan&orphanDependents=true`), { code: 422 });
  t.match(await hub.delete(`${path}?propagationPolicy=Never`), { code: 422 });
  t.match(
    await hub.call('DELETE', path, {
      body: 'gracePeriodSeconds: x',
      headers: { 'content-type': 'application/yaml' },
    }),
    {
      code: 400,
    },
  );
  t.equal((await hub.get(path)).code, 200);
  t.match(await hub.delete(path, { preconditions: { uid, resourceVersion } }), { code: 200 });
  await boundPod('query');
  t.match(await hub.delete(`${PODS}/query?gracePeriodSeconds=7`), {
    body: { metadata: { deletionGracePeriodSeconds: 7 } },
  });
  await hub.delete(`${PODS}/query`, { gracePeriodSeconds: 0 });
});

t.test('B.6.2 pods end gracefully', async (t) => {
  const path = await boundPod('ending', { terminationGracePeriodSeconds: 20 });
  const { revision } = hub.registry;
  const watch = await hub.watch(
    `${PODS}?watch=true&fieldSelector=metadata.name%3Dending&resourceVersion=${revision}`,
  );
  const before = Date.now();
  const { code, body } = await hub.delete(path);
  t.equal(code, 200);
  t.match(body, { kind: 'Pod', metadata: { generation: 2, deletionGracePeriodSeconds: 20 } });
  const inSeconds = (Date.parse(body.metadata.deletionTimestamp) - before) / 1000;
  t.ok(inSeconds > 18 && inSeconds < 25, `its end is in 20 s: ${inSeconds}`);
  t.match(await watch.next(), { type: 'MODIFIED', object: { metadata: { deletionGracePeriodSeconds: 20 } } });
  t.match(
    (await hub.delete(path, { gracePeriodSeconds: 60 })).body.metadata,
    { deletionGracePeriodSeconds: 20 },
    'never longer',
  );
  t.match((await hub.delete(path, { gracePeriodSeconds: 5 })).body.metadata, {
    deletionGracePeriodSeconds: 5,
    generation: 2,
  });
  t.match(await hub.delete(path, { gracePeriodSeconds: 0 }), { code: 200, body: { kind: 'Pod' } });
  t.ok(await isGone(path));
  watch.close();

  t.match((await hub.delete(await boundPod('negative'), { gracePeriodSeconds: -1 })).body.metadata, {
    deletionGracePeriodSeconds: 1,
  });
  await hub.delete(`${PODS}/negative`, { gracePeriodSeconds: 0 });
  await hub.post(PODS, pod('unbound', { schedulerName: 'none' }));
  await hub.delete(`${PODS}/unbound`);
  t.ok(await isGone(`${PODS}/unbound`), 'nobody runs it');
  for (const phase of ['Succeeded', 'Failed']) {
    const done = await boundPod(phase.toLowerCase());
    await hub.patch(`${done}/status`, 'merge', { status: { phase } });
    await hub.delete(done);
    t.ok(await isGone(done), `${phase} is over`);
  }
});

t.test('B.6.3 with finalizers it ends, without them it is gone', async (t) => {
  await hub.post(MAPS, map('kept', {}, KEPT));
  const { code, body } = await hub.delete(`${MAPS}/kept`);
  t.equal(code, 200);
  t.match(body, { kind: 'ConfigMap', metadata: { deletionTimestamp: /Z$/, deletionGracePeriodSeconds: 0 } });
  t.match(
    await hub.delete(`${MAPS}/kept`, { orphanDependents: false }),
    { code: 202 },
    'the old option says so',
  );
  await release(`${MAPS}/kept`);
  await hub.post(MAPS, map('plain'));
  t.match(await hub.delete(`${MAPS}/plain`), { code: 200, body: { kind: 'Status', status: 'Success' } });
  await hub.post(MAPS, map('plain'));
  t.match(await hub.delete(`${MAPS}/plain`, { orphanDependents: false }), { code: 200 });
});

t.test('B.6.4 an ending object takes no new finalizers; the last one takes it along', async (t) => {
  const path = `${MAPS}/last`;
  await hub.post(MAPS, map('last', {}, { finalizers: ['example.com/a', 'example.com/b'] }));
  await hub.delete(path);
  t.match(await hub.patch(path, 'merge', { metadata: { finalizers: ['example.com/a', 'example.com/c'] } }), {
    code: 422,
    body: { message: /no new finalizers can be added if the object is being deleted/ },
  });
  t.equal((await hub.patch(path, 'merge', { metadata: { finalizers: ['example.com/b'] } })).code, 200);
  t.equal((await hub.patch(path, 'json', [{ op: 'remove', path: '/metadata/finalizers/0' }])).code, 200);
  t.ok(await isGone(path));
});

async function settledDeployment(name: string): Promise<{ set: string; uid: string }> {
  await hub.post(DEPLOYMENTS, deployment(name, { replicas: 2 }));
  const found = await until(`the pods of ${name} are there`, async () => {
    const sets = await hub.get(`${REPLICA_SETS}?labelSelector=app%3D${name}`);
    const [set] = sets.body.items;
    const { items } = (await hub.get(`${PODS}?labelSelector=app%3D${name}`)).body;
    return items.length === 2 && set?.status?.replicas === 2 && set;
  });
  return { set: found.metadata.name, uid: found.metadata.uid };
}

t.test('B.6.5 Background: the owner first', async (t) => {
  const { set } = await settledDeployment('background');
  t.match(await hub.delete(`${DEPLOYMENTS}/background`, { propagationPolicy: 'Background' }), { code: 200 });
  t.ok(await isGone(`${DEPLOYMENTS}/background`));
  await gone(`${REPLICA_SETS}/${set}`);
});

t.test('B.6.5 Foreground: the owner last', async (t) => {
  const { set } = await settledDeployment('foreground');
  const { body } = await hub.delete(`${DEPLOYMENTS}/foreground`, { propagationPolicy: 'Foreground' });
  t.match(body.metadata, { finalizers: ['foregroundDeletion'], deletionTimestamp: /Z$/ });
  const ending = await until('its pods end', () => {
    const { items } = hub.registry.list(pods, {
      matches: ({ metadata }) => metadata.labels?.['app'] === 'foreground',
    });
    const all = items.length === 2 && items.every(({ metadata }) => metadata.deletionTimestamp);
    return all ? items : undefined;
  });
  t.match((await hub.get(`${REPLICA_SETS}/${set}`)).body.metadata.finalizers, ['foregroundDeletion']);
  t.equal((await hub.get(`${DEPLOYMENTS}/foreground`)).code, 200, 'it waits for them');
  for (const { metadata } of ending) await hub.delete(`${PODS}/${metadata.name}`, { gracePeriodSeconds: 0 });
  await gone(`${DEPLOYMENTS}/foreground`);
  t.ok(await isGone(`${REPLICA_SETS}/${set}`));
});

t.test('B.6.5 Foreground does not wait for who does not block', async (t) => {
  const { body } = await hub.post(MAPS, map('owner'));
  const owner = { apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: body.metadata.uid };
  await hub.post(
    MAPS,
    map('blocking', {}, { ...KEPT, ownerReferences: [{ ...owner, blockOwnerDeletion: true }] }),
  );
  await hub.post(MAPS, map('loose', {}, { ...KEPT, ownerReferences: [owner] }));
  await hub.delete(`${MAPS}/owner`, { propagationPolicy: 'Foreground' });
  await until('both end', async () => {
    const all = (await hub.get(MAPS)).body.items as {
      metadata: { name: string; deletionTimestamp?: string };
    }[];
    return all.filter(({ metadata }) => metadata.deletionTimestamp).length === 3;
  });
  await release(`${MAPS}/blocking`);
  await gone(`${MAPS}/owner`);
  t.equal((await hub.get(`${MAPS}/loose`)).code, 200);
  await release(`${MAPS}/loose`);
});

t.test('B.6.5 Orphan: what it owned stays, without owner', async (t) => {
  const { set, uid } = await settledDeployment('orphan');
  t.match((await hub.delete(`${DEPLOYMENTS}/orphan`, { propagationPolicy: 'Orphan' })).body.metadata, {
    finalizers: ['orphan'],
  });
  await gone(`${DEPLOYMENTS}/orphan`);
  const { body } = await hub.get(`${REPLICA_SETS}/${set}`);
  t.same([body.metadata.uid, body.metadata.ownerReferences], [uid, undefined]);
  t.equal(namesOf(await hub.get(`${PODS}?labelSelector=app%3Dorphan`)).length, 2);
});

t.test('B.6.5 the policy of the request beats finalizers that are there', async (t) => {
  await hub.post(MAPS, map('changed', {}, { finalizers: ['orphan'] }));
  await hub.delete(`${MAPS}/changed`, { propagationPolicy: 'Background' });
  t.ok(await isGone(`${MAPS}/changed`));
});

t.test('B.6.6 owners', async (t) => {
  const { body } = await hub.post(MAPS, map('an-owner'));
  const { body: other } = await hub.post(MAPS, map('another-owner'));
  const of = ({ metadata }: { metadata: { name: string; uid: string } }, more: object = {}) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    name: metadata.name,
    uid: metadata.uid,
    ...more,
  });
  const owned = (name: string, ...ownerReferences: object[]) =>
    hub.post(MAPS, map(name, {}, { ownerReferences }));
  t.match(await owned('two', of(body, { controller: true }), of(other, { controller: true })), {
    code: 422,
    body: { message: /Only one reference can have Controller set to true/ },
  });
  t.match(await owned('none', { ...of(body), uid: '' }), { code: 422 });
  const twice = await owned('twice', of(body), of(body));
  t.equal(twice.code, 201);
  t.equal(twice.body.metadata.ownerReferences.length, 1);
  t.match(twice.headers['warning'], /metadata\.ownerReferences contains duplicate entries/);
  await owned('of-both', of(body), of(other));
  await hub.delete(`${MAPS}/an-owner`);
  await gone(`${MAPS}/twice`);
  t.equal((await hub.get(`${MAPS}/of-both`)).code, 200, 'one of its owners is left');
  await hub.delete(`${MAPS}/another-owner`);
  await gone(`${MAPS}/of-both`);
  await owned('by-uid', { ...of(other), uid: 'no-such-uid' });
  await gone(`${MAPS}/by-uid`);
});

t.test('B.6.7 a namespace ends after its contents', async (t) => {
  const path = '/api/v1/namespaces/full';
  await hub.post('/api/v1/namespaces', { metadata: { name: 'full', ...KEPT } });
  await hub.post(`${path}/configmaps`, map('plain'));
  await hub.post(`${path}/configmaps`, map('kept', {}, KEPT));
  const template = { metadata: { labels: { app: 'web' } }, spec: pod('any', { schedulerName: 'none' }).spec };
  await hub.post('/apis/apps/v1/namespaces/full/deployments', deployment('web', { template }));
  const { body } = await hub.delete(path);
  t.match(body, { metadata: { deletionTimestamp: /Z$/ }, status: { phase: 'Terminating' } });
  await until('what can go is gone', async () => {
    const maps = namesOf(await hub.get(`${path}/configmaps`));
    const rest = namesOf(await hub.get('/apis/apps/v1/namespaces/full/deployments'));
    return maps.join() === 'kept' && rest.length === 0;
  });
  t.match((await hub.get(path)).body.spec.finalizers, ['kubernetes']);
  const conditions = async (): Promise<{ type: string; status: string; message: string }[]> =>
    (await hub.get(path)).body.status.conditions ?? [];
  await until('it says what holds it', async () =>
    (await conditions()).some(
      ({ type, status, message }) =>
        type === 'NamespaceFinalizersRemaining' &&
        status === 'True' &&
        message ===
          'Some content in the namespace has finalizers remaining: example.com/wait in 1 resource instances',
    ),
  );
  t.match(await conditions(), [
    { type: 'NamespaceDeletionDiscoveryFailure', status: 'False', reason: 'ResourcesDiscovered' },
    { type: 'NamespaceDeletionGroupVersionParsingFailure', status: 'False' },
    { type: 'NamespaceDeletionContentFailure', status: 'False', reason: 'ContentDeleted' },
    { type: 'NamespaceContentRemaining', status: 'True', message: /configmaps\. has 1 resource instances/ },
    { type: 'NamespaceFinalizersRemaining', status: 'True', reason: 'SomeFinalizersRemain' },
  ]);
  await release(`${path}/configmaps/kept`);
  await until('nothing is in it', async () => !(await hub.get(path)).body.spec.finalizers?.length);
  t.equal((await hub.get(path)).code, 200, 'its own finalizer holds it');
  t.ok((await conditions()).every(({ status }) => status === 'False'));
  await release(path);
  await gone(path);
  for (const name of ['default', 'kube-system', 'kube-public'])
    t.match(await hub.delete(`/api/v1/namespaces/${name}`), { code: 403, body: { reason: 'Forbidden' } });
});

t.test('B.6.8 a collection', async (t) => {
  for (const name of ['c1', 'c2', 'c3'])
    await hub.post(MAPS, map(name, {}, { labels: { in: name === 'c3' ? 'no' : 'yes' } }));
  const selected = await hub.delete(`${MAPS}?labelSelector=in%3Dyes&fieldSelector=metadata.name!%3Dc2`);
  t.match(selected, { code: 200, body: { kind: 'ConfigMapList' } });
  t.same(namesOf(selected), ['c1']);
  t.same(namesOf(await hub.get(`${MAPS}?labelSelector=in`)), ['c2', 'c3']);
});

t.test('nothing went wrong inside', async (t) => t.same(hub.errors, []));
