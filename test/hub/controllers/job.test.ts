import t from 'tap';
import { startControllers } from '../../../hub/controllers/start-controllers.ts';
import { events, jobs, namespaces, pods } from '../../../hub/resources/table-of-resources.ts';
import type { EventObject, JobObject, PodObject } from '../../../hub/resources/typed.ts';
import { Cluster, openRegistry, silent } from './cluster.ts';
import { stoppingAfter } from './stopping-registry.ts';

const TRACKING = 'batch.kubernetes.io/job-tracking';

function jobOf(name: string, spec: object = {}, pod: object = {}): object {
  const containers = [{ name: 'main', image: 'busybox:1' }];
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name, namespace: 'default' },
    spec: { template: { spec: { restartPolicy: 'Never', containers, ...pod } }, ...spec },
  };
}

const podsOf = (cluster: Cluster, name: string) =>
  cluster.list<PodObject>(pods).filter(({ metadata }) => metadata.labels?.['job-name'] === name);
const active = (cluster: Cluster, name: string) =>
  podsOf(cluster, name).filter(
    ({ metadata, status }) =>
      !metadata.deletionTimestamp && status?.phase !== 'Succeeded' && status?.phase !== 'Failed',
  );
const statusOf = (cluster: Cluster, name: string) => cluster.get<JobObject>(jobs, name).status ?? {};
const has = (cluster: Cluster, name: string, type: string) =>
  (statusOf(cluster, name).conditions ?? []).some((each) => each.type === type && each.status === 'True');

/** What an agent reports of a pod whose container has ended. */
async function finish(cluster: Cluster, { metadata: { name = '' } }: PodObject, exitCode = 0): Promise<void> {
  const finishedAt = '2026-01-01T00:00:00Z';
  await cluster.change(
    pods,
    name,
    (pod) => {
      pod.status = {
        ...(pod as PodObject).status,
        phase: exitCode === 0 ? 'Succeeded' : 'Failed',
        containerStatuses: [
          {
            name: 'main',
            image: '',
            imageID: '',
            ready: false,
            restartCount: 0,
            state: { terminated: { exitCode, finishedAt } },
          },
        ],
      };
    },
    'status',
  );
}

t.test('from its pods to its completion', async (t) => {
  const cluster = await Cluster.start(t);
  await cluster.addNode('node');
  await cluster.create(jobs, jobOf('work', { completions: 3, parallelism: 2 }));
  await cluster.until(
    'two run',
    () => active(cluster, 'work').length === 2 && statusOf(cluster, 'work').active === 2,
  );
  const [first] = active(cluster, 'work');
  t.match(first?.metadata, {
    generateName: 'work-',
    finalizers: [TRACKING],
    labels: { 'batch.kubernetes.io/job-name': 'work' },
    ownerReferences: [{ kind: 'Job', name: 'work', controller: true }],
  });
  if (first) await finish(cluster, first);
  await cluster.until('the third comes', () => active(cluster, 'work').length === 2);
  await cluster.until('one is counted', () => statusOf(cluster, 'work').succeeded === 1);
  for (const pod of active(cluster, 'work')) await finish(cluster, pod);
  await cluster.until('it is complete', () => has(cluster, 'work', 'Complete'));
  t.match(statusOf(cluster, 'work'), { succeeded: 3, ready: 0, terminating: 0 });
  t.same(statusOf(cluster, 'work').uncountedTerminatedPods, {});
  t.same(
    podsOf(cluster, 'work').flatMap(({ metadata }) => metadata.finalizers ?? []),
    [],
  );
  const reasons = () => new Set(cluster.list<EventObject>(events).map(({ reason }) => reason));
  await cluster.until('it is told', () => reasons().has('Completed'));
  t.ok(reasons().has('SuccessfulCreate'));
});

t.test('a pod that is removed once it has ended is counted, also by a hub that starts later', async (t) => {
  const registry = await openRegistry(t);
  const cluster = new Cluster(registry);
  const before = startControllers({ registry, log: silent });
  await cluster.create(jobs, jobOf('work', { completions: 2, parallelism: 2 }));
  await cluster.until('two run', () => active(cluster, 'work').length === 2);
  await before.stop();
  for (const pod of active(cluster, 'work')) {
    await finish(cluster, pod);
    await registry.delete(pods, 'default', pod.metadata.name ?? '', {});
  }
  t.equal(podsOf(cluster, 'work').length, 2, 'they wait to be counted');
  const after = startControllers({ registry, log: silent });
  t.teardown(() => after.stop());
  await cluster.until('it is complete', () => has(cluster, 'work', 'Complete'));
  t.equal(statusOf(cluster, 'work').succeeded, 2);
  t.equal(podsOf(cluster, 'work').length, 0);
});

t.test('wherever the hub stops, each pod is counted once', async (t) => {
  const registry = await openRegistry(t);
  const cluster = new Cluster(registry);
  for (const completionMode of ['NonIndexed', 'Indexed'])
    for (let writes = 1; writes <= 24; writes += 1) {
      const name = `${completionMode.toLowerCase()}-${writes}`;
      let ended = 0;
      const endAgent = registry.watch(pods, { fromRevision: registry.revision }, (event) => {
        if (event.type !== 'ADDED') return;
        const pod = event.object as PodObject;
        ended += 1;
        const isFirst = ended === 1;
        void finish(cluster, pod, isFirst ? 1 : 0).then(async () => {
          // Whether the pod stays must not matter.
          if (writes % 2) await registry.delete(pods, 'default', pod.metadata.name ?? '', {});
        });
      });
      await cluster.create(jobs, jobOf(name, { completions: 3, parallelism: 3, completionMode }));
      const stopping = stoppingAfter(registry, writes);
      const before = startControllers({ registry: stopping.registry, log: silent });
      await cluster.until('it stops', () => stopping.stopped() || has(cluster, name, 'Complete'));
      await before.stop();
      const after = startControllers({ registry, log: silent });
      await cluster.until(`${name} is complete`, () => has(cluster, name, 'Complete'));
      await after.stop();
      endAgent();
      const { succeeded, failed, uncountedTerminatedPods } = statusOf(cluster, name);
      t.same([succeeded, failed, uncountedTerminatedPods], [3, 1, {}], name);
    }
});

t.test('a Job that fails ends what runs', async (t) => {
  const cluster = await Cluster.start(t);
  await cluster.addNode('node');
  cluster.runAgents();
  await cluster.create(jobs, jobOf('bad', { completions: 2, parallelism: 2, backoffLimit: 0 }));
  await cluster.until('two are ready', () => statusOf(cluster, 'bad').ready === 2);
  const [first] = active(cluster, 'bad');
  if (first) await finish(cluster, first, 1);
  await cluster.until('it has failed', () => has(cluster, 'bad', 'Failed'));
  t.match(statusOf(cluster, 'bad'), {
    failed: 2,
    terminating: 0,
    conditions: [{ reason: 'BackoffLimitExceeded' }, {}],
  });
  t.equal(active(cluster, 'bad').length, 0);
});

t.test('indexes', async (t) => {
  const cluster = await Cluster.start(t);
  await cluster.create(jobs, jobOf('each', { completions: 3, parallelism: 3, completionMode: 'Indexed' }));
  await cluster.until('three run', () => active(cluster, 'each').length === 3);
  const names = active(cluster, 'each').map(({ metadata, spec }) => [metadata.generateName, spec.hostname]);
  t.same(
    names.sort(),
    [0, 1, 2].map((index) => [`each-${index}-`, `each-${index}`]),
  );
  for (const pod of active(cluster, 'each')) await finish(cluster, pod);
  await cluster.until('it is complete', () => has(cluster, 'each', 'Complete'));
  t.match(statusOf(cluster, 'each'), { succeeded: 3, completedIndexes: '0-2' });
});

t.test('suspended, resumed; more and fewer at once', async (t) => {
  const cluster = await Cluster.start(t);
  await cluster.create(jobs, jobOf('work', { completions: 9, parallelism: 3, suspend: true }));
  const change = (fields: object) =>
    cluster.change(jobs, 'work', (job) => Object.assign(job.spec as object, fields));
  await cluster.until('it is suspended', () => has(cluster, 'work', 'Suspended'));
  t.equal(active(cluster, 'work').length, 0);
  await change({ suspend: false });
  await cluster.until('three run', () => active(cluster, 'work').length === 3);
  await change({ parallelism: 1 });
  await cluster.until('one is left', () => active(cluster, 'work').length === 1);
  await change({ suspend: true });
  await cluster.until('none is', () => podsOf(cluster, 'work').length === 0);
  t.notOk(statusOf(cluster, 'work').failed, 'nothing of it is a failure');
});

t.test('a deadline, and the time that a Job stays', async (t) => {
  const cluster = await Cluster.start(t);
  await cluster.create(jobs, jobOf('late', { activeDeadlineSeconds: 1, ttlSecondsAfterFinished: 0 }));
  const told: string[] = [];
  cluster.registry.watch(jobs, {}, (event) => {
    if (event.type === 'MODIFIED')
      told.push(
        ...((event.object as JobObject).status?.conditions ?? []).map(
          ({ type, reason }) => `${type} ${reason}`,
        ),
      );
  });
  await cluster.until('it is gone', () => !cluster.find(jobs, 'late'));
  t.ok(told.includes('Failed DeadlineExceeded'));
  await cluster.until('and its pods', () => podsOf(cluster, 'late').length === 0);
});

t.test(
  'a Job that is deleted takes its pods with it; whose controller is another is left alone',
  async (t) => {
    const cluster = await Cluster.start(t);
    await cluster.addNode('node');
    cluster.runAgents();
    await cluster.create(jobs, jobOf('work', { parallelism: 2, completions: 2 }));
    await cluster.create(jobs, jobOf('foreign', { managedBy: 'example.com/other' }));
    await cluster.until('two are ready', () => statusOf(cluster, 'work').ready === 2);
    await cluster.registry.delete(jobs, 'default', 'work', { propagationPolicy: 'Background' });
    await cluster.until('nothing is left', () => podsOf(cluster, 'work').length === 0);
    t.equal(podsOf(cluster, 'foreign').length, 0);
  },
);

t.test('whom a Job lets go, and whose namespace ends, nobody holds', async (t) => {
  const cluster = await Cluster.start(t);
  await cluster.create(jobs, jobOf('work', { parallelism: 2, completions: 2 }));
  await cluster.until('two run', () => active(cluster, 'work').length === 2);
  await cluster.registry.delete(jobs, 'default', 'work', { propagationPolicy: 'Orphan' });
  const held = () => podsOf(cluster, 'work').flatMap(({ metadata }) => metadata.finalizers ?? []);
  await cluster.until('they are free', () => !cluster.find(jobs, 'work') && held().length === 0);
  t.equal(podsOf(cluster, 'work').length, 2);
  await cluster.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'brief' } });
  const job = jobOf('gone') as JobObject;
  await cluster.create(jobs, { ...job, metadata: { name: 'gone', namespace: 'brief' } });
  await cluster.until('it runs', () => podsOf(cluster, 'gone').length === 1);
  await cluster.registry.delete(namespaces, undefined, 'brief', {});
  await cluster.until('all of it is gone', () => !cluster.registry.get(namespaces, undefined, 'brief'));
});

t.test('a selector of its own takes over pods', async (t) => {
  const cluster = await Cluster.start(t);
  const labels = { app: 'mine' };
  await cluster.create(pods, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'stray', namespace: 'default', labels },
    spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'busybox:1' }] },
  });
  const job = jobOf('work', { manualSelector: true, selector: { matchLabels: labels } }) as JobObject;
  job.spec.template.metadata = { labels };
  await cluster.create(jobs, job);
  const stray = () => cluster.get<PodObject>(pods, 'stray');
  await cluster.until('it is taken over', () => stray().metadata.finalizers?.includes(TRACKING) ?? false);
  t.equal(cluster.list(pods).length, 1);
  await finish(cluster, stray());
  await cluster.until('and counted', () => has(cluster, 'work', 'Complete'));
});
