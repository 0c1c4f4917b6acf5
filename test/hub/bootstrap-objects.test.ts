import t from 'tap';
import { bootstrapObjects } from '../../hub/bootstrap-objects.ts';
import { namespaces, priorityClasses } from '../../hub/resources/table-of-resources.ts';
import { startHub } from './api/test-hub.ts';

const hub = await startHub(t);

t.test('what every cluster has is made once', async (t) => {
  const names = (resource: typeof namespaces) =>
    hub.registry.list(resource).items.map(({ metadata }) => metadata.name);
  await bootstrapObjects(hub.registry);
  t.same(names(namespaces), ['default', 'kube-node-lease', 'kube-public', 'kube-system']);
  t.same(names(priorityClasses), ['system-cluster-critical', 'system-node-critical']);
  const { revision } = hub.registry;
  await bootstrapObjects(hub.registry);
  t.equal(hub.registry.revision, revision);
});

t.test('and can not be deleted', async (t) => {
  const path = '/apis/scheduling.k8s.io/v1/priorityclasses';
  t.equal((await hub.delete(`${path}/system-node-critical`)).code, 403);
  t.equal((await hub.delete(path)).code, 200);
  t.equal(hub.registry.list(priorityClasses).items.length, 2, 'nor all at once');
});
