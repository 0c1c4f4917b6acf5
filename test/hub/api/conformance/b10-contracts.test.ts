import t from 'tap';
import { until } from '../../../support/until.ts';
import { DEPLOYMENTS, deployment, namesOf, PODS, pod } from './objects.ts';
import { startWholeHub } from './whole-hub.ts';

const { hub, cluster } = await startWholeHub(t);
const APPS = '/apis/apps/v1/namespaces/default';
const ACCOUNTS = '/api/v1/namespaces/default/serviceaccounts';
await cluster.addNode('device');
t.teardown(cluster.runAgents());

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
}
const conditionOf = (body: { status?: { conditions?: Condition[] } }, type: string) =>
  body.status?.conditions?.find((condition) => condition.type === type);

t.test('B.10 Deployment: what rollout status and helm wait for', async (t) => {
  await hub.post(DEPLOYMENTS, deployment('web', { replicas: 2 }));
  const done = async () => {
    const { body } = await hub.get(`${DEPLOYMENTS}/web`);
    return conditionOf(body, 'Progressing')?.reason === 'NewReplicaSetAvailable' && body;
  };
  const first = await until('the rollout is complete', done);
  t.match(first.status, {
    observedGeneration: first.metadata.generation,
    replicas: 2,
    updatedReplicas: 2,
    readyReplicas: 2,
    availableReplicas: 2,
  });
  t.match(conditionOf(first, 'Available'), { status: 'True' });
  t.equal(first.metadata.annotations['deployment.kubernetes.io/revision'], '1');
  const image = { spec: { template: { spec: { containers: [{ name: 'main', image: 'busybox:2' }] } } } };
  await hub.patch(`${DEPLOYMENTS}/web`, 'strategic-merge', image);
  const second = await until('the second one is', async () => {
    const body = await done();
    return (
      body &&
      body.metadata.annotations['deployment.kubernetes.io/revision'] === '2' &&
      body.status.replicas === 2 &&
      body
    );
  });
  const { items } = (await hub.get(`${APPS}/replicasets?labelSelector=app%3Dweb`)).body;
  t.equal(items.length, 2);
  for (const { metadata, spec } of items) {
    t.match(metadata.ownerReferences, [
      { kind: 'Deployment', name: 'web', uid: second.metadata.uid, controller: true },
    ]);
    t.match(metadata.labels['pod-template-hash'], /./);
    t.equal(spec.selector.matchLabels['pod-template-hash'], metadata.labels['pod-template-hash']);
    t.match(metadata.annotations['deployment.kubernetes.io/revision'], /^[12]$/);
    t.notOk(metadata.annotations['kubectl.kubernetes.io/last-applied-configuration']);
  }
});

t.test('B.10 Deployment: a rollout that gets nowhere says so', async (t) => {
  const template = {
    metadata: { labels: { app: 'stuck' } },
    spec: { ...pod('any').spec, nodeSelector: { no: 'such-node' } },
  };
  await hub.post(DEPLOYMENTS, deployment('stuck', { template, progressDeadlineSeconds: 1 }));
  const condition = await until('the deadline is told', async () => {
    const found = conditionOf((await hub.get(`${DEPLOYMENTS}/stuck`)).body, 'Progressing');
    return found?.reason === 'ProgressDeadlineExceeded' ? found : undefined;
  });
  t.equal(condition.status, 'False');
});

t.test('B.10 DaemonSet: counts and history', async (t) => {
  const { spec } = deployment('agent');
  await hub.post(`${APPS}/daemonsets`, { metadata: { name: 'agent' }, spec });
  const { status, metadata } = await until('all are there', async () => {
    const { body } = await hub.get(`${APPS}/daemonsets/agent`);
    return body.status?.numberAvailable === 1 && body;
  });
  t.match(status, {
    observedGeneration: metadata.generation,
    desiredNumberScheduled: 1,
    updatedNumberScheduled: 1,
  });
  const { items } = (await hub.get(`${APPS}/controllerrevisions?labelSelector=app%3Dagent`)).body;
  t.match(items, [
    {
      revision: 1,
      metadata: { ownerReferences: [{ kind: 'DaemonSet', controller: true, uid: metadata.uid }] },
      data: { spec: { template: { $patch: 'replace', spec: { containers: [{ name: 'main' }] } } } },
    },
  ]);
});

t.test('B.10 PodDisruptionBudget: observed generation and conditions', async (t) => {
  const budgets = '/apis/policy/v1/namespaces/default/poddisruptionbudgets';
  await hub.post(budgets, {
    metadata: { name: 'web' },
    spec: { minAvailable: 2, selector: { matchLabels: { app: 'web' } } },
  });
  const { status } = await until('it is counted', async () => {
    const { body } = await hub.get(`${budgets}/web`);
    return body.status?.observedGeneration === 1 && body;
  });
  t.match(status, { currentHealthy: 2, desiredHealthy: 2, disruptionsAllowed: 0, expectedPods: 2 });
  t.match(conditionOf({ status }, 'DisruptionAllowed'), { status: 'False' });
});

t.test('B.10 Scale', async (t) => {
  const path = `${DEPLOYMENTS}/scaled/scale`;
  const { body: parent } = await hub.post(DEPLOYMENTS, deployment('scaled', { replicas: 1 }));
  const { name, namespace, uid, creationTimestamp } = parent.metadata;
  const read = (await hub.get(path)).body;
  t.same(Object.keys(read.metadata).sort(), [
    'creationTimestamp',
    'name',
    'namespace',
    'resourceVersion',
    'uid',
  ]);
  t.match(read, {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, namespace, uid, creationTimestamp },
    spec: { replicas: 1 },
    status: { selector: 'app=scaled' },
  });
  const put = (metadata: object) => hub.put(path, { ...read, metadata, spec: { replicas: 2 } });
  t.match(await put({ name, namespace, resourceVersion: '1' }), { code: 409 });
  t.match(await put({ name, namespace, uid: 'other' }), {
    code: 409,
    body: { message: /UID in precondition: other/ },
  });
  t.match(await put({ name: 'other', namespace }), { code: 400 });
  t.match(await put({ name, namespace: 'other' }), { code: 400 });
  t.equal((await hub.get(`${DEPLOYMENTS}/scaled`)).body.metadata.generation, 1, 'nothing of it was written');
  t.match(await put({ name, namespace }), { code: 200, body: { spec: { replicas: 2 } } }, 'unconditional');
  t.equal((await hub.get(`${DEPLOYMENTS}/scaled`)).body.metadata.generation, 2);
  t.match(await hub.put(`${DEPLOYMENTS}/none/scale`, { ...read, metadata: {} }), { code: 404 });
});

t.test('B.10 Eviction', async (t) => {
  const evict = (name: string, more: object = {}) =>
    hub.post(`${PODS}/${name}/eviction`, {
      apiVersion: 'policy/v1',
      kind: 'Eviction',
      metadata: { name },
      ...more,
    });
  await hub.post(PODS, pod('free'));
  t.match(await evict('free', { deleteOptions: { dryRun: ['All'] } }), {
    code: 201,
    body: { status: 'Success' },
  });
  t.equal((await hub.get(`${PODS}/free`)).code, 200);
  t.match(await evict('free', { deleteOptions: { preconditions: { uid: 'other' } } }), { code: 409 });
  t.match(await evict('free', { metadata: { name: 'other' } }), { code: 400 });
  t.match(await evict('free', { deleteOptions: { gracePeriodSeconds: 0 } }), {
    code: 201,
    body: { kind: 'Status', status: 'Success' },
  });
  t.equal((await hub.get(`${PODS}/free`)).code, 404);
  const [guarded = ''] = namesOf(await hub.get(`${PODS}?labelSelector=app%3Dweb`));
  const refused = await evict(guarded);
  t.equal(refused.headers['retry-after'], undefined);
  t.match(refused, {
    code: 429,
    body: {
      reason: 'TooManyRequests',
      message: "Cannot evict pod as it would violate the pod's disruption budget.",
      details: { causes: [{ reason: 'DisruptionBudget' }] },
    },
  });
  await hub.patch(`${PODS}/${guarded}/status`, 'merge', { status: { phase: 'Succeeded' } });
  t.equal((await evict(guarded)).code, 201, 'it is over: the budget does not count');
});

t.test('B.10 Binding', async (t) => {
  await hub.post(PODS, pod('bound', { schedulerName: 'mine' }));
  const { uid } = (await hub.get(`${PODS}/bound`)).body.metadata;
  const bind = (more: object = {}, target: object = { kind: 'Node', name: 'device' }) =>
    hub.post(`${PODS}/bound/binding`, { metadata: { name: 'bound' }, target, ...more });
  t.match(await bind({ metadata: { name: 'bound', uid: 'other' } }), { code: 409 });
  t.match(await bind({ metadata: { name: 'other' } }), { code: 400 });
  t.match(await bind({}, { kind: 'Pod', name: 'device' }), {
    code: 422,
    body: { message: /target\.kind: Unsupported value: "Pod"/ },
  });
  t.match(await bind({}, {}), { code: 422, body: { message: /target\.name: Required value/ } });
  t.match(await bind({ metadata: { name: 'bound', uid, annotations: { 'example.com/a': 'b' } } }), {
    code: 201,
    body: { kind: 'Status', status: 'Success' },
  });
  const { spec, status, metadata } = (await hub.get(`${PODS}/bound`)).body;
  t.equal(spec.nodeName, 'device');
  t.equal(metadata.annotations['example.com/a'], 'b');
  t.match(conditionOf({ status }, 'PodScheduled'), { status: 'True' });
  t.match(await bind(), { code: 409, body: { message: /already assigned to node "device"/ } });
  t.equal((await hub.post(`${PODS}/none/binding`, { target: { name: 'device' } })).code, 404);
});

t.test('B.10 TokenRequest', async (t) => {
  await hub.post(ACCOUNTS, { metadata: { name: 'robot' } });
  const ask = (spec: object = {}) => hub.post(`${ACCOUNTS}/robot/token`, { spec });
  const { code, body } = await ask();
  t.match([code, body.spec.expirationSeconds], [201, 3600]);
  t.ok(body.spec.audiences.length > 0);
  const claims = JSON.parse(Buffer.from(body.status.token.split('.')[1], 'base64url').toString());
  t.match(claims, {
    iss: /^https:/,
    sub: 'system:serviceaccount:default:robot',
    aud: body.spec.audiences,
    jti: /./,
    'kubernetes.io': { namespace: 'default', serviceaccount: { name: 'robot', uid: /-/ } },
  });
  t.equal(claims.exp - claims.iat, 3600);
  t.equal(Date.parse(body.status.expirationTimestamp), claims.exp * 1000);
  t.match(await ask({ expirationSeconds: 599 }), { code: 422 });
  const who = await hub.post(
    '/apis/authentication.k8s.io/v1/selfsubjectreviews',
    {},
    hub.bearer(body.status.token),
  );
  t.match(who.body.status.userInfo, {
    username: 'system:serviceaccount:default:robot',
    groups: ['system:serviceaccounts', 'system:serviceaccounts:default', 'system:authenticated'],
  });
});

t.test('B.10 Events of both versions are the same', async (t) => {
  const time = '2026-01-01T00:00:00.000000Z';
  const made = await hub.post('/apis/events.k8s.io/v1/namespaces/default/events', {
    metadata: { name: 'new' },
    eventTime: time,
    reportingController: 'example.com/x',
    reportingInstance: 'x-1',
    action: 'Look',
    reason: 'Seen',
    type: 'Normal',
    note: 'there it is',
    regarding: { kind: 'Pod', name: 'p', namespace: 'default' },
  });
  t.equal(made.code, 201);
  t.match((await hub.get('/api/v1/namespaces/default/events/new')).body, {
    kind: 'Event',
    apiVersion: 'v1',
    message: 'there it is',
    eventTime: time,
    involvedObject: { name: 'p' },
    reportingComponent: 'example.com/x',
  });
});

t.test('nothing went wrong inside', async (t) => t.same(hub.errors, []));
