import t from 'tap';
import { planDeployment, planDeploymentStatus } from '../../../hub/controllers/deployment/deployment-plan.ts';
import { sortGenerations } from '../../../hub/controllers/deployment/replica-sets.ts';
import { canonicalJson, stableHash } from '../../../hub/controllers/stable-hash.ts';
import type { DeploymentObject, ReplicaSetObject } from '../../../hub/resources/typed.ts';
import { template } from './cluster.ts';

const NOW = Date.parse('2026-01-01T01:00:00Z');
const at = (secondsAgo: number) => new Date(NOW - secondsAgo * 1000).toISOString().replace('.000', '');

interface Progress {
  readonly reason: string;
  readonly secondsAgo?: number;
  readonly status?: string;
}

function deploymentOf(spec: object, counts: object = {}, progress?: Progress): DeploymentObject {
  const lastUpdateTime = at(progress?.secondsAgo ?? 0);
  const condition = {
    type: 'Progressing',
    status: 'True',
    lastUpdateTime,
    lastTransitionTime: at(999),
    ...progress,
  };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', generation: 7, annotations: { 'deployment.kubernetes.io/revision': '2' } },
    spec: {
      replicas: 3,
      progressDeadlineSeconds: 60,
      selector: {},
      template: template('web', 'new') as never,
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      ...spec,
    },
    status: { ...counts, ...(progress && { conditions: [condition] }) },
  };
}

function setOf(image: string, replicas: number, available: number, revision: number): ReplicaSetObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: `web-${image}`,
      creationTimestamp: at(100 - revision),
      annotations: { 'deployment.kubernetes.io/revision': `${revision}` },
    },
    spec: { replicas, selector: {}, template: template('web', image) as never },
    status: { replicas, readyReplicas: available, availableReplicas: available },
  };
}

function progressOf(deployment: DeploymentObject, sets: ReplicaSetObject[], created?: ReplicaSetObject) {
  const generations = sortGenerations(deployment, sets);
  const { status, wakeInMs } = planDeploymentStatus(deployment, generations, { created, nowMs: NOW });
  const condition = status.conditions?.find(({ type }) => type === 'Progressing');
  return { status, wakeInMs, condition, text: condition && `${condition.status} ${condition.reason}` };
}

const going = { reason: 'ReplicaSetUpdated', secondsAgo: 30 };

t.test('progress is told as Kubernetes tells it', async (t) => {
  const fresh = setOf('new', 3, 0, 2);
  const same = { replicas: 3, updatedReplicas: 3 };
  const cases: [string, DeploymentObject, ReplicaSetObject[], string, ReplicaSetObject?][] = [
    ['a new ReplicaSet', deploymentOf({}), [], 'True NewReplicaSetCreated', fresh],
    ['one that was there', deploymentOf({}), [fresh], 'True FoundNewReplicaSet'],
    ['more updated pods', deploymentOf({}, {}, going), [fresh], 'True ReplicaSetUpdated'],
    ['complete', deploymentOf({}, same, going), [setOf('new', 3, 3, 2)], 'True NewReplicaSetAvailable'],
    [
      'not complete with old pods',
      deploymentOf({}, { ...same, replicas: 4, readyReplicas: 4, availableReplicas: 4 }, going),
      [setOf('new', 3, 3, 2), setOf('old', 1, 1, 1)],
      'True ReplicaSetUpdated',
    ],
    [
      'too late',
      deploymentOf({}, same, { ...going, secondsAgo: 60 }),
      [fresh],
      'False ProgressDeadlineExceeded',
    ],
    [
      'complete long ago, and now a pod is down',
      deploymentOf({}, same, { reason: 'NewReplicaSetAvailable', secondsAgo: 999 }),
      [fresh],
      'True NewReplicaSetAvailable',
    ],
    ['paused', deploymentOf({ paused: true }, same, going), [fresh], 'Unknown DeploymentPaused'],
    [
      'resumed',
      deploymentOf({}, same, { reason: 'DeploymentPaused', status: 'Unknown' }),
      [fresh],
      'Unknown DeploymentResumed',
    ],
  ];
  for (const [name, deployment, sets, expected, created] of cases)
    t.equal(progressOf(deployment, sets, created).text, expected, name);
  t.equal(
    progressOf(deploymentOf({ progressDeadlineSeconds: 2 ** 31 - 1 }), [fresh]).text,
    undefined,
    'no deadline',
  );
});

t.test('it looks again when the deadline ends, and not otherwise', async (t) => {
  const waiting = deploymentOf({}, { replicas: 3, updatedReplicas: 3 }, going);
  t.equal(progressOf(waiting, [setOf('new', 3, 0, 2)]).wakeInMs, 30_000);
  t.equal(progressOf(waiting, [setOf('new', 3, 3, 2)]).wakeInMs, undefined, 'complete');
});

t.test('the status counts all ReplicaSets, zeros are left out', async (t) => {
  const { status } = progressOf(deploymentOf({}), [setOf('new', 1, 0, 2), setOf('old', 3, 3, 1)]);
  const { conditions, ...counts } = status;
  t.same(counts, {
    observedGeneration: 7,
    replicas: 4,
    updatedReplicas: 1,
    readyReplicas: 3,
    availableReplicas: 3,
    unavailableReplicas: 1,
  });
  t.match(conditions, [{ type: 'Available', status: 'True', reason: 'MinimumReplicasAvailable' }]);
  const { status: none } = progressOf(deploymentOf({}), []);
  t.match(none.conditions, [{ type: 'Available', status: 'False', reason: 'MinimumReplicasUnavailable' }]);
  t.notOk('replicas' in none);
});

t.test('a condition that says the same keeps its times', async (t) => {
  const deployment = deploymentOf(
    {},
    { replicas: 3, updatedReplicas: 3 },
    { ...going, reason: 'NewReplicaSetAvailable' },
  );
  const { condition } = progressOf(deployment, [setOf('new', 3, 3, 2)]);
  t.match(condition, { lastUpdateTime: at(30), lastTransitionTime: at(999) });
});

t.test('revisions: the next number, and an old template that is current again', async (t) => {
  const planOf = (deployment: DeploymentObject, sets: ReplicaSetObject[]) =>
    planDeployment(deployment, sortGenerations(deployment, sets), false);
  const first = planOf(deploymentOf({}), [setOf('old', 3, 3, 2)]);
  t.match(first.create, { replicas: 1, annotations: { 'deployment.kubernetes.io/revision': '3' } });
  t.equal(first.revision, 3);
  const undone = planOf(deploymentOf({}), [setOf('new', 0, 0, 1), setOf('old', 3, 3, 2)]);
  t.equal(undone.create, undefined);
  t.equal(undone.revision, 3);
  t.match(undone.updates, [
    {
      set: { metadata: { name: 'web-new' } },
      replicas: 1,
      annotations: {
        'deployment.kubernetes.io/revision': '3',
        'deployment.kubernetes.io/revision-history': '1',
      },
    },
  ]);
  const ending = deploymentOf({});
  ending.metadata.deletionTimestamp = at(0);
  t.same(planOf(ending, [setOf('old', 3, 3, 2)]), {
    create: undefined,
    updates: [],
    remove: [],
    revision: undefined,
  });
});

t.test('the hash is of the content, not of the order of keys', async (t) => {
  t.equal(canonicalJson({ b: [{ d: 1, c: 2 }], a: 1 }), '{"a":1,"b":[{"c":2,"d":1}]}');
  t.equal(stableHash({ a: 1, b: 2 }), stableHash({ b: 2, a: 1 }));
  t.not(stableHash({ a: 1 }), stableHash({ a: 2 }));
  t.not(stableHash({ a: 1 }), stableHash({ a: 1 }, 1), 'a collision makes another one');
});
