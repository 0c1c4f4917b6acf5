import { join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import type { PodStatus } from 'kubernetes-types/core/v1.d.ts';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { checkNodeRestriction } from '../../../hub/authorization/node-restriction.ts';
import { MirrorPods } from '../../../hub/link/mirror-pods.ts';
import { StatusIntake } from '../../../hub/link/status-intake.ts';
import { StoreRegistry } from '../../../hub/registry/store-registry.ts';
import { namespaces, nodes, pods, resources } from '../../../hub/resources/table-of-resources.ts';
import type { PodObject } from '../../../hub/resources/typed.ts';
import { SqliteStore } from '../../../hub/store/sqlite-store.ts';
import { StatusReportSchema } from '../../../proto/gen/holdfast/v1/link_pb.ts';
import { until } from '../../support/until.ts';

const TEST = { fieldManager: 'test' };
const silent = pino({ level: 'silent' });

interface Told {
  readonly uid?: string;
  readonly name?: string;
  readonly namespace?: string;
  readonly spec?: object;
  readonly status?: PodStatus;
  readonly gone?: boolean;
}

async function hubOf(t: Test) {
  const store = SqliteStore.open(join(t.testdir(), 'hub.db'));
  const registry = new StoreRegistry({ store, definitions: resources, trackFields: () => undefined });
  const refused: string[] = [];
  const mirrors = new MirrorPods({
    registry,
    check: (node, object) => {
      const { namespace = '', name = '' } = object.metadata;
      const user = { name: `system:node:${node}`, groups: ['system:nodes'], uid: '', extra: {} };
      try {
        checkNodeRestriction(registry, {
          operation: 'CREATE',
          user,
          resource: pods,
          namespace,
          name,
          object,
        });
      } catch (error) {
        refused.push((error as Error).message);
        throw error;
      }
    },
    log: silent,
  });
  mirrors.start();
  t.teardown(async () => {
    await mirrors.stop();
    registry.close();
    store.close();
  });
  const make = (definition: typeof nodes, kind: string, name: string) =>
    registry.create(definition, { apiVersion: 'v1', kind, metadata: { name } }, TEST);
  await make(namespaces, 'Namespace', 'default');
  for (const node of ['edge', 'other']) await make(nodes, 'Node', node);
  const intake = new StatusIntake(registry, mirrors, silent);
  const tell = (node: string, told: readonly Told[], complete = false) =>
    intake.take(
      node,
      create(StatusReportSchema, { complete, objects: told.map((each) => objectOf(node, each)) }),
    );
  const shown = () =>
    (registry.list(pods).items as PodObject[]).map(({ metadata, status }) => {
      const uid = metadata.annotations?.['kubernetes.io/config.mirror'];
      return `${metadata.namespace}/${metadata.name} ${uid} ${status?.phase}`;
    });
  const shows = (...expected: string[]) =>
    until(`${expected} are shown`, () => JSON.stringify(shown()) === JSON.stringify(expected));
  const get = (name = 'own-edge') => registry.get(pods, 'default', name) as PodObject;
  return { registry, mirrors, tell, shows, shown, get, refused, make };
}

function objectOf(
  node: string,
  { uid = 'u1', name = `own-${node}`, namespace = 'default', spec = {}, status, gone = false }: Told,
) {
  const pod = { spec: { containers: [{ name: 'main', image: 'app:1' }], ...spec } };
  return {
    ...{ kind: 'Pod', namespace, name, uid, gone },
    ...(!gone && { staticPod: Buffer.from(JSON.stringify(pod)) }),
    ...(status && { status: Buffer.from(JSON.stringify(status)) }),
  };
}

const RUNNING: PodStatus = { phase: 'Running' };

t.test('what a device runs by itself is shown for as long as it does', async (t) => {
  const { registry, mirrors, tell, shows, get } = await hubOf(t);
  await tell('edge', [{}], true);
  await shows('default/own-edge u1 Pending');
  await tell('edge', [{ status: RUNNING }]);
  await shows('default/own-edge u1 Running');
  const first = get();
  t.equal(mirrors.deviceUidOf(first), 'u1');
  t.equal(mirrors.objectUidOf('edge', 'u1'), first.metadata.uid);
  t.equal(mirrors.objectUidOf('other', 'u1'), 'u1', 'of another device it is nothing');
  const away = (current: unknown) => ({ ...(current as PodObject), status: { phase: 'Unknown' } });
  await registry.modify(pods, 'default', 'own-edge', away, { ...TEST, subresource: 'status' });
  await tell('other', [{ name: 'x-other' }]);
  await shows('default/own-edge u1 Unknown', 'default/x-other u1 Pending');
  t.pass('what the hub says of it stays until the device says more');
  await registry.delete(pods, 'default', 'own-edge', {});
  await shows('default/own-edge u1 Running', 'default/x-other u1 Pending');
  t.not(get().metadata.uid, first.metadata.uid);
  await tell('edge', [{ gone: true }, { uid: 'u2', status: RUNNING }]);
  await shows('default/own-edge u2 Running', 'default/x-other u1 Pending');
  await tell('edge', [{ gone: true }]);
  t.equal(mirrors.deviceUidOf(get()), 'u2', 'what is gone was another');
  await tell('edge', [], true);
  await shows('default/x-other u1 Pending');
});

t.test('what a device says of its own pods is looked at', async (t) => {
  const { tell, shows, shown, refused, make, get, mirrors } = await hubOf(t);
  await tell('edge', [
    {},
    { name: 'own-other' },
    { name: 'secret-edge', spec: { volumes: [{ name: 'v', secret: { secretName: 's' } }] } },
    { name: 'wrong-edge', spec: { containers: 'none' } },
    { name: 'invalid-edge', spec: { containers: [] } },
    { name: 'account-edge', spec: { serviceAccountName: 'robot' } },
    { name: 'late-edge', namespace: 'later', status: RUNNING },
  ]);
  await shows('default/own-edge u1 Pending');
  await until('two are refused', () => refused.length >= 2);
  t.match(refused.sort(), [/reference a service account/, /reference secrets/]);
  t.same(shown(), ['default/own-edge u1 Pending']);
  await tell('other', [{ name: 'own-edge', uid: 'theirs' }]);
  t.equal(mirrors.deviceUidOf(get()), 'u1', 'of another device');
  await make(namespaces, 'Namespace', 'later');
  await shows('default/own-edge u1 Pending', 'later/late-edge u1 Running');
});

t.test('an object that anybody made is not believed', async (t) => {
  const { registry, tell, shows, mirrors } = await hubOf(t);
  const fake = (name: string, annotations: Record<string, string> | undefined) =>
    registry.create(
      pods,
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { namespace: 'default', name, ...(annotations && { annotations }) },
        spec: { nodeName: 'edge', containers: [{ name: 'main', image: 'app:1' }] },
      },
      TEST,
    );
  const made = (await fake('fake', { 'kubernetes.io/config.mirror': 'u1' })) as PodObject;
  t.equal(mirrors.deviceUidOf(made), made.metadata.uid);
  await tell('edge', [{}], true);
  await shows('default/own-edge u1 Pending');
  t.pass('and goes once the device has said what it has');
  const real = (await fake('web-edge', undefined)) as PodObject;
  await tell('edge', [{ uid: 'u9', name: 'web-edge', status: RUNNING }]);
  t.equal(mirrors.deviceUidOf(real), real.metadata.uid, 'a pod that the hub sends has its own');
});

t.test('a Node that is deleted takes them along, until the device connects anew', async (t) => {
  const { registry, tell, shows, make, get } = await hubOf(t);
  await tell('edge', [{ status: RUNNING }], true);
  await shows('default/own-edge u1 Running');
  await registry.delete(nodes, undefined, 'edge', {});
  await registry.delete(pods, 'default', 'own-edge', {}); // as the garbage collector does
  await shows();
  const node = await make(nodes, 'Node', 'edge');
  await tell('edge', [{ status: RUNNING }], true);
  await shows('default/own-edge u1 Running');
  t.equal(get().metadata.ownerReferences?.[0]?.uid, node.metadata.uid);
});
