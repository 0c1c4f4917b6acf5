import t from 'tap';
import { startHub } from './test-hub.ts';

/* One stored object, seen in two groups or versions; and subresources that change a part. */

const hub = await startHub(t);
const V1 = '/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers';
const V2 = '/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers';
const CORE_EVENTS = '/api/v1/namespaces/default/events';
const EVENTS = '/apis/events.k8s.io/v1/namespaces/default/events';
const TABLE = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' };

const scaleTargetRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' };
const v1 = (name: string, target: number, metadata = {}) => ({
  apiVersion: 'autoscaling/v1',
  kind: 'HorizontalPodAutoscaler',
  metadata: { name, ...metadata },
  spec: { scaleTargetRef, maxReplicas: 3, targetCPUUtilizationPercentage: target },
});

t.test('an autoscaler in both versions', async (t) => {
  const made = await hub.post(V1, v1('web', 50));
  t.match(made, {
    code: 201,
    body: { apiVersion: 'autoscaling/v1', spec: { targetCPUUtilizationPercentage: 50 } },
  });
  const { body: stored } = await hub.get(`${V2}/web`);
  t.match(stored, {
    apiVersion: 'autoscaling/v2',
    spec: { metrics: [{ resource: { name: 'cpu', target: { averageUtilization: 50 } } }] },
    metadata: { uid: made.body.metadata.uid, resourceVersion: made.body.metadata.resourceVersion },
  });
  const patched = await hub.patch(`${V1}/web`, 'strategic-merge', {
    spec: { targetCPUUtilizationPercentage: 60 },
  });
  t.equal(patched.body.spec.targetCPUUtilizationPercentage, 60);
  const { body: seen } = await hub.get(`${V2}/web`);
  t.equal(seen.spec.metrics[0].resource.target.averageUtilization, 60);
  const { body: table } = await hub.get(V1, { headers: TABLE });
  t.equal(table.rows[0].cells[2], 'cpu: <unknown>/60%', 'the table is the same');
  const stale = { ...stored, spec: { ...stored.spec, maxReplicas: 9 } };
  t.equal((await hub.put(`${V2}/web`, stale)).code, 409);
  const wrong = await hub.post(V1, v1('wrong', 0));
  t.equal(wrong.code, 422);
  t.match(wrong.body.details.causes, [{ field: 'spec.metrics[0].resource.target.averageUtilization' }]);
});

t.test('status in the other version', async (t) => {
  const { body } = await hub.get(`${V1}/web/status`);
  const status = { currentReplicas: 2, desiredReplicas: 2, currentCPUUtilizationPercentage: 40 };
  const put = await hub.put(`${V1}/web/status`, { ...body, status });
  t.match(put, { code: 200, body: { apiVersion: 'autoscaling/v1', status } });
  const { body: stored } = await hub.get(`${V2}/web`);
  t.match(stored.status.currentMetrics, [{ resource: { name: 'cpu', current: { averageUtilization: 40 } } }]);
});

t.test('configurations in one version, updates in the other', async (t) => {
  const path = (base: string, manager: string) => `${base}/applied?fieldManager=${manager}`;
  const first = await hub.patch(path(V1, 'ann'), 'apply', v1('applied', 50, { labels: { a: '1', b: '1' } }));
  t.match(first, {
    code: 201,
    body: { apiVersion: 'autoscaling/v1', metadata: { labels: { a: '1', b: '1' } } },
  });
  t.match(first.body.metadata.managedFields, [
    { manager: 'ann', operation: 'Apply', apiVersion: 'autoscaling/v2' },
  ]);
  const again = await hub.patch(path(V1, 'ann'), 'apply', v1('applied', 50, { labels: { a: '1' } }));
  t.same(again.body.metadata.labels, { a: '1' }, 'what is applied no more goes');
  const v2 = { apiVersion: 'autoscaling/v2', kind: 'HorizontalPodAutoscaler', metadata: { name: 'applied' } };
  const conflict = await hub.patch(path(V2, 'ben'), 'apply', { ...v2, spec: { maxReplicas: 7 } });
  t.match(conflict, { code: 409, body: { details: { causes: [{ field: '.spec.maxReplicas' }] } } });
  t.equal(
    (await hub.patch(path(V1, 'ann'), 'apply', v1('applied', 50, { labels: { a: '1' } }))).body.metadata
      .resourceVersion,
    again.body.metadata.resourceVersion,
    'the same again changes nothing',
  );
});

t.test('watches see one change in both versions', async (t) => {
  const [one, two] = await Promise.all([hub.watch(`${V1}?watch=true`), hub.watch(`${V2}?watch=true`)]);
  const seen = [await one.next(), await one.next()].map(({ object }) => object.apiVersion);
  t.same(seen, ['autoscaling/v1', 'autoscaling/v1']);
  await two.next();
  await two.next();
  await hub.delete(`${V2}/applied`);
  const [inOne, inTwo] = await Promise.all([one.next(), two.next()]);
  t.match(inOne, {
    type: 'DELETED',
    object: { apiVersion: 'autoscaling/v1', metadata: { name: 'applied' } },
  });
  t.match(inTwo, { type: 'DELETED', object: { apiVersion: 'autoscaling/v2' } });
  t.equal(inOne.object.metadata.resourceVersion, inTwo.object.metadata.resourceVersion);
  one.close();
  two.close();
});

t.test('events in both groups', async (t) => {
  const old = {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: 'old' },
    involvedObject: { kind: 'Pod', name: 'p', namespace: 'default' },
    message: 'it happened',
    reason: 'Happened',
    type: 'Warning',
    source: { component: 'c' },
    firstTimestamp: '2026-01-01T00:00:00Z',
    count: 2,
    reportingComponent: 'c',
  };
  t.equal((await hub.post(CORE_EVENTS, old)).code, 201);
  t.match((await hub.get(`${EVENTS}/old`)).body, {
    apiVersion: 'events.k8s.io/v1',
    regarding: { kind: 'Pod', name: 'p' },
    note: 'it happened',
    deprecatedSource: { component: 'c' },
    deprecatedFirstTimestamp: '2026-01-01T00:00:00Z',
    deprecatedCount: 2,
    reportingController: 'c',
  });
  const young = {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { name: 'young' },
    regarding: { kind: 'Pod', name: 'p', namespace: 'default' },
    note: 'again',
    reason: 'Happened',
    type: 'Normal',
    action: 'Act',
    eventTime: '2026-01-01T00:00:00.000000Z',
    reportingController: 'example.com/c',
    reportingInstance: 'c-1',
  };
  t.equal((await hub.post(EVENTS, young)).code, 201);
  t.match((await hub.get(`${CORE_EVENTS}/young`)).body, {
    apiVersion: 'v1',
    involvedObject: { kind: 'Pod', name: 'p' },
    message: 'again',
  });
  const names = async (path: string) =>
    (await hub.get(path)).body.items.map(({ metadata }: { metadata: { name: string } }) => metadata.name);
  t.same(await names(`${EVENTS}?fieldSelector=regarding.name%3Dp,type%3DWarning`), ['old']);
  t.same(await names(`${CORE_EVENTS}?fieldSelector=involvedObject.name%3Dp`), ['old', 'young']);
  t.equal((await hub.get(`${EVENTS}?fieldSelector=involvedObject.name%3Dp`)).code, 400);
  const rows: [object, string][] = [
    [{ action: '' }, 'action'],
    [{ type: 'Loud' }, 'type'],
    [{ note: 'x'.repeat(1025) }, 'note'],
    [{ deprecatedCount: 3 }, 'deprecatedCount'],
    [{ series: { count: 1, lastObservedTime: '2026-01-01T00:00:00.000000Z' } }, 'series.count'],
  ];
  for (const [change, field] of rows) {
    const { code, body } = await hub.post(EVENTS, { ...young, metadata: { name: 'wrong' }, ...change });
    t.match([code, body.details.causes], [422, [{ field }]], field);
  }
  const labelled = await hub.patch(`${EVENTS}/old`, 'merge', { metadata: { labels: { a: 'b' } } });
  t.equal(labelled.code, 200, 'one of core/v1 can be changed although it says less');
  const { code } = await hub.put(`${EVENTS}/made`, { ...young, metadata: { name: 'made' } });
  t.equal(code, 201, 'PUT creates');
});

t.test('a request for a certificate is approved, by whom it names not', async (t) => {
  const path = '/apis/certificates.k8s.io/v1/certificatesigningrequests';
  const pem = '-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----\n';
  const spec = {
    request: Buffer.from(pem).toString('base64'),
    signerName: 'example.com/signer',
    usages: ['client auth'],
    username: 'somebody else',
  };
  const { body: made } = await hub.post(path, {
    apiVersion: 'certificates.k8s.io/v1',
    kind: 'CertificateSigningRequest',
    metadata: { name: 'device' },
    spec,
  });
  t.match(made.spec, { username: 'admin', groups: ['system:masters', 'system:authenticated'] });
  const conditions = [{ type: 'Approved', status: 'True', reason: 'Tested', message: 'fine' }];
  const approved = await hub.put(`${path}/device/approval`, {
    ...made,
    metadata: { ...made.metadata, labels: { not: 'taken' } },
    status: { conditions, certificate: 'eA==' },
  });
  t.match(approved, {
    code: 200,
    body: { status: { conditions: [{ type: 'Approved', lastUpdateTime: String }] } },
  });
  t.equal(approved.body.status.certificate, undefined, 'the certificate is the signer’s');
  t.equal(approved.body.metadata.labels, undefined);
  t.match(approved.body.metadata.managedFields.at(-1), { subresource: 'approval' });
  const undone = await hub.put(`${path}/device/approval`, { ...approved.body, status: {} });
  t.equal(undone.code, 422);
});

t.test('parts of a pod', async (t) => {
  const path = '/api/v1/namespaces/default/pods';
  const { body: pod } = await hub.post(path, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p' },
    spec: {
      containers: [
        {
          ...{ name: 'main', image: 'a:1', resources: { requests: { cpu: '1' } } },
          resizePolicy: [{ resourceName: 'cpu', restartPolicy: 'RestartContainer' }],
        },
      ],
    },
  });
  const debug = { ephemeralContainers: [{ name: 'debug', image: 'b:1' }] };
  const added = await hub.patch(`${path}/p/ephemeralcontainers`, 'strategic-merge', { spec: debug });
  t.match(added.body, {
    metadata: { generation: pod.metadata.generation + 1 },
    spec: { ephemeralContainers: [{ name: 'debug', imagePullPolicy: 'IfNotPresent' }] },
  });
  const containers = [{ name: 'main', image: 'ignored:1', resources: { requests: { cpu: '2' } } }];
  const resized = await hub.patch(`${path}/p/resize`, 'strategic-merge', { spec: { containers } });
  t.match(resized.body.spec.containers, [{ image: 'a:1', resources: { requests: { cpu: '2' } } }]);
  t.equal((await hub.get(`${path}/p/resize`)).body.metadata.name, 'p');
  t.equal((await hub.patch('/api/v1/namespaces/default/configmaps/p/resize', 'merge', {})).code, 404);
});

t.test('who still reads Endpoints is told what came after them', async (t) => {
  const { headers } = await hub.get('/api/v1/namespaces/default/endpoints');
  t.equal(
    headers['warning'],
    '299 - "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"',
  );
});

t.test('nothing of it was a bug of the hub', async (t) => {
  t.same(hub.errors, []);
});
