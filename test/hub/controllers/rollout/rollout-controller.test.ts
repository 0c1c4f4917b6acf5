import t, { type Test } from 'tap';
import { rollouts } from '../../../../hub/fleet/rollout.ts';
import { controllerRevisions, daemonSets } from '../../../../hub/resources/table-of-resources.ts';
import type { DaemonSetObject } from '../../../../hub/resources/typed.ts';
import { podUpdateOf } from '../../../../proto/pod-update.ts';
import { Cluster } from '../cluster.ts';
import { FleetCluster } from './fleet-cluster.ts';

const CANARY = { waves: [{ name: 'canary', limit: 2 }] };

async function begin(test: Test, count: number, policy: object) {
  const cluster = await Cluster.start(test);
  const fleet = new FleetCluster(cluster);
  const behaviour: { takes: Parameters<typeof fleet.runAgents>[0] } = { takes: () => 'accept' };
  test.teardown(fleet.runAgents((pod) => behaviour.takes?.(pod) ?? 'accept'));
  await fleet.begin(count, policy);
  return { cluster, fleet, behaviour };
}

t.test(
  'a change goes by waves; what is left of it is one pod of the new revision on each node',
  async (t) => {
    const { cluster, fleet } = await begin(t, 6, CANARY);
    t.equal(cluster.list(rollouts).length, 0, 'the first revision needs none');
    await fleet.setImage('app:2');
    const { status, spec } = await fleet.untilPhase('app-2', 'Succeeded');
    t.match(spec, { from: { number: 1 }, to: { number: 2 }, type: 'change', policyName: 'careful' });
    t.match(status?.waves, [
      { name: 'canary', succeeded: 2 },
      { name: 'rest', succeeded: 4 },
    ]);
    await cluster.until('the old pods are gone', () => fleet.running('app:1') === 0);
    t.equal(fleet.running('app:2'), 6);
    const set = () => cluster.get<DaemonSetObject>(daemonSets, 'app').status;
    await cluster.until('the DaemonSet says so', () => set()?.updatedNumberScheduled === 6);
    t.match(fleet.row('n3').spec, { rollout: 'app-2', step: 'Succeeded', class: 'reachable' });
    t.equal(cluster.list(controllerRevisions).length, 2);
  },
);

t.test(
  'a bad revision: stopped in the canary, then undone by hand; a next one is another rollout',
  async (t) => {
    const { cluster, fleet, behaviour } = await begin(t, 6, CANARY);
    behaviour.takes = (pod) => (pod.spec.containers[0]?.image === 'app:2' ? 'reject' : 'accept');
    await fleet.setImage('app:2');
    const { status } = await fleet.untilPhase('app-2', 'Paused');
    t.match(status, { failed: 2, message: /^gate health/ });
    await cluster.until('what was rejected is gone', () => fleet.running('app:2') === 0);
    t.equal(fleet.running('app:1'), 6, 'nobody lost what ran');
    await fleet.act('app-2', { type: 'undo', reason: 'no good' });
    await fleet.untilPhase('app-2', 'Undone');
    const back = await fleet.untilPhase('app-3', 'Succeeded');
    t.match(back.spec, { type: 'undo', to: { number: 3 } });
    t.equal(fleet.running('app:1'), 6, 'the same pods: nothing was restarted');
    t.ok(fleet.pods('app:1').every((pod) => podUpdateOf(pod) === undefined));
    await fleet.setImage('app:4');
    const next = await fleet.untilPhase('app-4', 'Succeeded');
    t.match(next.spec, { type: 'change', from: { number: 3 } });
    await cluster.until('it runs', () => fleet.running('app:4') === 6);
  },
);

t.test('undone by the policy, also devices that had taken it go back, without waves', async (t) => {
  const policy = {
    waves: [
      { name: 'canary', limit: 3 },
      { name: 'pilot', limit: 2 },
    ],
    onFail: 'undo',
  };
  const { cluster, fleet, behaviour } = await begin(t, 8, policy);
  let asked = 0;
  const bad = new Set<string>();
  behaviour.takes = (pod) => {
    if (pod.spec.containers[0]?.image !== 'app:2' || podUpdateOf(pod)?.step !== 'apply') return 'accept';
    if (!bad.has(pod.metadata.uid ?? '') && asked < 3) asked += 1;
    else bad.add(pod.metadata.uid ?? '');
    return bad.has(pod.metadata.uid ?? '') ? 'reject' : 'accept';
  };
  await fleet.setImage('app:2');
  await fleet.untilPhase('app-2', 'Undone');
  const { spec } = await fleet.untilPhase('app-3', 'Succeeded');
  t.equal(spec.type, 'undo');
  await cluster.until('all are back', () => fleet.running('app:1') === 8 && fleet.running('app:2') === 0);
  t.match(cluster.get<DaemonSetObject>(daemonSets, 'app').spec.template.spec?.containers[0], {
    image: 'app:1',
  });
});

t.test('a newer revision takes the place of one that is on its way', async (t) => {
  const { cluster, fleet, behaviour } = await begin(t, 6, CANARY);
  behaviour.takes = (pod) => (pod.spec.containers[0]?.image === 'app:2' ? 'nothing' : 'accept');
  await fleet.setImage('app:2');
  await cluster.until('the canary is asked', () => fleet.running('app:2') === 2);
  await fleet.setImage('app:3');
  await fleet.untilPhase('app-2', 'Superseded');
  const { spec } = await fleet.untilPhase('app-3', 'Succeeded');
  t.match(spec.from, { number: 1 }, 'what was never stable is nothing to go back to');
  await cluster.until(
    'nothing of before is left',
    () => fleet.running('app:1') + fleet.running('app:2') === 0,
  );
  t.equal(fleet.running('app:3'), 6);
});

t.test('dark devices are left alone, and catch up to the newest, not to what came between', async (t) => {
  const { cluster, fleet } = await begin(t, 5, { waves: [{ name: 'canary', limit: 1 }] });
  await fleet.setReady('n0', 'Unknown');
  await fleet.setImage('app:2');
  t.match((await fleet.untilPhase('app-2', 'Succeeded')).status, { succeeded: 4, dark: 1 });
  await fleet.setImage('app:3');
  t.match((await fleet.untilPhase('app-3', 'Succeeded')).status, { succeeded: 4, dark: 1 });
  t.equal(fleet.running('app:1'), 1);
  t.match(fleet.row('n0').spec, { class: 'dark', step: 'Waiting' });
  await fleet.setReady('n0', 'True');
  await cluster.until('it has caught up', () => fleet.running('app:3') === 5 && fleet.running('app:1') === 0);
  t.equal(fleet.running('app:2'), 0);
});

t.test(
  'a node that joins in the middle begins with the stable revision, and gets the new one in its turn',
  async (t) => {
    const { cluster, fleet } = await begin(t, 3, {
      waves: [{ name: 'canary', limit: 1, approve: 'manual' }],
    });
    await fleet.setImage('app:2');
    await fleet.untilPhase('app-2', 'AwaitingApproval');
    await cluster.addNode('late');
    await cluster.until('it runs the stable one', () =>
      fleet.pods('app:1').some(({ spec }) => spec.nodeName === 'late'),
    );
    await fleet.act('app-2', { type: 'approve' });
    await fleet.untilPhase('app-2', 'Succeeded');
    await cluster.until('all run the new one', () => fleet.running('app:2') === 4);
    await cluster.addNode('later');
    await cluster.until('who joins afterwards begins with it', () => fleet.running('app:2') === 5);
  },
);

t.test('without its policy nothing moves; with it, it does', async (t) => {
  const { cluster, fleet } = await begin(t, 2, CANARY);
  await cluster.change(daemonSets, 'app', ({ metadata }) => {
    metadata.annotations = { 'fleet.holdfast.dev/rollout-policy': 'missing' };
  });
  await fleet.setImage('app:2');
  await cluster.until('the revision is recorded', () => cluster.list(controllerRevisions).length === 2);
  t.equal(fleet.running('app:2'), 0);
  await cluster.change(daemonSets, 'app', ({ metadata }) => {
    metadata.annotations = { 'fleet.holdfast.dev/rollout-policy': 'careful' };
  });
  await fleet.untilPhase('app-2', 'Succeeded');
});

t.test('a policy that is taken away: Kubernetes own way takes over', async (t) => {
  const { cluster, fleet } = await begin(t, 3, { waves: [{ name: 'canary', limit: 1, approve: 'manual' }] });
  await fleet.setImage('app:2');
  await fleet.untilPhase('app-2', 'AwaitingApproval');
  await cluster.change(daemonSets, 'app', ({ metadata }) => {
    metadata.annotations = {};
  });
  await fleet.untilPhase('app-2', 'Superseded');
  await cluster.until(
    'all run the new one',
    () => fleet.running('app:2') === 3 && fleet.running('app:1') === 0,
  );
});

t.test('a policy that comes back takes up what was left', async (t) => {
  const { cluster, fleet, behaviour } = await begin(t, 3, {
    waves: [{ name: 'canary', limit: 1, approve: 'manual' }],
  });
  await fleet.setImage('app:2');
  await fleet.untilPhase('app-2', 'AwaitingApproval');
  behaviour.takes = () => 'nothing'; // so that Kubernetes' own way comes to no end
  const refer = (annotations: Record<string, string>) =>
    cluster.change(daemonSets, 'app', ({ metadata }) => {
      metadata.annotations = annotations;
    });
  await refer({});
  await fleet.untilPhase('app-2', 'Superseded');
  behaviour.takes = () => 'accept';
  await refer({ 'fleet.holdfast.dev/rollout-policy': 'careful' });
  await fleet.untilPhase('app-2', 'AwaitingApproval');
  await fleet.lookAgain('app:2'); // what Kubernetes' own way made counts when it is ready
  await fleet.act('app-2', { type: 'approve' });
  const { status } = await fleet.untilPhase('app-2', 'Succeeded');
  t.match(status, { succeeded: 3, message: '' });
  const reasons = status?.transitions?.map(({ reason }) => reason) ?? [];
  t.ok(reasons.indexOf('PolicyReturned') > reasons.indexOf('PolicyRemoved'), 'it is on record');
  await cluster.until('all run it', () => fleet.running('app:2') === 3 && fleet.running('app:1') === 0);
});

t.test('a rollout counts the devices of its own template, not of a newer one', async (t) => {
  const { cluster, fleet, behaviour } = await begin(t, 6, CANARY);
  const onSite0 = ['n0', 'n2', 'n4'];
  behaviour.takes = ({ spec }) =>
    spec.containers[0]?.image !== 'app:2' || onSite0.includes(spec.nodeName ?? '') ? 'accept' : 'nothing';
  await fleet.setImage('app:2');
  await fleet.untilPhase('app-2', 'Progressing');
  await fleet.act('app-2', { type: 'skip-wave' });
  await cluster.until('three have it', () => fleet.rollout('app-2').status?.succeeded === 3);
  // No rollout takes its place as long as this policy is not there.
  await cluster.change(daemonSets, 'app', (object) => {
    const set = object as DaemonSetObject;
    set.metadata.annotations = { 'fleet.holdfast.dev/rollout-policy': 'missing' };
    Object.assign(set.spec.template.spec ?? {}, { nodeSelector: { site: 's0' } });
  });
  await cluster.until('the revision is recorded', () => cluster.list(controllerRevisions).length === 3);
  await cluster.change(daemonSets, 'app', ({ metadata }) => {
    metadata.annotations = { 'fleet.holdfast.dev/rollout-policy': 'careful' };
  });
  t.match((await fleet.untilPhase('app-2', 'Superseded')).status, { devices: 6, succeeded: 3 });
  t.notOk(fleet.rollout('app-2').status?.transitions?.some(({ phase }) => phase === 'Succeeded'));
  t.match((await fleet.untilPhase('app-3', 'Succeeded')).spec.from, { number: 1 });
});
