import {
  AppsV1Api,
  CoreV1Api,
  KubeConfig,
  type KubernetesObject,
  KubernetesObjectApi,
  makeInformer,
  type V1ConfigMap,
} from '@kubernetes/client-node';
import t from 'tap';
import { startHub } from '../hub/api/test-hub.ts';

/* The JavaScript client, as an example of those that are not written in Go. */

const hub = await startHub(t);
const config = new KubeConfig();
config.loadFromFile(await hub.writeKubeconfig());
const core = config.makeApiClient(CoreV1Api);
const namespace = 'default';

t.test('objects', async (t) => {
  await core.createNamespacedConfigMap({ namespace, body: { metadata: { name: 'a' }, data: { x: '1' } } });
  const read = await core.readNamespacedConfigMap({ namespace, name: 'a' });
  const { data, metadata } = await core.replaceNamespacedConfigMap({
    namespace,
    name: 'a',
    body: { ...read, data: { x: '2' } },
  });
  t.same(data, { x: '2' });
  t.ok(metadata?.creationTimestamp instanceof Date);
  const patch = [{ op: 'replace', path: '/data/x', value: '3' }];
  t.same((await core.patchNamespacedConfigMap({ namespace, name: 'a', body: patch })).data, { x: '3' });
  t.equal((await core.listNamespacedConfigMap({ namespace })).items.length, 1);
  await core.deleteNamespacedConfigMap({ namespace, name: 'a' });
  await t.rejects(core.readNamespacedConfigMap({ namespace, name: 'a' }), { code: 404 });
  const apps = config.makeApiClient(AppsV1Api);
  t.same((await apps.listDeploymentForAllNamespaces()).items, []);
});

t.test('objects of any kind, by discovery', async (t) => {
  const objects = KubernetesObjectApi.makeApiClient(config);
  const created = await objects.create({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 's', namespace },
  });
  t.ok((created as KubernetesObject).metadata?.uid);
  t.match(await objects.delete({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 's', namespace } }), {
    status: 'Success',
  });
});

t.test('an informer', async (t) => {
  const seen: string[] = [];
  let wake = () => {};
  const saw = (type: string) => (object: V1ConfigMap) => {
    seen.push(`${type} ${object.metadata?.name}`);
    wake();
  };
  const path = `/api/v1/namespaces/${namespace}/configmaps`;
  const informer = makeInformer(config, path, () => core.listNamespacedConfigMap({ namespace }));
  t.teardown(() => informer.stop());
  for (const type of ['add', 'update', 'delete'] as const) informer.on(type, saw(type));
  const until = async (length: number) => {
    while (seen.length < length)
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
  };
  await core.createNamespacedConfigMap({ namespace, body: { metadata: { name: 'first' } } });
  await informer.start();
  await until(1);
  await core.createNamespacedConfigMap({ namespace, body: { metadata: { name: 'second' } } });
  await until(2);
  await core.deleteNamespacedConfigMap({ namespace, name: 'first' });
  await until(3);
  t.same(seen, ['add first', 'add second', 'delete first']);
});
