import t from 'tap';
import { type OwnerState, planDependent } from '../../../hub/controllers/garbage-collector/garbage-plan.ts';
import type { KubeObject } from '../../../hub/resources/object.ts';
import {
  configMaps,
  deployments,
  namespaces,
  pods,
  replicaSets,
  serviceAccounts,
} from '../../../hub/resources/table-of-resources.ts';
import type { DeploymentObject } from '../../../hub/resources/typed.ts';
import { Cluster, deployment } from './cluster.ts';

interface Case {
  readonly owners: readonly OwnerState[];
  readonly ending?: boolean;
  readonly finalizers?: string[];
  readonly hasDependents?: boolean;
  readonly plan: object;
}

const KEEP = { type: 'keep' };
const cases: Record<string, Case> = {
  'no owners': { owners: [], plan: KEEP },
  'an owner that is there': { owners: ['present'], plan: KEEP },
  'an owner of a kind nobody knows': { owners: ['unknown'], plan: KEEP },
  'a vanished owner': { owners: ['gone'], plan: { type: 'delete', policy: 'Background' } },
  'one of two is left': { owners: ['gone', 'present'], plan: { type: 'drop-references', uids: ['u0'] } },
  'one that nobody knows might be left': {
    owners: ['unknown', 'gone'],
    plan: { type: 'drop-references', uids: ['u1'] },
  },
  'ending already': { owners: ['gone'], ending: true, plan: KEEP },
  'an owner that waits': { owners: ['waiting'], plan: { type: 'delete', policy: 'Background' } },
  'an owner that waits also for what depends on this': {
    owners: ['waiting'],
    hasDependents: true,
    plan: { type: 'delete', policy: 'Foreground' },
  },
  'it is to orphan its own': {
    owners: ['gone'],
    finalizers: ['orphan'],
    plan: { type: 'delete', policy: 'Orphan' },
  },
};
for (const [name, { owners, ending, finalizers, hasDependents = false, plan }] of Object.entries(cases))
  t.test(name, async (t) => {
    const object: KubeObject = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {
        name: 'c',
        ownerReferences: owners.map((_, index) => ({
          apiVersion: 'v1',
          kind: 'Pod',
          name: 'p',
          uid: `u${index}`,
        })),
        ...(ending && { deletionTimestamp: '2026-01-01T00:00:00Z' }),
        ...(finalizers && { finalizers }),
      },
    };
    const stateOf = ({ uid }: { uid: string }) => owners[Number(uid.slice(1))] ?? 'unknown';
    t.same(
      planDependent(object, stateOf, () => hasDependents),
      plan,
    );
  });

async function startWeb(t: Parameters<typeof Cluster.start>[0]): Promise<Cluster> {
  const cluster = await Cluster.start(t);
  await cluster.addNode('n1');
  t.teardown(cluster.runAgents());
  await cluster.create(deployments, deployment('web', { replicas: 3 }));
  await cluster.until(
    'it runs',
    () => cluster.get<DeploymentObject>(deployments, 'web').status?.availableReplicas === 3,
  );
  return cluster;
}

t.test('background: the owner goes at once, then all that is below it', async (t) => {
  const cluster = await startWeb(t);
  const { removed } = await cluster.registry.delete(deployments, 'default', 'web', {
    propagationPolicy: 'Background',
  });
  t.ok(removed);
  await cluster.until(
    'all is gone',
    () => cluster.list(pods).length + cluster.list(replicaSets).length === 0,
  );
});

t.test('foreground: the owner goes last', async (t) => {
  const cluster = await startWeb(t);
  const order: string[] = [];
  for (const resource of [pods, replicaSets, deployments])
    t.teardown(
      cluster.registry.watch(resource, {}, (event) => {
        if (event.type === 'DELETED') order.push(resource.kind);
      }),
    );
  const { removed } = await cluster.registry.delete(deployments, 'default', 'web', {
    propagationPolicy: 'Foreground',
  });
  t.notOk(removed);
  await cluster.until('all is gone', () => order.length === 5);
  t.same(order, ['Pod', 'Pod', 'Pod', 'ReplicaSet', 'Deployment']);
});

t.test('foreground: the owner waits for a dependent that blocks it, whatever their kinds', async (t) => {
  const cluster = await Cluster.start(t);
  const { registry } = cluster;
  const owner = await cluster.create(configMaps, configMap('owner', []));
  const blocking = configMap('blocking', [owner]);
  const ownerReferences = blocking.metadata.ownerReferences.map((each) => ({
    ...each,
    blockOwnerDeletion: true,
  }));
  const finalizers = ['example.com/wait'];
  await cluster.create(configMaps, {
    ...blocking,
    metadata: { ...blocking.metadata, ownerReferences, finalizers },
  });
  await registry.delete(configMaps, 'default', 'owner', { propagationPolicy: 'Foreground' });
  await cluster.until(
    'it is ending',
    () => cluster.get(configMaps, 'blocking').metadata.deletionTimestamp !== undefined,
  );
  await settle(cluster);
  t.ok(cluster.find(configMaps, 'owner'));
  await cluster.change(configMaps, 'blocking', ({ metadata }) => {
    metadata.finalizers = [];
  });
  await cluster.until('the owner is gone', () => !cluster.find(configMaps, 'owner'));
});

t.test('orphan: what is below stays, without an owner, and a new one adopts it', async (t) => {
  const cluster = await startWeb(t);
  const before = cluster.list(pods).map(({ metadata }) => metadata.uid);
  await cluster.registry.delete(deployments, 'default', 'web', { propagationPolicy: 'Orphan' });
  await cluster.until('it is gone', () => !cluster.find(deployments, 'web'));
  t.same(cluster.list(replicaSets)[0]?.metadata.ownerReferences ?? [], []);
  const { metadata } = await cluster.create(deployments, deployment('web', { replicas: 3 }));
  await cluster.until(
    'it is adopted',
    () => cluster.list(replicaSets)[0]?.metadata.ownerReferences?.[0]?.uid === metadata.uid,
  );
  await cluster.until(
    'it is complete',
    () => cluster.get<DeploymentObject>(deployments, 'web').status?.updatedReplicas === 3,
  );
  t.same(
    cluster.list(pods).map(({ metadata: { uid } }) => uid),
    before,
    'no pod was touched',
  );
});

const configMap = (name: string, owners: readonly KubeObject[], namespace = 'default') => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: {
    name,
    namespace,
    ownerReferences: owners.map(({ apiVersion, kind, metadata }) => ({
      apiVersion,
      kind,
      name: metadata.name,
      uid: metadata.uid,
    })),
  },
});

/** Some commits, in which whatever was under way would have been stored. */
async function settle(cluster: Cluster): Promise<void> {
  for (let index = 0; index < 5; index += 1)
    await cluster.create(configMaps, {
      ...configMap('', []),
      metadata: { generateName: 'settle-', namespace: 'default' },
    });
}

t.test('any kind may own any other, also one that is gone before the dependent comes', async (t) => {
  const cluster = await Cluster.start(t);
  const first = await cluster.create(configMaps, configMap('first', []));
  const second = await cluster.create(configMaps, configMap('second', []));
  await cluster.create(configMaps, configMap('of-both', [first, second]));
  await cluster.create(configMaps, configMap('of-first', [first]));
  await cluster.registry.delete(configMaps, 'default', 'first', {});
  await cluster.until('the dependent is gone', () => !cluster.find(configMaps, 'of-first'));
  await cluster.until(
    'the reference is gone',
    () => cluster.get(configMaps, 'of-both').metadata.ownerReferences?.length === 1,
  );
  await cluster.create(configMaps, configMap('too-late', [first]));
  await cluster.until('it is gone', () => !cluster.find(configMaps, 'too-late'));
  const unknown = { ...first, apiVersion: 'example.com/v1', kind: 'Widget' };
  await cluster.create(configMaps, configMap('of-unknown', [unknown]));
  await cluster.registry.delete(configMaps, 'default', 'second', {});
  await cluster.until('the last owner is gone', () => !cluster.find(configMaps, 'of-both'));
  t.ok(cluster.find(configMaps, 'of-unknown'), 'nobody can tell about a kind that is not served');
});

t.test('a namespace has its ServiceAccount', async (t) => {
  const cluster = await Cluster.start(t);
  await cluster.until('it is there', () => cluster.find(serviceAccounts, 'default') !== undefined);
  await cluster.registry.delete(serviceAccounts, 'default', 'default', {});
  await cluster.until('it is there again', () => cluster.find(serviceAccounts, 'default') !== undefined);
});

t.test('a namespace takes its content with it, and goes when the last device has let go', async (t) => {
  const cluster = await Cluster.start(t);
  const { registry } = cluster;
  await cluster.addNode('n1');
  await cluster.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
  await cluster.create(configMaps, configMap('settings', [], 'shop'));
  const web = deployment('web', { replicas: 2 }) as KubeObject;
  await cluster.create(deployments, { ...web, metadata: { ...web.metadata, namespace: 'shop' } });
  const there = () => cluster.list(pods, 'shop') as readonly (KubeObject & { spec: { nodeName?: string } })[];
  await cluster.until(
    'its pods are bound',
    () => there().length === 2 && there().every(({ spec }) => spec.nodeName),
  );
  await cluster.create(configMaps, configMap('elsewhere', []));

  const { removed } = await registry.delete(namespaces, undefined, 'shop', {});
  t.notOk(removed);
  await cluster.until(
    'all but the pods is gone',
    () => cluster.list(configMaps, 'shop').length + cluster.list(deployments, 'shop').length === 0,
  );
  await cluster.until('the pods are ending', () =>
    there().every(({ metadata }) => metadata.deletionTimestamp),
  );
  await settle(cluster);
  t.match(registry.get(namespaces, undefined, 'shop')?.status, { phase: 'Terminating' });
  for (const { metadata } of there())
    await registry.delete(pods, 'shop', metadata.name ?? '', { gracePeriodSeconds: 0 });
  await cluster.until('it is gone', () => !registry.get(namespaces, undefined, 'shop'));
  t.ok(cluster.find(configMaps, 'elsewhere'));
});
