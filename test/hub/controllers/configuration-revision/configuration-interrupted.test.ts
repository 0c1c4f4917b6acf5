import t from 'tap';
import { startControllers } from '../../../../hub/controllers/start-controllers.ts';
import { rollouts } from '../../../../hub/fleet/rollout.ts';
import { controllerRevisions } from '../../../../hub/resources/table-of-resources.ts';
import { Cluster, openRegistry, silent } from '../cluster.ts';
import { stoppingAfter } from '../stopping-registry.ts';
import { ConfiguredFleet, POD_SPEC } from './configured-fleet.ts';

/* Wherever a hub stops, the one after it makes no copy, revision or rollout more than were needed. */

const POLICY = { configuration: 'revisioned', onFail: 'undo', waves: [{ name: 'canary', limit: 1 }] };

for (const writes of [1, 2, 3, 4, 5, 6, 8, 11, 15]) {
  t.test(`image and content change, by hubs that stop after ${writes} writes`, async (t) => {
    const registry = await openRegistry(t);
    const cluster = new Cluster(registry);
    const world = new ConfiguredFleet(cluster);
    const { fleet } = world;
    t.teardown(world.runAgents());
    await world.createConfiguration();
    const first = startControllers({ registry, log: silent });
    await fleet.begin(2, POLICY, POD_SPEC);
    await first.stop();
    world.bad.add('two');
    await world.write('two');
    await fleet.setImage('app:2');
    const isBack = () => {
      const { phase } = (cluster.find(rollouts, 'app-3')?.status ?? {}) as { phase?: string };
      return phase === 'Succeeded' && fleet.running('app:2') === 0;
    };
    for (let lives = 0; !isBack() && lives < 200; lives += 1) {
      const stopping = stoppingAfter(registry, writes);
      const controllers = startControllers({ registry: stopping.registry, log: silent });
      await cluster.until('it stops or is done', () => stopping.stopped() || isBack());
      await controllers.stop();
    }
    t.same(world.texts, ['one']);
    t.equal(fleet.pods('app:1').length, 2);
    t.equal(world.copies('app').length, 2);
    t.equal(world.copies('db').length, 1);
    t.equal(cluster.list(controllerRevisions).length, 2);
    t.equal(cluster.list(rollouts).length, 2);
  });
}
