import t from 'tap';
import { rollouts } from '../../../../hub/fleet/rollout.ts';
import {
  configMaps,
  controllerRevisions,
  daemonSets,
  deployments,
  pods,
  replicaSets,
  secrets,
} from '../../../../hub/resources/table-of-resources.ts';
import type {
  ControllerRevisionObject,
  DaemonSetObject,
  DeploymentObject,
  PodObject,
  ReplicaSetObject,
} from '../../../../hub/resources/typed.ts';
import { ConfiguredFleet, POD_SPEC, secret } from './configured-fleet.ts';

const REVISIONED = { configuration: 'revisioned', waves: [{ name: 'canary', limit: 1 }] };
const STAMP = 'fleet.holdfast.dev/configuration';

t.test('content is part of a revision: it goes by waves, and an undo brings it back', async (t) => {
  const world = await ConfiguredFleet.start(t);
  const { cluster, fleet } = world;
  await fleet.begin(4, REVISIONED, POD_SPEC);
  t.equal(cluster.list(controllerRevisions).length, 1, 'the first revision is stamped already');
  t.match(world.copies('app'), [
    {
      immutable: true,
      data: { text: 'one' },
      metadata: {
        labels: { 'fleet.holdfast.dev/workload': 'app' },
        ownerReferences: [{ kind: 'DaemonSet', name: 'app', controller: true }],
      },
    },
  ]);
  t.match(world.copies('db'), [{ immutable: true, type: 'Opaque' }]);
  const [before] = cluster.list<PodObject>(pods);
  t.equal(before?.spec.volumes?.[0]?.configMap?.name, world.copies('app')[0]?.metadata.name);
  t.match(before?.spec.volumes?.[1]?.secret, {
    secretName: world.copies('db')[0]?.metadata.name,
    optional: true,
  });

  world.bad.add('two');
  await world.write('two');
  const { status, spec } = await fleet.untilPhase('app-2', 'Paused');
  t.match(status, { failed: 1 });
  t.equal(spec.cause, 'ConfigMap/app changed');
  await cluster.until('it is told', () =>
    world.reasons().includes('ConfigurationChanged: ConfigMap/app changed: this makes a new revision'),
  );
  t.equal(world.copies('app').length, 2);
  t.equal(world.copies('db').length, 1, 'what did not change is not copied again');
  await fleet.act('app-2', { type: 'undo' });
  await fleet.untilPhase('app-3', 'Succeeded');
  await cluster.until('all read what they read', () => `${world.texts}` === 'one');
  t.equal(cluster.list(rollouts).length, 2, 'what is live was not sent out again');

  await world.write('three');
  const next = await fleet.untilPhase('app-4', 'Succeeded');
  t.match(next.spec, { type: 'change', from: { number: 3 } });
  await cluster.until('all read it', () => `${world.texts}` === 'three');

  await world.write('one');
  t.match(
    (await fleet.untilPhase('app-5', 'Succeeded')).spec,
    { type: 'undo' },
    'written back: it was stable once',
  );
  await cluster.until('all read the first', () => `${world.texts}` === 'one');
});

t.test('undone by the policy: nothing goes round in circles', async (t) => {
  const world = await ConfiguredFleet.start(t);
  const { cluster, fleet } = world;
  await fleet.begin(3, { ...REVISIONED, onFail: 'undo' }, POD_SPEC);
  world.bad.add('two');
  await world.write('two');
  await fleet.untilPhase('app-2', 'Undone');
  await fleet.untilPhase('app-3', 'Succeeded');
  t.same(world.texts, ['one']);
  await fleet.setImage('app:2');
  await fleet.untilPhase('app-4', 'Undone');
  await fleet.untilPhase('app-5', 'Succeeded');
  t.same(world.texts, ['one'], 'the next change took what is live, and was gone back from too');
  t.equal(fleet.running('app:1'), 3);
  world.bad.clear();
  await fleet.setImage('app:3');
  await fleet.untilPhase('app-6', 'Succeeded');
  await cluster.until('image and content', () => `${world.texts}` === 'two' && fleet.running('app:3') === 3);
  t.equal(cluster.list(rollouts).length, 5);
});

t.test('a Deployment: undone as kubectl does it', async (t) => {
  const world = await ConfiguredFleet.start(t);
  const { cluster, fleet } = world;
  await fleet.beginDeployment(3, 3, REVISIONED, POD_SPEC);
  const first = cluster.list<ReplicaSetObject>(replicaSets)[0];
  t.equal(cluster.list(replicaSets).length, 1);
  await world.write('two');
  await fleet.untilPhase('deploy-app-2', 'Succeeded');
  await cluster.until('all read it', () => `${world.texts}` === 'two');
  const cause = (set: ReplicaSetObject) => set.metadata.annotations?.['kubernetes.io/change-cause'];
  t.same(
    cluster.list<ReplicaSetObject>(replicaSets).map(cause).sort(),
    [undefined, 'ConfigMap/app changed'].sort(),
  );
  await cluster.change(deployments, 'app', (object) => {
    const { metadata, spec } = object as DeploymentObject;
    const { 'pod-template-hash': _, ...labels } = first?.spec.template?.metadata?.labels ?? {};
    spec.template = { ...first?.spec.template, metadata: { ...first?.spec.template?.metadata, labels } };
    const policy = 'fleet.holdfast.dev/rollout-policy';
    metadata.annotations = { [policy]: 'careful' }; // those of the ReplicaSet
  });
  t.match((await fleet.untilPhase('deploy-app-3', 'Succeeded')).spec, { type: 'undo' });
  await cluster.until('all are back', () => `${world.texts}` === 'one');
  t.equal(cluster.list(rollouts).length, 2);
  t.notOk(
    cluster.list(replicaSets).some(({ metadata }) => JSON.stringify(metadata).includes('configuration-seen')),
  );
});

t.test('image and content that change together are one revision', async (t) => {
  const world = await ConfiguredFleet.start(t);
  const { cluster, fleet } = world;
  await fleet.begin(2, REVISIONED, POD_SPEC);
  await world.write('two');
  await cluster.change(secrets, 'db', (object) => {
    object['data'] = secret('db', 'two')['data'];
  });
  await fleet.setImage('app:2');
  await fleet.untilPhase('app-2', 'Succeeded');
  await cluster.until('all read it', () => `${world.texts}` === 'two' && fleet.running('app:2') === 2);
  t.equal(cluster.list(controllerRevisions).length, 2);
  t.equal(world.copies('db').length, 2);
});

t.test('a policy that says live: as in Kubernetes; from one to the other and back', async (t) => {
  const world = await ConfiguredFleet.start(t);
  const { cluster, fleet } = world;
  await fleet.begin(2, { waves: REVISIONED.waves }, POD_SPEC);
  const set = () => cluster.get<DaemonSetObject>(daemonSets, 'app');
  const names = () =>
    new Set(cluster.list<PodObject>(pods).map(({ spec }) => spec.volumes?.[0]?.configMap?.name));
  await world.write('two');
  t.same([...names()], ['app']);
  t.same(world.copies('app'), []);
  t.equal(cluster.list(controllerRevisions).length, 1);
  await world.setMode('revisioned');
  await fleet.untilPhase('app-2', 'Succeeded');
  await cluster.until('pods read copies', () => !names().has('app'));
  await world.setMode('live');
  await fleet.untilPhase('app-3', 'Succeeded');
  await cluster.until('pods read what is live', () => `${[...names()]}` === 'app');
  t.equal(set().spec.template.metadata?.annotations?.[STAMP], undefined);
  t.notOk(Object.keys(set().metadata.annotations ?? {}).some((key) => key.includes('configuration')));
});

t.test('what is not there yet is no reason to wait', async (t) => {
  const world = await ConfiguredFleet.start(t);
  const { cluster, fleet } = world;
  await cluster.registry.delete(secrets, 'default', 'db', {});
  await fleet.begin(2, REVISIONED, POD_SPEC);
  t.equal(cluster.list<PodObject>(pods)[0]?.spec.volumes?.[1]?.secret?.secretName, 'db');
  await cluster.create(secrets, secret('db', 'late'));
  t.equal((await fleet.untilPhase('app-2', 'Succeeded')).spec.cause, 'Secret/db changed');
  await cluster.until('it is read from its copy', () =>
    cluster.list<PodObject>(pods).every(({ spec }) => spec.volumes?.[1]?.secret?.secretName !== 'db'),
  );
});

t.test('copies go with the revisions that name them, and with the workload', async (t) => {
  const world = await ConfiguredFleet.start(t);
  const { cluster, fleet } = world;
  await fleet.begin(1, REVISIONED, POD_SPEC);
  await fleet.changeApp(({ spec }) => {
    spec.revisionHistoryLimit = 0;
  });
  await world.write('two');
  await fleet.untilPhase('app-2', 'Succeeded');
  await fleet.setImage('app:2');
  await fleet.untilPhase('app-3', 'Succeeded');
  await cluster.until(
    'the first is gone',
    () => world.copies('app').length === 1 && world.copies('db').length === 1,
  );
  t.match(world.copies('app'), [{ data: { text: 'two' } }]);
  const revisions = cluster.list<ControllerRevisionObject>(controllerRevisions);
  t.ok(revisions.every(({ data }) => JSON.stringify(data).includes(STAMP)));
  await cluster.registry.delete(daemonSets, 'default', 'app', {});
  await cluster.until('all are gone', () => world.copies('app').length + world.copies('db').length === 0);
  t.ok(cluster.find(configMaps, 'app'), 'the original is nobody else’s');
});
