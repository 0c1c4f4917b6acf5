import t from 'tap';
import { planDisruption } from '../../../hub/controllers/disruption/disruption-plan.ts';
import { deployments, podDisruptionBudgets, pods } from '../../../hub/resources/table-of-resources.ts';
import type { PodDisruptionBudgetObject, PodObject } from '../../../hub/resources/typed.ts';
import { Cluster } from './cluster.ts';

const NOW = Date.parse('2026-01-01T00:00:00Z');
const ready = { conditions: [{ type: 'Ready', status: 'True' }] };
const podOf = (name: string, status: object = ready, metadata: object = {}) =>
  ({ metadata: { name, ...metadata }, spec: { containers: [] }, status }) as unknown as PodObject;
const budgetOf = (spec: object, status: object = {}) =>
  ({ metadata: { name: 'b', generation: 3 }, spec, status }) as unknown as PodDisruptionBudgetObject;
const three = ['a', 'b', 'c'].map((name) => podOf(name));

t.test('how many may be disrupted', async (t) => {
  const rows: [string, object, PodObject[], number | undefined, [number, number, number, number]][] = [
    ['a number that must stay', { minAvailable: 2 }, three, undefined, [3, 3, 2, 1]],
    ['more than there are', { minAvailable: 5 }, three, undefined, [3, 3, 5, 0]],
    ['a share that must stay, rounded up', { minAvailable: '50%' }, three, 3, [3, 3, 2, 1]],
    ['a number that may go', { maxUnavailable: 1 }, three, 3, [3, 3, 2, 1]],
    ['a share that may go, rounded up', { maxUnavailable: '34%' }, three, 3, [3, 3, 1, 2]],
    ['of what is wanted, not of what is there', { maxUnavailable: 1 }, three, 5, [5, 3, 4, 0]],
    ['owners that do not say', { maxUnavailable: 1 }, three, undefined, [0, 3, 0, 0]],
    ['no pods', { minAvailable: 0 }, [], undefined, [0, 0, 0, 0]],
    ['not ready', { minAvailable: 1 }, [podOf('a'), podOf('b', {})], undefined, [2, 1, 1, 0]],
    [
      'ending',
      { minAvailable: 1 },
      [podOf('a'), podOf('b', ready, { deletionTimestamp: 'x' })],
      undefined,
      [2, 1, 1, 0],
    ],
  ];
  for (const [
    what,
    spec,
    selected,
    desired,
    [expectedPods, currentHealthy, desiredHealthy, allowed],
  ] of rows) {
    const { status } = planDisruption(budgetOf(spec), selected, desired, NOW);
    t.match(status, { expectedPods, currentHealthy, desiredHealthy, disruptionsAllowed: allowed }, what);
    t.match(status.conditions, [{ status: allowed > 0 ? 'True' : 'False' }], what);
    t.equal(status.observedGeneration, 3);
  }
});

t.test('a pod whose eviction was granted does not count, for two minutes', async (t) => {
  const granted = (ago: number) => ({
    disruptedPods: { a: new Date(NOW - ago * 1000).toISOString(), gone: new Date(NOW).toISOString() },
  });
  const soon = planDisruption(budgetOf({ minAvailable: 1 }, granted(30)), three, undefined, NOW);
  t.equal(soon.status.currentHealthy, 2);
  t.same(Object.keys(soon.status.disruptedPods ?? {}), ['a']);
  t.equal(soon.wakeInMs, 90_000);
  const late = planDisruption(budgetOf({ minAvailable: 1 }, granted(121)), three, undefined, NOW);
  t.equal(late.status.currentHealthy, 3);
  t.equal(late.status.disruptedPods, undefined);
  t.equal(late.wakeInMs, undefined);
});

t.test('the share of a Deployment', async (t) => {
  const cluster = await Cluster.start(t);
  const labels = { app: 'web' };
  const selector = { matchLabels: labels };
  const template = { metadata: { labels }, spec: { containers: [{ name: 'a', image: 'b' }] } };
  await cluster.create(podDisruptionBudgets, {
    metadata: { name: 'b', namespace: 'default' },
    spec: { selector, maxUnavailable: '50%' },
  });
  await cluster.create(deployments, {
    metadata: { name: 'web', namespace: 'default' },
    spec: { replicas: 4, selector, template },
  });
  const status = () =>
    (cluster.registry.get(podDisruptionBudgets, 'default', 'b') as PodDisruptionBudgetObject).status;
  await cluster.until('its pods are counted', () => status()?.expectedPods === 4);
  for (const { metadata } of cluster.list(pods))
    await cluster.change(
      pods,
      metadata.name ?? '',
      (pod) => {
        pod.status = { phase: 'Running', ...ready };
      },
      'status',
    );
  await cluster.until('they are healthy', () => status()?.disruptionsAllowed === 2);
  t.match(status(), { currentHealthy: 4, desiredHealthy: 2 });
});
