import t, { type Test } from 'tap';
import { startControllers } from '../../../../hub/controllers/start-controllers.ts';
import { rollouts } from '../../../../hub/fleet/rollout.ts';
import type { PodObject } from '../../../../hub/resources/typed.ts';
import { Cluster, openRegistry, silent } from '../cluster.ts';
import { stoppingAfter } from '../stopping-registry.ts';
import { FleetCluster } from './fleet-cluster.ts';

/* Wherever a hub stops, for ever and without a word, the one after it ends what was begun, and touches nobody twice. */

const MOST_WRITES = 60;

type Takes = Parameters<FleetCluster['runAgents']>[0];

/** Four devices, the first revision on all of them; the change is made while nobody looks. */
async function begin(test: Test, onFail: string, takes: Takes, replicas?: number) {
  const registry = await openRegistry(test);
  const cluster = new Cluster(registry);
  const fleet = new FleetCluster(cluster);
  test.teardown(fleet.runAgents(takes));
  const first = startControllers({ registry, log: silent });
  const gates = { measured: [{ name: 'calm', devices: { expression: 'restarts == 0' } }] };
  const policy = { waves: [{ name: 'canary', limit: 1 }], gates, onFail };
  if (replicas === undefined) await fleet.begin(4, policy);
  else await fleet.beginDeployment(4, replicas, policy);
  await first.stop();
  await fleet.setImage('app:2');
  return { registry, cluster, fleet };
}

/** Runs controllers that stop after so many writes, again and again, until `isDone`. */
async function interrupted(
  { registry, cluster }: Awaited<ReturnType<typeof begin>>,
  writes: number,
  isDone: () => boolean,
): Promise<void> {
  for (let lives = 0; !isDone() && lives < 300; lives += 1) {
    const stopping = stoppingAfter(registry, writes);
    const controllers = startControllers({ registry: stopping.registry, log: silent });
    await cluster.until('it stops or is done', () => stopping.stopped() || isDone());
    await controllers.stop();
  }
}

for (const writes of Array.from({ length: MOST_WRITES }, (_, index) => index + 1).filter(
  (n) => n < 20 || n % 5 === 0,
)) {
  t.test(`a good revision, by hubs that stop after ${writes} writes`, async (t) => {
    const world = await begin(t, 'pause', () => 'accept');
    const { cluster, fleet } = world;
    const phase = () => cluster.find(rollouts, 'app-2')?.status as { phase?: string } | undefined;
    await interrupted(world, writes, () => phase()?.phase === 'Succeeded' && fleet.running('app:1') === 0);
    t.match(fleet.rollout('app-2').status, { phase: 'Succeeded', succeeded: 4, failed: 0 });
    t.equal(fleet.pods('app:2').length, 4);
    t.equal(new Set(fleet.pods('app:2').map(({ spec }) => spec.nodeName)).size, 4);
  });

  t.test(`a bad revision that the policy undoes, by hubs that stop after ${writes} writes`, async (t) => {
    const asked = new Set<string>();
    const world = await begin(t, 'undo', (pod) => {
      if (pod.spec.containers[0]?.image !== 'app:2') return 'accept';
      asked.add(pod.spec.nodeName ?? '');
      return 'reject';
    });
    const { cluster, fleet } = world;
    const back = () => cluster.find(rollouts, 'app-3')?.status as { phase?: string } | undefined;
    await interrupted(world, writes, () => back()?.phase === 'Succeeded' && fleet.running('app:2') === 0);
    t.match(fleet.rollout('app-2').status, { phase: 'Undone' });
    t.match(fleet.rollout('app-3'), { spec: { type: 'undo' }, status: { phase: 'Succeeded', succeeded: 4 } });
    t.equal(asked.size, 1, 'nobody but the canary has met it');
    t.equal(fleet.pods('app:1').length, 4);
    t.equal(cluster.list(rollouts).length, 2);
  });
}

/** Each of its pods is changed on its own; what one life leaves undone must not make another pod, or take one away. */
for (const writes of [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 17, 20, 25, 30, 40]) {
  t.test(`a Deployment, by hubs that stop after ${writes} writes`, async (t) => {
    const world = await begin(t, 'pause', () => 'accept', 6);
    const { cluster, fleet } = world;
    const places = (image: string) =>
      fleet
        .pods(image)
        .map(({ spec }) => spec.nodeName ?? '')
        .sort();
    const before = places('app:1');
    const phase = () => cluster.find(rollouts, 'deploy-app-2')?.status as { phase?: string } | undefined;
    await interrupted(world, writes, () => phase()?.phase === 'Succeeded' && fleet.running('app:1') === 0);
    t.match(fleet.rollout('deploy-app-2').status, { phase: 'Succeeded', succeeded: 4, failed: 0 });
    t.same(places('app:2'), before);
  });

  t.test(`a bad revision of a Deployment, by hubs that stop after ${writes} writes`, async (t) => {
    const bad = (pod: PodObject) => (pod.spec.containers[0]?.image === 'app:2' ? 'reject' : 'accept');
    const world = await begin(t, 'undo', bad, 6);
    const { cluster, fleet } = world;
    const uids = () =>
      fleet
        .pods('app:1')
        .map(({ metadata }) => metadata.uid)
        .sort();
    const before = uids();
    const back = () => cluster.find(rollouts, 'deploy-app-3')?.status as { phase?: string } | undefined;
    await interrupted(world, writes, () => back()?.phase === 'Succeeded' && fleet.running('app:2') === 0);
    t.match(fleet.rollout('deploy-app-2').status, { phase: 'Undone' });
    t.same(uids(), before, 'the pods that ran run on');
  });
}
