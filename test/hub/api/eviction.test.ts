import t from 'tap';
import { podDisruptionBudgets, pods } from '../../../hub/resources/table-of-resources.ts';
import { startHub } from './test-hub.ts';

const hub = await startHub(t);
const path = '/api/v1/namespaces/default/pods';
const budgets = '/apis/policy/v1/namespaces/default/poddisruptionbudgets';
const ready = { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] };
const byTest = { fieldManager: 'test', subresource: 'status' };

async function runningPod(name: string, labels: object, status: object = ready): Promise<void> {
  const spec = { nodeName: 'n', containers: [{ name: 'a', image: 'b' }] };
  await hub.post(path, { metadata: { name, labels }, spec });
  await hub.registry.modify(pods, 'default', name, (pod) => ({ ...pod, status }) as never, byTest);
}

async function budget(name: string, labels: object, status: object): Promise<void> {
  await hub.post(budgets, {
    metadata: { name },
    spec: { selector: { matchLabels: labels }, minAvailable: 1 },
  });
  await hub.registry.modify(
    podDisruptionBudgets,
    'default',
    name,
    (current) => ({ ...current, status: { observedGeneration: 1, expectedPods: 2, ...status } }) as never,
    byTest,
  );
}

const evict = (name: string, more: object = {}) =>
  hub.post(`${path}/${name}/eviction`, {
    apiVersion: 'policy/v1',
    kind: 'Eviction',
    metadata: { name, namespace: 'default' },
    ...more,
  });
const statusOf = async (name: string) =>
  ((await hub.get(`${budgets}/${name}`)).body as { status: Record<string, unknown> }).status;

t.test('a pod without a budget', async (t) => {
  await runningPod('free', { app: 'free' });
  t.match(await evict('free'), { code: 201, body: { kind: 'Status', status: 'Success' } });
  t.equal((await evict('missing')).code, 404);
  t.equal((await evict('free', { metadata: { name: 'other' } })).code, 400);
});

t.test('takes a disruption as long as there is one', async (t) => {
  for (const name of ['a', 'b']) await runningPod(name, { app: 'web' });
  await budget('web', { app: 'web' }, { currentHealthy: 2, desiredHealthy: 1, disruptionsAllowed: 1 });
  t.equal((await evict('a', { deleteOptions: { dryRun: ['All'] } })).code, 201, 'a dry run takes none');
  t.match(await statusOf('web'), { disruptionsAllowed: 1 });
  t.equal((await evict('a')).code, 201);
  t.match(await statusOf('web'), { disruptionsAllowed: 0, disruptedPods: { a: /^\d{4}-/ } });
  const refused = await evict('b');
  t.equal(refused.headers['retry-after'], undefined, 'nobody knows when');
  t.match(refused, {
    code: 429,
    body: {
      reason: 'TooManyRequests',
      message: "Cannot evict pod as it would violate the pod's disruption budget.",
      details: {
        causes: [
          {
            reason: 'DisruptionBudget',
            message: 'The disruption budget web needs 1 healthy pods and has 2 currently',
          },
        ],
      },
    },
  });
});

t.test('pods that are not ready', async (t) => {
  await runningPod('sick', { app: 'sick' }, { phase: 'Running' });
  await budget('sick', { app: 'sick' }, { currentHealthy: 1, desiredHealthy: 1, disruptionsAllowed: 0 });
  t.equal((await evict('sick')).code, 201, 'the others are enough');
  await runningPod('pending', { app: 'pending' }, { phase: 'Pending' });
  await budget(
    'pending',
    { app: 'pending' },
    { currentHealthy: 0, desiredHealthy: 1, disruptionsAllowed: 0 },
  );
  t.equal((await evict('pending')).code, 201, 'it does nothing yet');
});

t.test('what cannot be decided', async (t) => {
  await runningPod('torn', { app: 'torn' });
  for (const name of ['one', 'two'])
    await budget(name, { app: 'torn' }, { currentHealthy: 2, desiredHealthy: 1, disruptionsAllowed: 1 });
  t.match(await evict('torn'), { code: 500, body: { message: /more than one PodDisruptionBudget/ } });
  await runningPod('new', { app: 'new' });
  await hub.post(budgets, {
    metadata: { name: 'new' },
    spec: { selector: { matchLabels: { app: 'new' } }, minAvailable: 0 },
  });
  t.match(await evict('new'), {
    code: 429,
    headers: { 'retry-after': '10' },
    body: { details: { causes: [{ message: /new is still being processed by the server/ }] } },
  });
});

t.test('nothing went wrong inside', async (t) => t.same(hub.errors, []));
