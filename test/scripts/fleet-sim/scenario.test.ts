import t from 'tap';
import { drawFrom, within } from '../../../scripts/fleet-sim/draw.ts';
import { parseScenario } from '../../../scripts/fleet-sim/read-scenario.ts';
import { type DevicePlan, matches, planFleet, type Scenario } from '../../../scripts/fleet-sim/scenario.ts';
import { type Step, stepsOf } from '../../../scripts/fleet-sim/timeline.ts';

const SCENARIO: Scenario = {
  all: { startMs: [10, 50] },
  labels: {
    site: { prefix: 'site-', count: 4 },
    ring: { weights: { canary: 1, broad: 9 } },
  },
  groups: [
    { name: 'slow', share: 0.1, bytesPerSecond: [1e5, 1e6], labels: { line: 'mobile' } },
    { name: 'flaky', count: 7, flapping: { connectedMs: [100, 200], disconnectedMs: 50 } },
    { name: 'first', devices: [0, 2], startMs: 1 },
  ],
};

/** All that chance has a part in. */
const chosen = (plans: readonly DevicePlan[]) =>
  plans.map(({ labels, groups, behaviour, draw }) => ({
    labels,
    groups,
    start: within(behaviour.startMs ?? 0, draw('start', 'app:1', 0)),
    steps: take(stepsOf(behaviour, draw), 4),
  }));

function take(steps: Generator<Step>, count: number): Step[] {
  const taken: Step[] = [];
  for (const step of steps) {
    taken.push(step);
    if (taken.length === count) break;
  }
  return taken;
}

t.test('the same seed is the same fleet, another is another', async (t) => {
  const first = chosen(planFleet(SCENARIO, 1, 100));
  t.same(chosen(planFleet(SCENARIO, 1, 100)), first);
  t.notSame(chosen(planFleet(SCENARIO, 2, 100)), first);
});

t.test('chance does not depend on the order of questions', async (t) => {
  const [a, b] = [drawFrom('seed'), drawFrom('seed')];
  const forward = [a('pull', 1), a('pull', 2)];
  t.same([b('pull', 2), b('pull', 1)].reverse(), forward);
  t.ok(forward.every((chance) => chance >= 0 && chance < 1));
  t.equal(within(5, 0.9), 5);
  t.equal(within([10, 20], 0.5), 15);
});

t.test('groups have the size that they ask for', async (t) => {
  const plans = planFleet(SCENARIO, 'any', 200);
  const members = (name: string) => plans.filter(({ groups }) => groups.includes(name));
  t.equal(members('slow').length, 20);
  t.equal(members('flaky').length, 7);
  t.same(
    members('first').map(({ index }) => index),
    [0, 2],
  );
  t.ok(members('slow').every(({ labels }) => labels['line'] === 'mobile'));
  t.equal(plans[0]?.behaviour.startMs, 1, 'what a group says counts more than what all do');
});

t.test('labels: numbered ones are dealt out evenly, weighted ones by their weight', async (t) => {
  const plans = planFleet(SCENARIO, 3, 1000);
  const count = (key: string, value: string) => plans.filter(({ labels }) => labels[key] === value).length;
  for (const number of [0, 1, 2, 3]) t.equal(count('site', `site-${number}`), 250);
  t.ok(count('ring', 'canary') > 70 && count('ring', 'canary') < 130);
  t.equal(count('ring', 'canary') + count('ring', 'broad'), 1000);
});

t.test('what happens to a device, in order', async (t) => {
  const steps = take(
    stepsOf(
      {
        dark: [{ fromMs: 250, toMs: 400 }, { fromMs: 900 }],
        reboots: [{ atMs: 300, containers: 'ended' }],
        lost: { atMs: 1000 },
        flapping: { connectedMs: 200, disconnectedMs: 100 },
      },
      drawFrom(0),
    ),
    10,
  );
  t.same(
    steps.map(({ atMs, type, ...rest }) => [atMs, type, 'reason' in rest ? rest.reason : '']),
    [
      [200, 'cut', 'flapping'],
      [250, 'cut', 'dark'],
      [300, 'reboot', ''],
      [300, 'restore', 'flapping'],
      [400, 'restore', 'dark'],
      [500, 'cut', 'flapping'],
      [600, 'restore', 'flapping'],
      [800, 'cut', 'flapping'],
      [900, 'cut', 'dark'],
      [900, 'restore', 'flapping'],
    ],
  );
  t.same([...stepsOf({}, drawFrom(0))], []);
});

t.test('image patterns', async (t) => {
  const rows: [string, string, boolean][] = [
    ['app:1', 'app:1', true],
    ['app:1', 'app:10', false],
    ['app:*', 'app:10', true],
    ['*:bad', 'registry.local/team/app:bad', true],
    ['a.p:1', 'app:1', false],
    ['*', 'anything', true],
  ];
  for (const [pattern, image, expected] of rows)
    t.equal(matches(pattern, image), expected, `${pattern}: ${image}`);
});

t.test('a scenario with mistakes is refused with all of them', async (t) => {
  const text = JSON.stringify({
    all: { startMs: [5, 1], speed: 3 },
    groups: [{ share: 2 }, { name: 'x', reboots: [{ containers: 'lost' }] }],
    images: { a: { exit: { code: 900 } } },
    labels: { site: { prefix: 's' } },
  });
  t.throws(() => parseScenario(text), {
    message: [
      'scenario.all.startMs must be a number, or the least and the greatest',
      'scenario.all.speed is not known: dark, flapping, diskFull, bytesPerSecond, clockOffsetMs, lost, reboots, createMs, startMs, stopMs',
      'scenario.groups[0].name is missing',
      'scenario.groups[0].share must be a share from 0 to 1',
      'scenario.groups[1].reboots[0].atMs is missing',
      'scenario.groups[1].reboots[0].containers must be one of running, ended, gone',
      'scenario.images["a"].exit.afterMs is missing',
      'scenario.images["a"].exit.code must be an exit code from 0 to 255',
      'scenario.labels["site"].count is missing',
    ].join('\n'),
  });
  t.same(parseScenario(JSON.stringify(SCENARIO)), SCENARIO);
});
