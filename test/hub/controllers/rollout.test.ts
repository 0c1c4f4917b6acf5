import t from 'tap';
import { sortGenerations } from '../../../hub/controllers/deployment/replica-sets.ts';
import {
  boundsOf,
  isScaling,
  planRecreate,
  planRolling,
  planScale,
  type Sizes,
} from '../../../hub/controllers/deployment/rollout.ts';
import type { DeploymentObject, ReplicaSetObject } from '../../../hub/resources/typed.ts';
import { template } from './cluster.ts';

const DESIRED = 'deployment.kubernetes.io/desired-replicas';
const MAX = 'deployment.kubernetes.io/max-replicas';

function deploymentOf(
  replicas: number,
  maxSurge: number | string,
  maxUnavailable: number | string,
): DeploymentObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web' },
    spec: {
      replicas,
      selector: {},
      template: template('web', 'new') as never,
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } },
    },
  };
}

/** `new 3/2` has 3 replicas, 2 of them available; `old1` is older than `old2`. `of 5/7`: scaled for 5, at most 7. */
function setOf(text: string): ReplicaSetObject {
  const [, name = '', size = '0', available = '0', , desired, max] =
    /^(\w+) (\d+)\/(\d+)( of (\d+)\/(\d+))?$/.exec(text) ?? [];
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name,
      creationTimestamp: `2026-01-01T00:00:0${name.at(-1)?.match(/\d/)?.[0] ?? 9}Z`,
      annotations: { ...(desired && { [DESIRED]: desired, [MAX]: max ?? '' }) },
    },
    spec: {
      replicas: Number(size),
      selector: {},
      template: template('web', name.replace(/\d$/, '')) as never,
    },
    status: { replicas: Number(size), availableReplicas: Number(available) },
  };
}

const generationsOf = (deployment: DeploymentObject, text: string) =>
  sortGenerations(deployment, text === '' ? [] : text.split(', ').map(setOf));
const textOf = ({ current, old }: Sizes) =>
  [
    ...(current === undefined ? [] : [`new ${current}`]),
    ...[...old].map(([name, size]) => `${name} ${size}`),
  ].join(', ');

t.test('percentages: surge is rounded up, unavailability down, and never both zero', async (t) => {
  const bounds = (...args: Parameters<typeof deploymentOf>) => boundsOf(deploymentOf(...args).spec);
  t.same(bounds(10, '25%', '25%'), { maxSurge: 3, maxUnavailable: 2 });
  t.same(bounds(1, '25%', '25%'), { maxSurge: 1, maxUnavailable: 0 });
  t.same(bounds(3, 0, '25%'), { maxSurge: 0, maxUnavailable: 1 });
  t.same(bounds(2, 0, 5), { maxSurge: 0, maxUnavailable: 2 });
});

const rolling: [string, [number, number | string, number | string], string, string][] = [
  ['the first ReplicaSet gets all', [3, 1, 0], '', 'new 3'],
  [
    'a new one gets the surge, and the old one gives up what may be missing',
    [10, 3, 2],
    'old 10/10',
    'new 3, old 8',
  ],
  ['without surge only the old one can begin', [4, 0, 1], 'old 4/4', 'new 0, old 3'],
  ['what is free is taken', [4, 0, 1], 'new 0/0, old 3/3', 'new 1'],
  ['nothing goes while the new ones are not available', [10, 3, 2], 'new 5/0, old 8/8', 'new 5'],
  ['one goes for each that is', [10, 3, 2], 'new 5/3, old 8/8', 'new 5, old 5'],
  [
    'what is not available goes first, whichever is older',
    [4, 1, 1],
    'new 1/0, old1 2/2, old2 2/0',
    'new 1, old1 2, old2 1',
  ],
  ['the last old ones go when the new ones serve', [3, 1, 0], 'new 3/3, old 1/1', 'new 3, old 0'],
  ['too many new ones are taken back', [2, 1, 0], 'new 5/5', 'new 2'],
  ['scaled to zero', [0, 1, 0], 'new 3/3', 'new 0'],
];
for (const [name, numbers, sets, expected] of rolling)
  t.test(`rolling: ${name}`, async (t) => {
    const deployment = deploymentOf(...numbers);
    t.equal(textOf(planRolling(deployment, generationsOf(deployment, sets))), expected);
  });

t.test('rolling: pods that are not going yet still take room', async (t) => {
  const deployment = deploymentOf(4, 1, 1);
  const generations = generationsOf(deployment, 'new 1/1, old 3/3');
  t.equal(planRolling(deployment, generations).current, 2);
  const [old] = generations.old;
  if (old?.status) old.status.replicas = 4;
  t.equal(planRolling(deployment, generations).current, 1);
});

t.test('recreate: the old ones go, and the new ones come when nothing is left of them', async (t) => {
  const deployment = deploymentOf(3, 0, 0);
  t.equal(textOf(planRecreate(deployment, generationsOf(deployment, 'old 3/3'), true)), 'old 0');
  t.equal(textOf(planRecreate(deployment, generationsOf(deployment, 'old 0/0'), false)), 'new 3, old 0');
});

const scaling: [string, number, string, string][] = [
  ['the only set takes it', 5, 'new 3/3 of 3/4', 'new 5'],
  ['the only active set takes it, also an old one', 5, 'new 0/0 of 3/4, old 3/3 of 3/4', 'new 0, old 5'],
  ['up: in proportion', 20, 'new 5/5 of 10/13, old 8/8 of 10/13', 'new 9, old 14'],
  ['down: in proportion', 6, 'new 5/5 of 10/13, old 8/8 of 10/13', 'new 3, old 6'],
  ['to zero', 0, 'new 5/5 of 10/13, old 8/8 of 10/13', 'new 0, old 0'],
  ['when the new set is enough, the old ones go', 5, 'new 5/5 of 3/4, old 1/1 of 3/4', 'new 5, old 0'],
];
for (const [name, replicas, sets, expected] of scaling)
  t.test(`scaling: ${name}`, async (t) => {
    const deployment = deploymentOf(replicas, 3, 0);
    const generations = generationsOf(deployment, sets);
    t.ok(isScaling(deployment, generations));
    t.equal(textOf(planScale(deployment, generations)), expected);
  });

t.test('a rollout always ends, and never has too few or too many on its way', async (t) => {
  for (const numbers of [
    [10, 3, 2],
    [5, 0, 1],
    [7, '25%', '25%'],
    [1, 1, 0],
    [4, 4, 4],
  ] as const) {
    const [replicas, surge, unavailable] = numbers;
    const deployment = deploymentOf(replicas, surge, unavailable);
    const { maxSurge, maxUnavailable } = boundsOf(deployment.spec);
    let fresh = 0;
    let old: number = replicas;
    let steps = 0;
    while (fresh < replicas || old > 0) {
      const sizes = planRolling(
        deployment,
        generationsOf(deployment, `new ${fresh}/${fresh}, old ${old}/${old}`),
      );
      const next = sizes.current ?? 0;
      old = sizes.old.get('old') ?? old;
      t.ok(next + old <= replicas + maxSurge, 'not too many');
      t.ok(fresh + old >= replicas - maxUnavailable, 'not too few, while the new ones only start');
      fresh = next;
      steps += 1;
      if (steps > 50) return t.fail('it does not end');
    }
  }
  return undefined;
});
