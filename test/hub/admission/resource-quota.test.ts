import t from 'tap';
import { startControllers } from '../../../hub/controllers/start-controllers.ts';
import { canonicalQuantity } from '../../../hub/resources/quantity.ts';
import * as table from '../../../hub/resources/table-of-resources.ts';
import type { ResourceQuotaObject } from '../../../hub/resources/typed.ts';
import { Cluster, silent } from '../controllers/cluster.ts';
import { podOf, refusalOf, withPolicies } from './policies.ts';

const quotaOf = (name: string, hard: object, more: object = {}) => ({
  metadata: { name },
  spec: { hard, ...more },
});
const asking = (requests: object, limits: object = requests) => ({ resources: { requests, limits } });

t.test('creates at the same time never take more than there is', async (t) => {
  const { create, pod, registry } = await withPolicies(t);
  await create(table.resourceQuotas, quotaOf('few', { pods: '10' }));
  const outcomes = await Promise.allSettled(Array.from({ length: 64 }, (_, index) => pod(`p${index}`)));
  t.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 10);
  t.equal(registry.list(table.pods).items.length, 10);
  t.equal(
    await refusalOf(pod('more')),
    'pods "more" is forbidden: exceeded quota: few, requested: pods=1, used: pods=10, limited: pods=10',
  );
  await registry.delete(table.pods, 'default', registry.list(table.pods).items[0]?.metadata.name ?? '', {});
  await pod('more');
});

t.test('what was refused, or only tried, takes nothing', async (t) => {
  const { create, pod } = await withPolicies(t);
  await create(table.resourceQuotas, quotaOf('one', { pods: '1' }));
  await create(table.pods, podOf('tried'), { dryRun: true });
  await t.rejects(pod('Not a name'));
  await pod('a');
  await t.rejects(pod('a'), /already exists|exceeded quota/);
});

t.test('amounts', async (t) => {
  const { create, pod } = await withPolicies(t);
  await create(table.resourceQuotas, quotaOf('compute', { 'requests.cpu': '1', 'limits.memory': '1Gi' }));
  t.equal(
    await refusalOf(pod('silent')),
    'pods "silent" is forbidden: failed quota: compute: must specify limits.memory for: a; requests.cpu for: a',
  );
  await pod('half', {}, asking({ cpu: '600m', memory: '256Mi' }));
  t.equal(
    await refusalOf(pod('too-much', {}, asking({ cpu: '0.5', memory: '128Mi' }))),
    'pods "too-much" is forbidden: exceeded quota: compute, requested: requests.cpu=500m, used: requests.cpu=600m, limited: requests.cpu=1',
  );
  await pod('rest', {}, asking({ cpu: '400m', memory: '768Mi' }));
});

t.test('pods that have ended count as objects only', async (t) => {
  const { create, pod, registry, quotas } = await withPolicies(t);
  await create(table.resourceQuotas, quotaOf('q', { pods: '1', 'count/pods': '2' }));
  const first = await pod('first');
  await registry.update(
    table.pods,
    { ...first, status: { phase: 'Succeeded' } },
    { fieldManager: 'test', subresource: 'status' },
  );
  await pod('second');
  const [account] = quotas.of('default');
  t.equal(account && canonicalQuantity(account.stored('pods')), '1');
  t.match(await refusalOf(pod('third')), /requested: count\/pods=1,pods=1, used: count\/pods=2,pods=1/);
});

t.test('kinds by their count, Services by their type, claims by their class', async (t) => {
  const { create } = await withPolicies(t);
  await create(
    table.resourceQuotas,
    quotaOf('objects', {
      configmaps: '1',
      'count/deployments.apps': '0',
      'services.nodeports': '1',
      'requests.storage': '10Gi',
      'slow.storageclass.storage.k8s.io/requests.storage': '1Gi',
    }),
  );
  await create(table.configMaps, { metadata: { name: 'a' } });
  t.match(await refusalOf(create(table.configMaps, { metadata: { name: 'b' } })), /configmaps=1, used/);
  const template = { metadata: { labels: { a: 'b' } }, spec: podOf('x').spec };
  const deployment = { metadata: { name: 'd' }, spec: { selector: { matchLabels: { a: 'b' } }, template } };
  t.match(await refusalOf(create(table.deployments, deployment)), /count\/deployments.apps=1/);
  const ports = [{ port: 80 }, { name: 'x', port: 81 }].map((port, index) => ({
    name: `p${index}`,
    ...port,
  }));
  const service = { metadata: { name: 's' }, spec: { type: 'NodePort', ports } };
  t.match(await refusalOf(create(table.services, service)), /services.nodeports=2/);
  const claim = (storage: string, storageClassName?: string) => ({
    metadata: { generateName: 'c-' },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage } }, storageClassName },
  });
  t.match(await refusalOf(create(table.persistentVolumeClaims, claim('11Gi'))), /requests.storage=11Gi/);
  t.match(
    await refusalOf(create(table.persistentVolumeClaims, claim('2Gi', 'slow'))),
    /requested: slow.storageclass.storage.k8s.io\/requests.storage=2Gi/,
  );
  await create(table.persistentVolumeClaims, claim('2Gi', 'fast'));
});

t.test('scopes', async (t) => {
  const { create, pod } = await withPolicies(t);
  await create(table.resourceQuotas, quotaOf('idle', { pods: '0' }, { scopes: ['BestEffort'] }));
  t.match(await refusalOf(pod('best-effort')), /exceeded quota: idle/);
  await pod('burstable', {}, asking({ cpu: '1' }, {}));
  await create(table.resourceQuotas, quotaOf('short', { pods: '0' }, { scopes: ['Terminating'] }));
  t.match(
    await refusalOf(pod('brief', { activeDeadlineSeconds: 10 }, asking({ cpu: '1' }, {}))),
    /exceeded quota: short/,
  );
  const high = { metadata: { name: 'high' }, value: 7 };
  await create(table.priorityClasses, high);
  const matchExpressions = [{ scopeName: 'PriorityClass', operator: 'In', values: ['high'] }];
  await create(
    table.resourceQuotas,
    quotaOf('ranked', { pods: '0' }, { scopeSelector: { matchExpressions } }),
  );
  t.match(
    await refusalOf(pod('ranked', { priorityClassName: 'high' }, asking({ cpu: '1' }, {}))),
    /exceeded quota: ranked/,
  );
  await pod('unranked', {}, asking({ cpu: '1' }, {}));
});

t.test('its status tells what is used, and follows', async (t) => {
  const { create, pod, registry, quotas } = await withPolicies(t);
  const controllers = startControllers({ registry, log: silent, quotas });
  t.teardown(() => controllers.stop());
  const cluster = new Cluster(registry);
  await pod('before', {}, asking({ memory: '100Mi' }));
  await create(table.resourceQuotas, quotaOf('q', { pods: '5', 'requests.memory': '1Gi' }));
  const status = () => (registry.get(table.resourceQuotas, 'default', 'q') as ResourceQuotaObject).status;
  await cluster.until('it counts what was there', () => status()?.used?.['pods'] === '1');
  t.same(status(), {
    hard: { pods: '5', 'requests.memory': '1Gi' },
    used: { pods: '1', 'requests.memory': '100Mi' },
  });
  await pod('after', {}, asking({ memory: '24Mi' }));
  await cluster.until('it counts what came', () => status()?.used?.['requests.memory'] === '124Mi');
  await registry.delete(table.pods, 'default', 'before', {});
  await cluster.until('it counts what went', () => status()?.used?.['pods'] === '1');
});
