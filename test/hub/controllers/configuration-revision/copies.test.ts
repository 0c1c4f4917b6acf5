import t from 'tap';
import {
  copiesOf,
  liveObject,
  newCopy,
  newId,
  sameContent,
} from '../../../../hub/controllers/configuration-revision/copies.ts';
import type { TemplateOwner } from '../../../../hub/controllers/configuration-seen.ts';
import { copyName } from '../../../../hub/fleet/configuration-stamp.ts';
import { configMaps, daemonSets, secrets } from '../../../../hub/resources/table-of-resources.ts';
import { openRegistry } from '../cluster.ts';
import { configMap, secret } from './configured-fleet.ts';

const BY_TEST = { fieldManager: 'test' };

const workloadOf = (name: string) =>
  ({
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name, namespace: 'default', uid: 'uid-1' },
    spec: { template: {} },
  }) as TemplateOwner;

t.test('copies are what the registry takes, and are found again, however long the names are', async (t) => {
  const registry = await openRegistry(t);
  const tls = {
    ...secret('tls', 'x'),
    type: 'kubernetes.io/tls',
    data: { 'tls.crt': 'YQ==', 'tls.key': 'Yg==' },
  };
  const binary = { ...configMap('binary', 'x'), binaryData: { raw: 'AAH/' } };
  const workload = workloadOf(`${'w'.repeat(62)}.${'x'.repeat(40)}`);
  for (const [resource, object] of [
    [configMaps, configMap('n'.repeat(253), 'x')],
    [configMaps, { ...configMap('empty', ''), data: {} }],
    [configMaps, binary],
    [secrets, tls],
  ] as const) {
    const live = await registry.create(resource, object, BY_TEST);
    const { name = '' } = live.metadata;
    const key = `${resource.kind}/${name}`;
    const copy = { key, id: newId(), object: live };
    const made = await registry.create(resource, newCopy(daemonSets, workload, copy), BY_TEST);
    t.equal(made.metadata.name, copyName(name, copy.id));
    t.ok(sameContent(made, live), key.slice(0, 20));
    t.match(
      copiesOf(registry, workload).filter((each) => each.key === key),
      [{ key, id: copy.id }],
    );
    const changed = { ...made, data: { text: 'other' } };
    await t.rejects(registry.update(resource, changed, BY_TEST), /immutable/);
  }
  t.same(copiesOf(registry, { ...workload, metadata: { ...workload.metadata, uid: 'other' } }), []);
});

t.test('what the hub keeps right itself is never copied', async (t) => {
  const registry = await openRegistry(t);
  const token = {
    ...secret('token', 'x'),
    type: 'kubernetes.io/service-account-token',
    metadata: {
      name: 'token',
      namespace: 'default',
      annotations: { 'kubernetes.io/service-account.name': 'default' },
    },
  };
  await registry.create(secrets, token, BY_TEST);
  await registry.create(configMaps, configMap('kube-root-ca.crt', 'x'), BY_TEST);
  await registry.create(configMaps, configMap('app', 'x'), BY_TEST);
  const isCopied = (key: string) => liveObject(registry, 'default', key) !== undefined;
  t.notOk(isCopied('Secret/token'));
  t.notOk(isCopied('ConfigMap/kube-root-ca.crt'));
  t.notOk(isCopied('ConfigMap/missing'));
  t.notOk(isCopied('Secret/app'), 'of the other kind');
  t.ok(isCopied('ConfigMap/app'));
});

t.test('ids tell nothing: the same content gets another each time', async (t) => {
  const ids = new Set(Array.from({ length: 1_000 }, newId));
  t.equal(ids.size, 1_000);
  for (const id of ids) t.match(id, /^[a-z0-9]{10}$/);
});
