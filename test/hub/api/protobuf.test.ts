import { gzipSync } from 'node:zlib';
import t from 'tap';
import { ensureSchema } from '../../../scripts/generate-schema.ts';
import { envelope, messageWith } from '../protobuf/sample-messages.ts';
import { startHub } from './test-hub.ts';

/* Bodies as Go's typed clients send them: protobuf, and JSON as the second choice for the answer. */

ensureSchema();
const hub = await startHub(t);

const PROTOBUF = 'application/vnd.kubernetes.protobuf';
const HEADERS = { 'content-type': PROTOBUF, accept: `${PROTOBUF},application/json` };
const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';
const PODS = '/api/v1/namespaces/default/pods';
const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments';

/** A body of a type of `k8s.io/api/<place>`. */
function body(place: string, apiVersion: string, kind: string, fields: Record<string, unknown>): Buffer {
  return envelope(apiVersion, kind, messageWith(`io.k8s.${place}.${kind}`, fields));
}

const configMap = (name: string, data: object, metadata: object = {}) =>
  body('api.core.v1', 'v1', 'ConfigMap', { metadata: { name, ...metadata }, data });

const send = (method: string, path: string, content: Uint8Array, headers = {}) =>
  hub.call(method, path, { body: content, headers: { ...HEADERS, ...headers } });

t.test('objects are created and replaced; answers are JSON', async (t) => {
  const created = await send('POST', CONFIG_MAPS, configMap('a', { x: '1' }));
  t.match(created, { code: 201, headers: { 'content-type': 'application/json' } });
  t.match(created.body, { kind: 'ConfigMap', metadata: { name: 'a' }, data: { x: '1' } });
  const { uid, resourceVersion } = created.body.metadata;
  const again = configMap('a', { x: '2' }, { resourceVersion, uid });
  t.match((await send('PUT', `${CONFIG_MAPS}/a`, again)).body.data, { x: '2' });
  t.match(await send('PUT', `${CONFIG_MAPS}/a`, again), { code: 409 }, 'its resourceVersion is old');
});

t.test('the same object is stored, whichever way it is written', async (t) => {
  const json = {
    metadata: { labels: { app: 'x' } },
    spec: {
      replicas: 0,
      selector: { matchLabels: { app: 'x' } },
      strategy: {},
      template: {
        metadata: { labels: { app: 'x' } },
        spec: {
          volumes: [{ name: 'v', configMap: { name: 'c', optional: false } }],
          containers: [
            {
              name: 'main',
              image: 'nginx',
              env: [{ name: 'E', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } }],
              readinessProbe: { httpGet: { path: '/', port: 8080 }, periodSeconds: 5 },
              resources: { limits: { cpu: '500m' } },
            },
          ],
        },
      },
    },
  };
  const quantity = (string: string) => ({ string });
  const fields = {
    metadata: { name: 'binary', labels: { app: 'x' }, creationTimestamp: {}, namespace: '', generation: 0n },
    spec: {
      ...json.spec,
      minReadySeconds: 0,
      paused: false,
      template: {
        metadata: { labels: { app: 'x' }, creationTimestamp: {} },
        spec: {
          volumes: [
            {
              name: 'v',
              volumeSource: { configMap: { localObjectReference: { name: 'c' }, optional: false } },
            },
          ],
          hostNetwork: false,
          containers: [
            {
              name: 'main',
              image: 'nginx',
              env: [
                {
                  name: 'E',
                  value: '',
                  valueFrom: { secretKeyRef: { localObjectReference: { name: 's' }, key: 'k' } },
                },
              ],
              readinessProbe: {
                handler: { httpGet: { path: '/', port: { type: 0n, intVal: 8080 } } },
                periodSeconds: 5,
              },
              resources: { limits: { cpu: quantity('500m') } },
            },
          ],
        },
      },
    },
    status: {},
  };
  const binary = await send('POST', DEPLOYMENTS, body('api.apps.v1', 'apps/v1', 'Deployment', fields));
  t.equal(binary.code, 201, binary.text);
  const text = await hub.post(DEPLOYMENTS, { ...json, metadata: { ...json.metadata, name: 'text' } });
  t.equal(text.code, 201, text.text);
  const { spec, status } = binary.body;
  t.same({ spec, status }, { spec: text.body.spec, status: text.body.status });
  t.equal(spec.replicas, 0);
});

t.test('options of a deletion', async (t) => {
  const options = (fields: Record<string, unknown>, apiVersion = 'v1') =>
    body('apimachinery.pkg.apis.meta.v1', apiVersion, 'DeleteOptions', fields);
  await send('POST', CONFIG_MAPS, configMap('gone', {}));
  const wrong = options({ preconditions: { uid: 'another' } });
  t.match(await send('DELETE', `${CONFIG_MAPS}/gone`, wrong), { code: 409 });
  t.match(await send('DELETE', `${CONFIG_MAPS}/gone`, options({ dryRun: ['All'] })), { code: 200 });
  t.match(await hub.get(`${CONFIG_MAPS}/gone`), { code: 200 }, 'it was but tried');
  t.match(
    (await send('DELETE', `${CONFIG_MAPS}/gone`, configMap('gone', {}))).body,
    { code: 400, message: 'decoded object cannot be converted to DeleteOptions: it is a ConfigMap' },
    'an object is no options',
  );
  const deleted = await send('DELETE', `${CONFIG_MAPS}/gone`, options({ gracePeriodSeconds: 0n }, 'apps/v1'));
  t.match(deleted, { code: 200, body: { status: 'Success' } });
});

t.test('bodies of subresources', async (t) => {
  const pod = body('api.core.v1', 'v1', 'Pod', {
    metadata: { name: 'p' },
    spec: { containers: [{ name: 'c', image: 'i' }] },
  });
  t.match(await send('POST', PODS, pod), { code: 201 });
  const binding = body('api.core.v1', 'v1', 'Binding', { target: { kind: 'Node', name: 'device' } });
  t.match(await send('POST', `${PODS}/p/binding`, binding), { code: 201 });
  t.equal((await hub.get(`${PODS}/p`)).body.spec.nodeName, 'device');
  const eviction = body('api.policy.v1', 'policy/v1', 'Eviction', {
    metadata: { name: 'p' },
    deleteOptions: { gracePeriodSeconds: 0n },
  });
  t.match(await send('POST', `${PODS}/p/eviction`, eviction), { code: 201 });
  t.match(await hub.get(`${PODS}/p`), { code: 404 });
  const scale = body('api.autoscaling.v1', 'autoscaling/v1', 'Scale', {
    metadata: { name: 'binary' },
    spec: { replicas: 3 },
  });
  t.match((await send('PUT', `${DEPLOYMENTS}/binary/scale`, scale)).body.spec, { replicas: 3 });
});

t.test('what is refused, and how', async (t) => {
  const other = body('api.core.v1', 'v1', 'Secret', { metadata: { name: 'a' } });
  t.match((await send('POST', CONFIG_MAPS, other)).body, {
    code: 400,
    message: 'the kind in the data (Secret) does not match the expected kind (ConfigMap)',
  });
  t.match((await send('POST', CONFIG_MAPS, Buffer.from('{}'))).body, { code: 400, reason: 'BadRequest' });
  const cut = configMap('cut', { a: 'b' }).subarray(0, -1);
  t.match((await send('POST', CONFIG_MAPS, cut)).body, { code: 400, message: /unexpected EOF/ });
  const cbor = await hub.call('POST', CONFIG_MAPS, {
    body: 'x',
    headers: { 'content-type': 'application/cbor' },
  });
  t.match(cbor.body, {
    code: 415,
    message:
      'the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf',
  });
  const patch = await send('PATCH', `${CONFIG_MAPS}/a`, configMap('a', {}));
  t.match(patch.body, { code: 415, message: /include: application\/json-patch\+json, / });
  t.notMatch(patch.body.message, /protobuf/);
});

t.test('a body can be compressed, whichever way it is written', async (t) => {
  const gzip = { 'content-encoding': 'gzip' };
  t.match(await send('POST', CONFIG_MAPS, gzipSync(configMap('zipped', { x: '1' })), gzip), { code: 201 });
  const json = gzipSync(JSON.stringify({ metadata: { name: 'zipped-too' } }));
  t.match(await hub.call('POST', CONFIG_MAPS, { body: json, headers: gzip }), { code: 201 });
  const garbage = await hub.call('POST', CONFIG_MAPS, { body: 'no gzip', headers: gzip });
  t.match(garbage.body, { code: 400, message: /^the body is not valid gzip/ });
  const half = await hub.call('POST', CONFIG_MAPS, { body: json.subarray(0, 20), headers: gzip });
  t.match(half.body, { code: 400, message: /^the body is not valid gzip/ });
  const brotli = await hub.call('POST', CONFIG_MAPS, { body: 'x', headers: { 'content-encoding': 'br' } });
  t.match(brotli.body, { code: 415, reason: 'UnsupportedMediaType' });
  const bomb = gzipSync(Buffer.alloc(256 * 1024 * 1024, 0x20), { level: 9 });
  t.ok(bomb.length < 300 * 1024);
  const startMs = performance.now();
  t.match((await hub.call('POST', CONFIG_MAPS, { body: bomb, headers: gzip })).body, {
    code: 413,
    reason: 'RequestEntityTooLarge',
  });
  t.ok(performance.now() - startMs < 1000, 'at once');
});

t.test('nothing went wrong inside', async (t) => {
  t.same(hub.errors, []);
});
