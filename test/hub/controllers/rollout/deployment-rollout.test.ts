import t, { type Test } from 'tap';
import { type DeviceUpdateObject, deviceUpdates } from '../../../../hub/fleet/device-update.ts';
import { deployments, pods, replicaSets } from '../../../../hub/resources/table-of-resources.ts';
import type { DeploymentObject, PodObject, ReplicaSetObject } from '../../../../hub/resources/typed.ts';
import { podUpdateOf } from '../../../../proto/pod-update.ts';
import { Cluster } from '../cluster.ts';
import { FleetCluster } from './fleet-cluster.ts';

/* Deployments under a RolloutPolicy: what is different about them. The engine is the same as for DaemonSets. */

const CANARY = { waves: [{ name: 'canary', limit: 1 }] };

async function begin(test: Test, nodes: number, replicas: number, policy: object = CANARY) {
  const cluster = await Cluster.start(test);
  const fleet = new FleetCluster(cluster);
  const behaviour: { takes: Parameters<typeof fleet.runAgents>[0] } = { takes: () => 'accept' };
  test.teardown(fleet.runAgents((pod) => behaviour.takes?.(pod) ?? 'accept'));
  await fleet.beginDeployment(nodes, replicas, policy);
  const deployment = () => cluster.get<DeploymentObject>(deployments, 'app');
  const sets = () =>
    cluster
      .list<ReplicaSetObject>(replicaSets, 'default')
      .map(({ metadata, spec }) => [
        metadata.annotations?.['deployment.kubernetes.io/revision'],
        spec.replicas,
      ])
      .sort();
  const nodesOf = (image: string) =>
    fleet
      .pods(image)
      .map(({ spec }) => spec.nodeName ?? '')
      .sort();
  return { cluster, fleet, behaviour, deployment, sets, nodesOf };
}

const bad = (pod: PodObject) => (pod.spec.containers[0]?.image === 'app:2' ? 'reject' : 'accept');

t.test('pods are changed where they are, by waves of the devices that they are on', async (t) => {
  const { cluster, fleet, deployment, sets, nodesOf } = await begin(t, 3, 5);
  const places = nodesOf('app:1');
  t.equal(new Set(places).size, 3, 'some device has two');
  await fleet.setImage('app:2');
  const { spec, status } = await fleet.untilPhase('deploy-app-2', 'Succeeded');
  t.match(spec, { workload: { kind: 'Deployment', name: 'app' }, from: { number: 1 }, to: { number: 2 } });
  t.match(status?.waves, [
    { name: 'canary', succeeded: 1 },
    { name: 'rest', succeeded: 2 },
  ]);
  await cluster.until('the old pods are gone', () => fleet.running('app:1') === 0);
  t.same(nodesOf('app:2'), places, 'each where the one before it was');
  await cluster.until('the Deployment says so', () => deployment().status?.updatedReplicas === 5);
  await cluster.until('it is available', () => deployment().status?.availableReplicas === 5);
  t.same(sets(), [
    ['1', 0],
    ['2', 5],
  ]);
  t.equal(deployment().metadata.annotations?.['deployment.kubernetes.io/revision'], '2');
});

t.test('a bad revision is stopped in the canary, and undone; nothing was restarted', async (t) => {
  const { cluster, fleet, behaviour, deployment, sets } = await begin(t, 3, 5, { ...CANARY, onFail: 'undo' });
  const before = new Set(fleet.pods('app:1').map(({ metadata }) => metadata.uid));
  behaviour.takes = bad;
  await fleet.setImage('app:2');
  await fleet.untilPhase('deploy-app-2', 'Undone');
  const { spec } = await fleet.untilPhase('deploy-app-3', 'Succeeded');
  t.match(spec, { type: 'undo', to: { number: 3 } });
  await cluster.until('what was rejected is gone', () => fleet.running('app:2') === 0);
  t.same(new Set(fleet.pods('app:1').map(({ metadata }) => metadata.uid)), before);
  t.equal(deployment().spec.template.spec?.containers[0]?.image, 'app:1');
  t.equal(deployment().spec.template.metadata?.labels?.['pod-template-hash'], undefined);
  t.same(sets(), [
    ['2', 0],
    ['3', 5],
  ]);
});

t.test(
  'scaled in the middle: new pods are of the stable revision, and are changed in their turn',
  async (t) => {
    const { cluster, fleet, behaviour, sets } = await begin(t, 2, 2);
    behaviour.takes = (pod) => (podUpdateOf(pod)?.step === 'apply' ? 'nothing' : 'accept');
    await fleet.setImage('app:2');
    await cluster.until('the canary is asked', () =>
      fleet.pods('app:2').some((pod) => podUpdateOf(pod)?.step === 'apply'),
    );
    await fleet.changeApp((app) => Object.assign(app.spec, { replicas: 4 }));
    await cluster.until('there are two more', () => fleet.running('app:1') === 4);
    await fleet.changeApp((app) => Object.assign(app.spec, { replicas: 3 }));
    await cluster.until('one goes again', () => fleet.running('app:1') === 3);
    await cluster.until('its size is known', () => `${sets()}` === '1,3,2,0');
    behaviour.takes = () => 'accept';
    await fleet.lookAgain('app:2');
    await fleet.untilPhase('deploy-app-2', 'Succeeded');
    await cluster.until(
      'all are changed',
      () => fleet.running('app:1') === 0 && fleet.running('app:2') === 3,
    );
  },
);

t.test('a pod that comes to a device that has the new revision is changed at once', async (t) => {
  const { cluster, fleet } = await begin(t, 1, 1, { waves: [{ name: 'canary', limit: 1, bake: '1h' }] });
  await fleet.setImage('app:2');
  await cluster.until('the canary has it', () => fleet.running('app:1') === 0);
  await fleet.changeApp((app) => Object.assign(app.spec, { replicas: 3 }));
  await cluster.until(
    'so have the others',
    () => fleet.running('app:2') === 3 && fleet.running('app:1') === 0,
  );
  t.match(fleet.rollout('deploy-app-2').status, { phase: 'Baking', wave: 'canary' });
});

t.test('a pod that goes comes again, somewhere; a place that is gone needs no candidate', async (t) => {
  const { cluster, fleet, behaviour } = await begin(t, 3, 3);
  behaviour.takes = (pod) => (podUpdateOf(pod)?.step === 'apply' ? 'nothing' : 'accept');
  await fleet.setImage('app:2');
  await cluster.until('the canary is asked', () => fleet.running('app:2') === 1);
  const [candidate] = fleet.pods('app:2');
  const replaced = fleet.pods('app:1').find(({ spec }) => spec.nodeName === candidate?.spec.nodeName);
  await cluster.registry.delete(pods, 'default', replaced?.metadata.name ?? '', { gracePeriodSeconds: 0 });
  await cluster.until(
    'the candidate is gone',
    () => !fleet.pods('app:2').some((pod) => pod.metadata.uid === candidate?.metadata.uid),
  );
  await cluster.until('there are three again', () => fleet.running('app:1') === 3);
  t.ok(fleet.pods('app:1').every((pod) => pod.metadata.uid !== replaced?.metadata.uid));
});

t.test(
  'a newer revision takes the place of one on its way; without the policy Kubernetes goes on',
  async (t) => {
    const { cluster, fleet, behaviour, sets } = await begin(t, 2, 4);
    behaviour.takes = (pod) => (pod.spec.containers[0]?.image === 'app:2' ? 'nothing' : 'accept');
    await fleet.setImage('app:2');
    await cluster.until('the canary is asked', () => fleet.running('app:2') > 0);
    await fleet.setImage('app:3');
    await fleet.untilPhase('deploy-app-2', 'Superseded');
    await fleet.untilPhase('deploy-app-3', 'Succeeded');
    await cluster.until(
      'all run it',
      () => fleet.running('app:3') === 4 && fleet.pods('app:1').length + fleet.pods('app:2').length === 0,
    );
    const rows = cluster
      .list<DeviceUpdateObject>(deviceUpdates, 'default')
      .map(({ metadata }) => metadata.name);
    t.same(rows.sort(), ['deploy-app.n0', 'deploy-app.n1']);
    await fleet.changeApp((app) => {
      app.metadata.annotations = {};
    });
    await fleet.setImage('app:4');
    await cluster.until(
      'it rolls as Deployments do',
      () => fleet.running('app:4') === 4 && fleet.running('app:3') === 0,
    );
    t.same(sets().at(-1), ['4', 4]);
  },
);

t.test('kubectl rollout pause pauses it, and resume lets it go on', async (t) => {
  const { cluster, fleet, behaviour } = await begin(t, 3, 3);
  behaviour.takes = ({ spec }) => (spec.containers[0]?.image === 'app:2' ? 'nothing' : 'accept');
  await fleet.setImage('app:2');
  await fleet.untilPhase('deploy-app-2', 'Progressing');
  const pause = (paused: boolean) =>
    fleet.changeApp(({ spec }) => {
      Object.assign(spec, { paused });
    });
  await pause(true);
  const { status } = await fleet.untilPhase('deploy-app-2', 'Paused');
  t.match(status, { message: 'the workload is paused: kubectl rollout resume' });
  behaviour.takes = () => 'accept';
  await fleet.act('deploy-app-2', { type: 'resume' });
  await cluster.until('it was heard', () => fleet.rollout('deploy-app-2').status?.observedActions === 1);
  t.equal(fleet.rollout('deploy-app-2').status?.phase, 'Paused', 'the Deployment still is');
  await pause(false);
  await fleet.untilPhase('deploy-app-2', 'Progressing');
});
