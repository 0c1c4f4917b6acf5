import { generateKeyPairSync } from 'node:crypto';
import { join } from 'node:path';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { Dispatcher } from '../../../hub/dispatch/dispatcher.ts';
import { StoreRegistry } from '../../../hub/registry/store-registry.ts';
import type { KubeObject } from '../../../hub/resources/object.ts';
import {
  configMaps,
  namespaces,
  nodes,
  pods,
  resources,
  secrets,
  services,
} from '../../../hub/resources/table-of-resources.ts';
import { SEALING_KEY_ANNOTATION } from '../../../hub/security/node-identity.ts';
import { SqliteStore } from '../../../hub/store/sqlite-store.ts';
import type { SignedSnapshot, Snapshot } from '../../../proto/gen/holdfast/v1/link_pb.ts';
import { REBOOT_ANNOTATION } from '../../../proto/node-reboot.ts';
import { newSealingKey, readSealingKey, unseal } from '../../../proto/seal.ts';
import { decodeObjects, formatVersion, openSnapshot } from '../../../proto/snapshot.ts';
import { until } from '../../support/until.ts';

const log = pino({ level: 'silent' });
const signing = generateKeyPairSync('ed25519');
const sealing = newSealingKey();
const by = { fieldManager: 'test' };

async function setUp(t: Test) {
  const path = join(t.testdir(), 'hub.db');
  const store = SqliteStore.open(path);
  const registry = new StoreRegistry({ store, definitions: resources, trackFields: () => undefined });
  await registry.create(
    namespaces,
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' } },
    by,
  );
  const annotations = { [SEALING_KEY_ANNOTATION]: Buffer.from(sealing.publicKey).toString('base64') };
  for (const name of ['a', 'b']) {
    await registry.create(
      nodes,
      { apiVersion: 'v1', kind: 'Node', metadata: { name, annotations }, spec: {} },
      by,
    );
  }
  const sent: { node: string; snapshot: Snapshot }[] = [];
  const start = () => {
    const send = (node: string, signed: SignedSnapshot) =>
      sent.push({ node, snapshot: openSnapshot(signed, signing.publicKey) });
    const dispatcher = new Dispatcher({
      registry,
      store,
      cluster: 'c',
      apiPort: () => 6443,
      epoch: 1n,
      signingKey: signing.privateKey,
      send,
      log,
    });
    dispatcher.start();
    return dispatcher;
  };
  const dispatcher = start();
  t.teardown(async () => {
    await dispatcher.stop();
    registry.close();
    store.close();
  });
  const snapshots = (count: number) =>
    until(`${count} snapshots were sent`, () => sent.length >= count && sent, 5_000);
  await snapshots(2); // the empty ones, at start
  sent.length = 0;
  return { registry, dispatcher, sent, snapshots, start };
}

const pod = (name: string, nodeName: string | undefined, extra: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default' },
  spec: { ...(nodeName && { nodeName }), containers: [{ name: 'main', image: 'x', ...extra }] },
});
const names = ({ objects }: Snapshot) =>
  decodeObjects<{ kind: string; metadata: { name: string } }>(objects).map(
    ({ kind, metadata }) => `${kind} ${metadata.name}`,
  );

t.test('a node gets its pods and what they refer to, and nothing else', async (t) => {
  const { registry, sent, snapshots } = await setUp(t);
  await registry.create(
    configMaps,
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'used', namespace: 'default' },
      data: { k: '1' },
    },
    by,
  );
  await registry.create(
    configMaps,
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'other', namespace: 'default' } },
    by,
  );
  await registry.create(
    secrets,
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'sec', namespace: 'default' },
      stringData: { p: 'w' },
    },
    by,
  );
  await registry.create(pods, pod('unbound', undefined), by);
  await registry.create(pods, pod('elsewhere', 'b'), by);
  await snapshots(1);
  await registry.create(
    pods,
    pod('web', 'a', { envFrom: [{ configMapRef: { name: 'used' } }, { secretRef: { name: 'sec' } }] }),
    by,
  );
  await snapshots(2);
  t.same(
    sent.map(({ node }) => node),
    ['b', 'a'],
  );
  const [, { snapshot } = {}] = sent;
  if (!snapshot) throw new Error('no snapshot');
  t.match(snapshot, { cluster: 'c', node: 'a' });
  t.equal(formatVersion(snapshot.version), '1.2');
  t.same(names(snapshot), ['ConfigMap used', 'Pod web']);
  t.notMatch(Buffer.from(snapshot.objects).toString('latin1'), 'dw==', 'the secret is not among them');
  const [secret] = decodeObjects<{ data: object }>(
    unseal(snapshot.sealedObjects, readSealingKey(sealing.key)),
  );
  t.same(secret?.data, { p: 'dw==' });
});

t.test('only a change in what a node needs makes a new snapshot', async (t) => {
  const { registry, sent, snapshots } = await setUp(t);
  const config = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'used', namespace: 'default' },
    data: { k: '1' },
  };
  await registry.create(configMaps, config, by);
  await registry.create(pods, pod('web', 'a', { envFrom: [{ configMapRef: { name: 'used' } }] }), by);
  await snapshots(1);
  const status = { subresource: 'status', ...by } as const;
  const looks: unknown[] = []; // at all pods of a node, which is what a snapshot costs
  const byIndex = registry.byIndex.bind(registry);
  registry.byIndex = (...args) => {
    if (args[1] === 'spec.nodeName') looks.push(args[2]);
    return byIndex(...args);
  };
  await registry.modify(
    pods,
    'default',
    'web',
    (current) => ({ ...(current ?? pod('web', 'a')), status: { phase: 'Running' } }),
    status,
  );
  await registry.modify(configMaps, 'default', 'used', () => ({ ...config, data: { k: '2' } }), by);
  await snapshots(2);
  await registry.delete(pods, 'default', 'web', { gracePeriodSeconds: 0 });
  await snapshots(3);
  t.same(
    sent.map(({ snapshot }) => `${formatVersion(snapshot.version)} ${names(snapshot).join(',')}`),
    ['1.2 ConfigMap used,Pod web', '1.3 ConfigMap used,Pod web', '1.4 '],
    'the status made none',
  );
  t.same(looks, ['a', 'a'], 'nor was one compiled for it');
});

t.test('of pods that end one by one, as their device was told, it hears together', async (t) => {
  const { registry, sent, snapshots } = await setUp(t);
  const some = ['one', 'two', 'three'];
  for (const name of [...some, 'forced']) await registry.create(pods, pod(name, 'a'), by);
  for (const name of some) await registry.delete(pods, 'default', name, { gracePeriodSeconds: 30 });
  await snapshots(7);
  await registry.delete(pods, 'default', 'forced', { gracePeriodSeconds: 0 });
  await snapshots(8);
  for (const name of some) await registry.delete(pods, 'default', name, { gracePeriodSeconds: 0 });
  await snapshots(9);
  t.same(names(sent[8]?.snapshot as Snapshot), [], 'of all three');
  t.equal(sent.length, 9);
});

t.test('a node knows the Services that lead to its pods, as far as it needs them', async (t) => {
  const { registry, sent, snapshots } = await setUp(t);
  const labelled = (name: string, node: string, app: string) => ({
    ...pod(name, node),
    metadata: { name, namespace: 'default', labels: { app } },
  });
  const service = (app: string, labels: Record<string, string> = {}) => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'front', namespace: 'default', labels },
    spec: { selector: { app }, ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
  });
  const select = (app: string, labels?: Record<string, string>) =>
    registry.modify(
      services,
      'default',
      'front',
      (current) => {
        const { spec, ...rest } = service(app, labels);
        return { ...rest, spec: { ...(current as { spec?: object })?.spec, ...spec } };
      },
      by,
    );
  await registry.create(pods, labelled('one', 'a', 'web'), by);
  await registry.create(pods, labelled('two', 'b', 'db'), by);
  await snapshots(2);
  await registry.create(services, service('web'), by);
  await snapshots(3);
  await select('web', { irrelevant: 'here' });
  await select('db');
  await snapshots(5);
  await registry.delete(services, 'default', 'front', {});
  await snapshots(6);
  const seen = sent.slice(2).map(({ node, snapshot }) => `${node}: ${names(snapshot).join(', ')}`);
  t.equal(seen[0], 'a: Pod one, Service front');
  t.same(seen.slice(1, 3).sort(), ['a: Pod one', 'b: Pod two, Service front'], 'a label of it made none');
  t.same(seen.slice(3), ['b: Pod two']);
  const front = decodeObjects<{ kind: string; spec: object }>(sent[2]?.snapshot.objects ?? Buffer.alloc(0));
  t.same(front.find(({ kind }) => kind === 'Service')?.spec, {
    selector: { app: 'web' },
    ports: [{ name: 'http', protocol: 'TCP', port: 80, targetPort: 8080 }],
  });
});

t.test(
  'a node that comes back is offered the newest if it holds less, and numbers go on after a restart',
  async (t) => {
    const { registry, dispatcher, sent, snapshots, start } = await setUp(t);
    await registry.create(pods, pod('web', 'a'), by);
    await snapshots(1);
    const newest = sent[0]?.snapshot.version;
    dispatcher.nodeHolds('a', newest);
    dispatcher.nodeHolds('b', undefined);
    await snapshots(2);
    t.same(
      sent.map(({ node }) => node),
      ['a', 'b'],
      'who holds the newest gets nothing',
    );
    await dispatcher.stop();
    const again = start();
    t.teardown(() => again.stop());
    await registry.create(pods, pod('more', 'a'), by);
    await snapshots(3);
    t.equal(formatVersion(sent[2]?.snapshot.version), '1.3');
  },
);

t.test('what is asked of a device itself is in its snapshot, while that stands', async (t) => {
  const { registry, dispatcher, sent, snapshots, start } = await setUp(t);
  const change = (change: (current: KubeObject) => KubeObject, options: object = by) =>
    registry.modify(nodes, undefined, 'a', (current) => change(current as KubeObject), options as typeof by);
  const ask = (text: string | undefined) =>
    change(({ metadata, ...rest }) => {
      const { [REBOOT_ANNOTATION]: _, ...others } = metadata.annotations ?? {};
      const annotations = { ...others, other: 'x', ...(text !== undefined && { [REBOOT_ANNOTATION]: text }) };
      return { ...rest, metadata: { ...metadata, annotations } };
    });
  const report = (phase: string) =>
    change((current) => ({ ...current, status: { phase } }), { ...by, subresource: 'status' });
  const request = (id: string, forMs: number) =>
    JSON.stringify({ id, until: new Date(Date.now() + forMs).toISOString() });
  const long = request('long', 3_600_000);
  await ask(long);
  await snapshots(1);
  const [asked] = decodeObjects<KubeObject>(sent[0]?.snapshot.objects ?? Buffer.alloc(0));
  const uid = registry.get(nodes, undefined, 'a')?.metadata.uid;
  t.same(
    asked,
    {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: 'a', uid, annotations: { [REBOOT_ANNOTATION]: long } },
    },
    'nothing else of the Node',
  );
  for (const phase of ['1', '2', '3']) await report(phase);
  await registry.create(pods, pod('web', 'a'), by);
  await snapshots(2);
  t.equal(formatVersion(sent[1]?.snapshot.version), '1.3', 'what the device reports made none');
  t.same(names(sent[1]?.snapshot as Snapshot), ['Node a', 'Pod web']);
  await ask(undefined);
  await snapshots(3);
  await ask('nonsense');
  await ask(request('over', -1));
  await ask(request('short', 700));
  await snapshots(5);
  t.same(
    sent.slice(2).map(({ node, snapshot }) => `${node} ${names(snapshot).join(',')}`),
    ['a Pod web', 'a Node a,Pod web', 'a Pod web'],
    'a request that is none or over is not sent; one that ends is taken back by itself',
  );
  await ask(long);
  await snapshots(6);
  await dispatcher.stop();
  const again = start();
  t.teardown(() => again.stop());
  await ask(undefined);
  await snapshots(7);
  t.same(names(sent[6]?.snapshot as Snapshot), ['Pod web'], 'also what was asked before a restart');
});
