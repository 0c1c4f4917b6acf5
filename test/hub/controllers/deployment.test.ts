import t, { type Test } from 'tap';
import { isReady } from '../../../hub/resources/pod-state.ts';
import { deployments, events, pods, replicaSets } from '../../../hub/resources/table-of-resources.ts';
import type { DeploymentObject, PodObject, ReplicaSetObject } from '../../../hub/resources/typed.ts';
import { Cluster, deployment, template } from './cluster.ts';

const REVISION = 'deployment.kubernetes.io/revision';

const condition = (object: DeploymentObject, type: string) =>
  object.status?.conditions?.find((each) => each.type === type);

/** As `kubectl rollout status` decides it. */
function isRolledOut({ metadata, spec, status = {} }: DeploymentObject): boolean {
  const { replicas = 1 } = spec;
  const { updatedReplicas = 0, availableReplicas = 0 } = status;
  return (
    (status.observedGeneration ?? 0) >= (metadata.generation ?? 0) &&
    updatedReplicas >= replicas &&
    (status.replicas ?? 0) <= updatedReplicas &&
    availableReplicas >= updatedReplicas
  );
}

const web = (cluster: Cluster) => cluster.get<DeploymentObject>(deployments, 'web');
const rolledOut = (cluster: Cluster) =>
  cluster.until(
    'the rollout is complete',
    () =>
      isRolledOut(web(cluster)) &&
      condition(web(cluster), 'Progressing')?.reason === 'NewReplicaSetAvailable',
  );
const setImage = (cluster: Cluster, image: string) =>
  cluster.change(deployments, 'web', (object) => {
    (object as DeploymentObject).spec.template = template('web', image) as never;
  });
const imageOf = ({ spec }: PodObject) => spec.containers[0]?.image;

async function startWeb(t: Test, spec: object): Promise<Cluster> {
  const cluster = await Cluster.start(t);
  await cluster.addNode('n1');
  t.teardown(cluster.runAgents());
  await cluster.create(deployments, deployment('web', spec));
  await rolledOut(cluster);
  return cluster;
}

t.test('a Deployment becomes ReplicaSet, pods, and a complete rollout', async (t) => {
  const cluster = await startWeb(t, { replicas: 3 });
  const [set, ...others] = cluster.list<ReplicaSetObject>(replicaSets);
  t.same(others, []);
  const hash = set?.metadata.labels?.['pod-template-hash'];
  t.match(hash, /^[bcdfghjklmnpqrstvwxz2456789]{10}$/);
  t.equal(set?.metadata.name, `web-${hash}`);
  t.same(set?.spec.selector?.matchLabels, { app: 'web', 'pod-template-hash': hash });
  t.match(set?.metadata.annotations, {
    [REVISION]: '1',
    'deployment.kubernetes.io/desired-replicas': '3',
    'deployment.kubernetes.io/max-replicas': '4',
  });
  for (const pod of cluster.list<PodObject>(pods)) {
    t.match(pod.metadata.name, new RegExp(`^web-${hash}-[bcdfghjklmnpqrstvwxz2456789]{5}$`));
    t.match(pod.metadata.ownerReferences, [
      { kind: 'ReplicaSet', controller: true, blockOwnerDeletion: true },
    ]);
  }
  const { metadata, status } = web(cluster);
  t.equal(metadata.annotations?.[REVISION], '1');
  t.match(status, { replicas: 3, updatedReplicas: 3, readyReplicas: 3, availableReplicas: 3 });
  t.equal(status?.unavailableReplicas, undefined);
  t.match(condition(web(cluster), 'Available'), { status: 'True', reason: 'MinimumReplicasAvailable' });
  await cluster.until('the events are there', () => {
    const reasons = cluster.list(events).map((event) => event['reason']);
    return ['ScalingReplicaSet', 'SuccessfulCreate', 'Scheduled'].every((each) => reasons.includes(each));
  });
});

t.test(
  'a rolling update never has fewer or more pods than allowed, and keeps the old ReplicaSet',
  async (t) => {
    const strategy = { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 1 } };
    const cluster = await startWeb(t, { replicas: 5, strategy });
    let least = 5;
    let most = 5;
    t.teardown(
      cluster.registry.watch(pods, {}, () => {
        const live = cluster.list<PodObject>(pods).filter(({ metadata }) => !metadata.deletionTimestamp);
        least = Math.min(least, live.filter(isReady).length);
        most = Math.max(most, live.length);
      }),
    );
    await setImage(cluster, 'busybox:2');
    await rolledOut(cluster);
    await cluster.until('the old pods are gone', () => cluster.list(pods).length === 5);
    t.same([...new Set(cluster.list<PodObject>(pods).map(imageOf))], ['busybox:2']);
    t.ok(least >= 4, `never fewer than 4 ready, was ${least}`);
    t.ok(most <= 6, `never more than 6, was ${most}`);
    const sets = cluster.list<ReplicaSetObject>(replicaSets);
    t.same(sets.map(({ spec, metadata }) => [spec.replicas, metadata.annotations?.[REVISION]]).sort(), [
      [0, '1'],
      [5, '2'],
    ]);
    t.equal(web(cluster).metadata.annotations?.[REVISION], '2');
  },
);

t.test(
  'a rollout whose pods never become ready stops where availability ends, and passes its deadline',
  async (t) => {
    const cluster = await Cluster.start(t);
    await cluster.addNode('n1');
    t.teardown(cluster.runAgents((pod) => imageOf(pod) !== 'broken:1'));
    await cluster.create(deployments, deployment('web', { replicas: 4, progressDeadlineSeconds: 1 }));
    await rolledOut(cluster);
    await setImage(cluster, 'broken:1');
    await cluster.until(
      'the deadline has passed',
      () => condition(web(cluster), 'Progressing')?.reason === 'ProgressDeadlineExceeded',
    );
    t.match(condition(web(cluster), 'Progressing'), {
      status: 'False',
      message: /ReplicaSet "web-.*" has timed out progressing/,
    });
    t.equal(web(cluster).status?.availableReplicas, 3, '25% of 4 may be unavailable');
    t.match(condition(web(cluster), 'Available'), { status: 'True' });

    await setImage(cluster, 'busybox:1');
    await rolledOut(cluster);
    t.equal(
      web(cluster).metadata.annotations?.[REVISION],
      '3',
      'undone: the first template is the third revision',
    );
    const kept = cluster.list<ReplicaSetObject>(replicaSets).find(({ spec }) => spec.replicas === 4);
    t.match(kept?.metadata.annotations, {
      [REVISION]: '3',
      'deployment.kubernetes.io/revision-history': '1',
    });
  },
);

t.test('Recreate starts no new pod before the last old one is gone', async (t) => {
  const cluster = await startWeb(t, { replicas: 3, strategy: { type: 'Recreate' } });
  let mixed = 0;
  t.teardown(
    cluster.registry.watch(pods, {}, () => {
      if (new Set(cluster.list<PodObject>(pods).map(imageOf)).size > 1) mixed += 1;
    }),
  );
  await setImage(cluster, 'busybox:2');
  await rolledOut(cluster);
  t.equal(mixed, 0);
  t.same(cluster.list<PodObject>(pods).map(imageOf), ['busybox:2', 'busybox:2', 'busybox:2']);
});

t.test('Recreate waits for devices that take their time to end pods', async (t) => {
  const cluster = await Cluster.start(t);
  await cluster.addNode('n1');
  const stopAgents = cluster.runAgents();
  await cluster.create(deployments, deployment('web', { replicas: 2, strategy: { type: 'Recreate' } }));
  await rolledOut(cluster);
  stopAgents();
  await setImage(cluster, 'busybox:2');
  await cluster.until('no pod counts any more', () => {
    const { status, metadata } = web(cluster);
    return status?.observedGeneration === metadata.generation && status?.replicas === undefined;
  });
  t.same(cluster.list<PodObject>(pods).map(imageOf), ['busybox:1', 'busybox:1'], 'they are ending');
  for (const { metadata } of cluster.list(pods))
    await cluster.registry.delete(pods, 'default', metadata.name ?? '', { gracePeriodSeconds: 0 });
  await cluster.until('the new ones are there', () => cluster.list(pods).length === 2);
  t.same(cluster.list<PodObject>(pods).map(imageOf), ['busybox:2', 'busybox:2']);
});

t.test('a paused Deployment scales, but rolls nothing out until it is resumed', async (t) => {
  const cluster = await startWeb(t, { replicas: 2 });
  await cluster.change(deployments, 'web', (object) => {
    (object as DeploymentObject).spec.paused = true;
  });
  await setImage(cluster, 'busybox:2');
  await cluster.change(deployments, 'web', (object) => {
    (object as DeploymentObject).spec.replicas = 4;
  });
  await cluster.until('it is scaled', () => web(cluster).status?.availableReplicas === 4);
  t.equal(cluster.list(replicaSets).length, 1);
  t.match(condition(web(cluster), 'Progressing'), { status: 'Unknown', reason: 'DeploymentPaused' });
  await cluster.change(deployments, 'web', (object) => {
    (object as DeploymentObject).spec.paused = false;
  });
  await rolledOut(cluster);
  t.equal(cluster.list(replicaSets).length, 2);
});

t.test('no more old ReplicaSets are kept than the history allows', async (t) => {
  const cluster = await startWeb(t, { replicas: 1, revisionHistoryLimit: 2 });
  for (const version of [2, 3, 4, 5]) {
    await setImage(cluster, `busybox:${version}`);
    await rolledOut(cluster);
  }
  await cluster.until('the oldest are gone', () => cluster.list(replicaSets).length === 3);
  const revisions = cluster.list(replicaSets).map(({ metadata }) => metadata.annotations?.[REVISION]);
  t.same(revisions.sort(), ['3', '4', '5']);
});

t.test('annotations are inherited, those of kubectl and of the record are not', async (t) => {
  const cluster = await startWeb(t, { replicas: 1 });
  await cluster.change(deployments, 'web', ({ metadata }) => {
    metadata.annotations = {
      ...metadata.annotations,
      team: 'a',
      'kubectl.kubernetes.io/last-applied-configuration': '{}',
    };
  });
  const annotations = () => cluster.list(replicaSets)[0]?.metadata.annotations ?? {};
  await cluster.until('the annotation is there', () => annotations()['team'] === 'a');
  t.notOk('kubectl.kubernetes.io/last-applied-configuration' in annotations());
});

t.test('a ReplicaSet that has the name but another template is stepped aside from', async (t) => {
  const cluster = await Cluster.start(t);
  const spec = { replicas: 1, paused: true };
  const { metadata } = await cluster.create(deployments, deployment('web', spec));
  const { newReplicaSet } = await import('../../../hub/controllers/deployment/replica-sets.ts');
  const owner = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    name: 'web',
    uid: metadata.uid ?? '',
    controller: true,
  };
  const squatter = newReplicaSet(web(cluster), owner, { replicas: 0, annotations: {} }) as ReplicaSetObject;
  await cluster.create(replicaSets, {
    ...squatter,
    spec: {
      ...squatter.spec,
      template: { ...template('web', 'other:1'), metadata: squatter.spec.template?.metadata },
    },
  });
  await cluster.change(deployments, 'web', (object) => {
    (object as DeploymentObject).spec.paused = false;
  });
  await cluster.until('there is another one', () => cluster.list(replicaSets).length === 2);
  await cluster.until('the collision is counted', () => web(cluster).status?.collisionCount === 1);
});
