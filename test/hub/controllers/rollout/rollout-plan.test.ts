import type { ContainerStatus } from 'kubernetes-types/core/v1.d.ts';
import t from 'tap';
import { World } from './world.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const WAVES = [
  { name: 'canary', limit: 5 },
  { name: 'pilot', limit: '25%' },
];

t.test('three waves, one after the other, all succeed', async (t) => {
  const world = new World(40, { waves: WAVES });
  world.pass();
  t.same(world.steps(), { Waiting: 35, Applying: 5 }, 'the canary alone is asked');
  world.settle();
  t.match(world.status, { phase: 'Succeeded', devices: 40, succeeded: 40, failed: 0, dark: 0 });
  t.match(world.status.waves, [
    { name: 'canary', phase: 'Done', devices: 5, succeeded: 5 },
    { name: 'pilot', phase: 'Done', devices: 10, succeeded: 10 },
    { name: 'rest', phase: 'Done', devices: 25, succeeded: 25 },
  ]);
  t.ok(world.devices.every(({ old, next }) => old === undefined && next !== undefined));
  t.same(world.reasons, [
    'Started',
    ...['WaveStarted', 'WaveDone', 'WaveStarted', 'WaveDone', 'WaveStarted', 'WaveDone'],
    'AllWavesDone',
  ]);
});

t.test('a wave takes who its selector selects, spread over a label', async (t) => {
  const world = new World(40, {
    waves: [
      { name: 'lab', selector: { matchLabels: { site: 'site-1' } } },
      { name: 'spread', limit: 6, spreadBy: ['site'], approve: 'manual' },
    ],
  });
  world.settle();
  t.equal(world.inWave('lab').length, 10);
  t.ok(world.inWave('lab').every(({ labels }) => labels['site'] === 'site-1'));
  const sites = Map.groupBy(world.inWave('spread'), ({ labels }) => labels['site']);
  t.same(
    [...sites.values()].map(({ length }) => length),
    [2, 2, 2],
    'evenly over the three that are left',
  );
});

t.test('a bad revision is stopped within the canary wave, and nobody else is touched', async (t) => {
  const world = new World(100, { waves: WAVES });
  for (const device of world.devices) device.behaviour = { takes: 'rejects' };
  world.settle();
  t.match(world.status, { phase: 'Paused', wave: 'canary', failed: 5, succeeded: 0 });
  t.match(world.status.message, /^gate health: 5 of 5 devices did not take the revision \(5 failed\)/);
  t.equal(world.touched, 5);
  t.ok(
    world.devices.every(({ old, next }) => old !== undefined && next === undefined),
    'all run what they ran',
  );
  t.match(world.inWave('canary')[0]?.row, {
    step: 'Rejected',
    reason: 'Restarts',
    message: /restarted 3 times/,
  });
});

t.test('who waits for somebody: bake, approval, promotion', async (t) => {
  const world = new World(10, {
    waves: [
      { name: 'canary', limit: 2, bake: '30m', approve: 'manual' },
      { name: 'pilot', limit: 2, bake: '1h', approve: 'manual' },
    ],
  });
  world.settle(29 * MINUTE);
  t.match(world.status, { phase: 'Baking', wave: 'canary', succeeded: 2 });
  world.settle(2 * MINUTE);
  t.match(world.status, { phase: 'AwaitingApproval', message: 'approve wave canary to go on' });
  world.settle(HOUR);
  t.equal(world.touched, 2, 'nobody else is asked before');
  world.act('approve', { reason: 'looks good' });
  world.settle();
  t.match(world.status, { phase: 'Baking', wave: 'pilot' });
  t.match(
    world.status.transitions?.find(({ reason, wave }) => reason === 'WaveDone' && wave === 'canary'),
    { by: 'ann', message: 'looks good' },
  );
  world.act('promote');
  world.settle();
  t.match(
    world.status,
    { phase: 'Succeeded', succeeded: 10 },
    'a promotion ends bake and approval of the wave',
  );
});

t.test(
  'an approval of the wave before does not approve the next; one by name does, ahead of time',
  async (t) => {
    const waves = ['a', 'b', 'c'].map((name) => ({ name, limit: 1, approve: 'manual' }));
    const world = new World(5, { waves });
    world.settle();
    world.nowMs += 1000;
    world.act('approve');
    world.settle();
    t.match(world.status, { phase: 'AwaitingApproval', wave: 'b' });
    world.act('approve', { wave: 'c' });
    world.settle();
    t.match(world.status, { phase: 'AwaitingApproval', wave: 'b' });
    world.act('approve', { wave: 'b' });
    world.settle();
    t.match(world.status, { phase: 'Succeeded' });
  },
);

t.test('promoted fully, nobody is waited for any more, but gates still hold', async (t) => {
  const waves = ['a', 'b'].map((name) => ({ name, limit: 2, approve: 'manual', bake: '1h' }));
  const world = new World(20, { waves });
  world.settle();
  world.act('promote', { full: true });
  world.settle();
  t.match(world.status, { phase: 'Succeeded', succeeded: 20 });
});

t.test('dark devices hold nobody up and are not counted; they catch up when they are back', async (t) => {
  const world = new World(40, { waves: WAVES, offline: { catchUp: { maxConcurrent: 2 } } });
  const dark = world.devices.filter((_, index) => index % 4 === 0);
  world.goDark(...dark);
  world.settle();
  t.match(world.status, { phase: 'Succeeded', devices: 40, succeeded: 30, dark: 10, failed: 0 });
  t.equal(world.inWave('canary').length, 5, 'the canary is full of devices that are there');
  t.ok(
    dark.every(({ next }) => next === undefined),
    'the dark have never been offered it',
  );
  world.settle(48 * HOUR);
  t.equal(world.status.phase, 'Succeeded', 'however long it takes');
  for (const device of dark) device.behaviour = { takes: 'stuck' };
  world.comeBack(...dark);
  world.pass();
  world.pass();
  t.equal(world.steps().Applying, 2, 'in a lane of their own');
  for (const device of dark) device.behaviour = { takes: 'accepts' };
  world.settle();
  t.match(world.status, { phase: 'Succeeded', succeeded: 40, dark: 0 });
});

t.test('a canary that is all dark decides nothing: it waits, and then for somebody', async (t) => {
  const world = new World(10, { waves: [{ name: 'canary', selector: { matchLabels: { site: 'site-0' } } }] });
  world.goDark(...world.devices.filter(({ labels }) => labels['site'] === 'site-0'));
  world.settle(5 * HOUR);
  t.match(world.status, {
    phase: 'Progressing',
    wave: 'canary',
    message: /0 of the 3 devices .* \(3 are dark\)/,
  });
  world.settle(2 * HOUR);
  t.match(world.status, { phase: 'Paused', message: /^no device has succeeded for 6h: 0 of the 3 devices/ });
  t.equal(world.touched, 0);
  world.act('skip-wave');
  world.settle();
  t.match(world.status, { phase: 'Succeeded', succeeded: 7, dark: 3 });
  t.match(world.status.waves?.[0], { phase: 'Skipped' });
});

t.test('a fleet that is all dark passes no wave, with a limit or without', async (t) => {
  const world = new World(10, { waves: [{ name: 'canary', limit: 2 }] });
  world.goDark(...world.devices);
  world.settle(HOUR);
  t.match(world.status, { phase: 'Progressing', wave: 'canary', message: /^0 of the 2 devices/ });
  world.comeBack(...world.devices);
  world.settle();
  t.match(world.status, { phase: 'Succeeded', succeeded: 10 });
  t.match(world.status.waves?.[0], { succeeded: 2 });
});

t.test('who took it up and fell silent is lost, and counts as failed', async (t) => {
  const world = new World(20, { waves: [{ name: 'canary', limit: 5 }] });
  const [first] = world.canary('silent', 'accepts');
  world.settle(19 * MINUTE);
  t.match(world.status, { phase: 'Progressing', wave: 'canary', lost: 0, succeeded: 4 }, 'it may come back');
  world.settle(2 * MINUTE);
  t.match(world.status, { phase: 'Paused', wave: 'canary', lost: 1, succeeded: 4 });
  t.match(world.status.message, /1 lost/);
  if (first) {
    first.behaviour = { takes: 'accepts' };
    world.comeBack(first);
  }
  world.settle();
  t.match(world.status, { lost: 0, succeeded: 5 }, 'what it has decided meanwhile counts');
});

t.test('who goes dark before hearing of it is dark, not lost; another takes its place', async (t) => {
  const world = new World(20, { waves: [{ name: 'canary', limit: 5 }] });
  const [first] = world.canary('stuck', 'accepts');
  if (first?.next) {
    first.next.status = { ...first.next.status, conditions: [] }; // nothing was heard of it
    world.goDark(first);
  }
  world.settle(HOUR);
  t.match(world.status, { phase: 'Succeeded', succeeded: 19, dark: 1, lost: 0 });
  t.match(world.status.waves?.[0], { name: 'canary', succeeded: 5, dark: 1 });
});

t.test('a device that does not decide has failed by its deadline', async (t) => {
  const world = new World(4, { deadline: { perDeviceApply: '10m' } });
  const [stuck] = world.devices;
  if (stuck) stuck.behaviour = { takes: 'stuck' };
  world.settle(9 * MINUTE);
  t.match(world.status, { phase: 'Progressing', updating: 1, succeeded: 3 });
  world.settle(3 * MINUTE);
  t.match(world.status, { phase: 'Paused', failed: 1 });
  t.match(stuck?.row, { step: 'Failed', reason: 'DeadlineExceeded' });
  t.equal(stuck?.next, undefined, 'and is left with what it had');
});

t.test('few attempts decide nothing: neither one failure of one, nor one success', async (t) => {
  const policy = {
    gates: { health: { minAttempted: 10, successThreshold: '80%' } },
    budget: { groupBy: ['all'] },
  };
  const world = new World(30, policy); // one group: one at a time
  const bad = new Set(world.devices.slice(0, 2));
  for (const device of bad) device.behaviour = { takes: 'rejects' };
  world.settle();
  t.match(world.status, { phase: 'Succeeded', failed: 2, succeeded: 28 });
});

t.test('a gate in a dry run tells and stops nobody', async (t) => {
  const world = new World(10, { gates: { health: { dryRun: true } } });
  for (const device of world.devices) device.behaviour = { takes: 'rejects' };
  world.settle();
  t.match(world.status, { phase: 'Succeeded', failed: 10 });
});

t.test('a failing gate: undo and continue', async (t) => {
  const undone = new World(20, { waves: WAVES, onFail: 'undo' });
  undone.canary('accepts', 'rejects');
  undone.settle();
  t.match(undone.status, { phase: 'Undone' });
  t.ok(undone.plan?.goBack, 'the workload goes back');
  t.ok(undone.reasons.includes('GateFailed'));

  const continued = new World(20, { waves: WAVES, onFail: 'continue' });
  for (const device of continued.devices) device.behaviour = { takes: 'rejects' };
  continued.settle();
  t.match(continued.status, { phase: 'Succeeded', failed: 20 });
  t.ok(continued.reasons.includes('GateFailed'), 'and it is on record');
});

t.test('who breaks after it took the revision is counted among those who took it', async (t) => {
  const bakes = { waves: [{ name: 'canary', limit: 5, bake: '30m' }] };
  const world = new World(40, { ...bakes, gates: { health: { maxRestarts: 1 } } });
  world.settle(MINUTE);
  t.match(world.status.waves?.[0], { name: 'canary', succeeded: 5, unhealthy: 0 });
  const [broken] = world.inWave('canary');
  const containerStatuses = [{ name: 'main', restartCount: 2 }] as ContainerStatus[];
  Object.assign(broken?.next ?? {}, { status: { ...broken?.next?.status, containerStatuses } });
  world.settle(MINUTE);
  const message = 'gate health: 1 of 5 devices did not take the revision (0 failed, 1 unhealthy)';
  t.match(world.status, { phase: 'Paused', succeeded: 5, unhealthy: 1, failed: 0 });
  t.match(world.status.message, message);
  t.match(world.status.waves?.[0], { name: 'canary', succeeded: 5, unhealthy: 1, failed: 0 });
});

t.test('who has the revision already, and it never ran, holds its wave up and is not asked', async (t) => {
  for (const policy of [{}, { stage: { maxConcurrent: 5 } }]) {
    const world = new World(2, { waves: [{ name: 'all', limit: 2 }], ...policy });
    const [broken] = world.devices;
    const next = structuredClone(broken?.old);
    const [condition] = next?.status?.conditions ?? [];
    Object.assign(condition ?? {}, { status: 'False' });
    Object.assign(broken ?? {}, { old: undefined, next });
    world.settle(MINUTE);
    t.match(world.status, { phase: 'Progressing', succeeded: 1, pending: 1 });
    t.equal(broken?.switches, 0);
    t.match(broken?.row, { step: 'Waiting', reason: 'NeverReady' });
    world.settle(20 * MINUTE);
    t.match(world.status, { phase: 'Paused', succeeded: 1, failed: 1 });
    Object.assign(condition ?? {}, { status: 'True' });
    world.settle();
    t.match(world.status, { succeeded: 2, failed: 0 });
  }
});

t.test('one device has the verb of one', async (t) => {
  const world = new World(1, { waves: [{ name: 'canary', limit: 1 }] });
  world.canary('rejects');
  world.settle();
  t.match(world.status.message, /^gate health: 1 of 1 device did not take the revision/);
  const dark = new World(1, { waves: [{ name: 'canary', limit: 1 }] });
  dark.goDark(...dark.devices);
  dark.settle();
  t.match(
    dark.status.message,
    '0 of the 1 device that it takes to decide has attempted the change (0 are dark)',
  );
});

t.test('paused: nobody else is asked; resumed, what has failed so far is accepted', async (t) => {
  const world = new World(40, { waves: WAVES });
  world.canary('rejects', 'accepts', 'rejects');
  world.act('pause', { reason: 'lunch' });
  world.settle(HOUR);
  t.match(world.status, { phase: 'Paused', message: 'lunch', succeeded: 3, failed: 2 });
  t.equal(world.touched, 5);
  world.act('resume');
  world.settle();
  t.match(world.status, { phase: 'Succeeded', succeeded: 38, failed: 2 });
});

t.test('retried, failed devices are asked anew', async (t) => {
  const world = new World(20, { waves: WAVES });
  for (const device of world.devices) device.behaviour = { takes: 'rejects' };
  world.settle();
  for (const device of world.devices) device.behaviour = { takes: 'accepts' };
  world.settle(HOUR);
  t.equal(world.status.phase, 'Paused', 'not by themselves');
  world.act('retry');
  world.settle();
  t.match(world.status, { phase: 'Succeeded', succeeded: 20, failed: 0 });
  t.equal(world.inWave('canary')[0]?.row?.retries, 1);
});

t.test('aborted, devices keep what they have decided on', async (t) => {
  const world = new World(40, { waves: [{ name: 'canary', limit: 5, bake: '1h' }] });
  world.settle();
  world.act('abort');
  world.settle(HOUR);
  t.match(world.status, { phase: 'Aborted', succeeded: 5 });
  t.equal(world.touched, 5);
});

t.test('started by hand where the policy says so', async (t) => {
  const world = new World(5, { start: 'manual' });
  world.settle(HOUR);
  t.match(world.status, { phase: 'Pending' });
  t.equal(world.touched, 0);
  world.act('start');
  world.settle();
  t.match(world.status, { phase: 'Succeeded' });
  t.match(world.status.transitions?.[1], { reason: 'Started', by: 'ann' });
});

t.test('never more of a site out of service than its budget, dark ones counted', async (t) => {
  const world = new World(40, { budget: { groupBy: ['site'], maxUnavailable: 2 } });
  const site = (name: string) => world.devices.filter(({ labels }) => labels['site'] === name);
  world.goDark(...site('site-0').slice(0, 1), ...site('site-1').slice(0, 2));
  world.pass();
  const applying = (name: string) => site(name).filter(({ row }) => row?.step === 'Applying').length;
  t.same(['site-0', 'site-1', 'site-2'].map(applying), [1, 0, 2]);
  t.match(site('site-1')[5]?.row, { reason: 'Budget', message: /site=site-1.*maxUnavailable: 2/ });
  world.settle();
  t.match(world.status, { succeeded: 29, dark: 3, pending: 8 }, 'a site with too many dark ones waits');
  world.comeBack(...world.devices);
  world.settle();
  t.match(world.status, { phase: 'Succeeded', succeeded: 40 });
});

t.test('downloads ahead of time: so many at once, at a growing rate, and no switch without', async (t) => {
  const rate = { basePerMinute: 4, factor: 2, afterSucceeded: 10 };
  const world = new World(30, {
    stage: { maxConcurrent: 3, rate },
    waves: [{ name: 'canary', limit: 2, approve: 'manual' }],
  });
  world.pass();
  t.same(world.steps(), { Staging: 3, Waiting: 27 });
  world.settle();
  t.equal(world.status.staged, 4, 'the first minute');
  world.settle(61_000);
  t.equal(world.status.staged, 8);
  world.settle(61_000);
  t.equal(world.status.staged, 16, 'twice the rate');
  t.match(world.status, { phase: 'AwaitingApproval', succeeded: 2 }, 'only the canary has switched');
  world.settle(10 * MINUTE);
  t.match(world.status, { staged: 30, succeeded: 2 }, 'the whole fleet is ready');
  world.act('approve');
  world.settle();
  t.match(world.status, { phase: 'Succeeded', succeeded: 30 });
});

t.test('an image that cannot be downloaded stops the rollout before anybody switches', async (t) => {
  const world = new World(30, { stage: { maxConcurrent: 10 }, waves: [{ name: 'canary', limit: 5 }] });
  for (const device of world.devices) device.behaviour = { takes: 'cannot-download' };
  world.settle(20 * MINUTE);
  t.match(world.status, { phase: 'Paused', message: /gate health/ });
  t.equal(world.touched, 0);
  t.match(world.inWave('canary')[0]?.row, {
    step: 'Failed',
    reason: 'StageDeadlineExceeded',
    message: 'no such image',
  });
});

t.test('too many of those who catch up fail: nobody else does', async (t) => {
  const offline = { catchUp: { maxConcurrent: 1, abort: { failures: 2, of: 5 } } };
  const world = new World(20, { offline });
  const dark = world.devices.slice(0, 8);
  world.goDark(...dark);
  world.settle();
  t.equal(world.status.phase, 'Succeeded');
  world.nowMs += 1000;
  for (const device of dark) device.behaviour = { takes: 'rejects' };
  world.comeBack(...dark);
  world.settle();
  t.match(world.status, {
    phase: 'Paused',
    failed: 2,
    message: /2 of the last 2 devices that caught up failed/,
  });
});

t.test('the same rollout chooses the same devices, wherever it was interrupted', async (t) => {
  const [one, two] = [new World(40, { waves: WAVES }), new World(40, { waves: WAVES })];
  one.settle();
  for (let pass = 0; pass < 50; pass += 1) {
    two.pass();
    two.status = structuredClone(two.status); // what was written is all that is known
  }
  for (const name of ['canary', 'pilot'])
    t.same(
      one.inWave(name).map(({ node }) => node),
      two.inWave(name).map(({ node }) => node),
    );
});

t.test(
  'devices that wait for their window are waited for, and have their time from when it opens',
  async (t) => {
    const world = new World(4, { deadline: { perDeviceApply: '10m', noProgress: '1h' } });
    const [late, slow] = world.devices;
    for (const device of [late, slow]) if (device) device.behaviour = { takes: 'waits' };
    world.settle(20 * HOUR);
    t.match(world.status, {
      phase: 'Progressing',
      succeeded: 2,
      failed: 0,
      message: '2 devices wait for their window',
    });
    t.match(late?.row, { step: 'Applying', reason: 'WaitingForWindow' });
    if (late) late.behaviour = { takes: 'accepts' };
    if (slow) slow.behaviour = { takes: 'stuck' };
    world.settle(9 * MINUTE);
    t.match(world.status, { phase: 'Progressing', succeeded: 3, updating: 1, failed: 0 });
    world.settle(3 * MINUTE);
    t.match(slow?.row, { step: 'Failed', reason: 'DeadlineExceeded' });
  },
);

t.test('devices whose programs put the update off are waited for as well, and told apart', async (t) => {
  const world = new World(4, { deadline: { perDeviceApply: '10m', noProgress: '1h' } });
  const [window, consent, other] = world.devices;
  if (window) window.behaviour = { takes: 'waits' };
  for (const device of [consent, other]) if (device) device.behaviour = { takes: 'withholds' };
  world.settle(20 * HOUR);
  t.match(world.status, {
    phase: 'Progressing',
    failed: 0,
    message: '1 device waits for its window, 2 devices wait for consent',
  });
  t.match(consent?.row, { step: 'Applying', reason: 'WaitingForConsent' });
  for (const device of world.devices) device.behaviour = { takes: 'stuck' };
  world.settle(9 * MINUTE);
  t.match(consent?.row, { step: 'Applying', reason: '' }, 'its time counts from then on');
  world.settle(3 * MINUTE);
  t.match(consent?.row, { step: 'Failed', reason: 'DeadlineExceeded' });
});

t.test('a device that has no room says so in its row, until it has, or its time is over', async (t) => {
  for (const [stage, step, late] of [
    [{ stage: {} }, 'Staging', 'StageDeadlineExceeded'],
    [{}, 'Applying', 'DeadlineExceeded'],
  ] as const) {
    const world = new World(3, { ...stage, deadline: { perDeviceApply: '10m' } });
    const [soon, never] = world.devices;
    for (const device of [soon, never]) if (device) device.behaviour = { takes: 'disk-full' };
    world.settle(MINUTE);
    t.match(soon?.row, { step, reason: 'InsufficientDisk', message: '1 MiB free' });
    if (soon) soon.behaviour = { takes: 'accepts' };
    world.settle(MINUTE);
    t.match(soon?.row, { step: 'Succeeded', reason: 'Healthy', message: '' });
    world.settle(20 * MINUTE);
    t.match(never?.row, { step: 'Failed', reason: late });
  }
});

t.test(
  'a pod that was made for a device while it was away is not a device that has the revision',
  async (t) => {
    const world = new World(4, { waves: [{ name: 'canary', limit: 1 }] });
    const [away] = world.devices as [(typeof world.devices)[number]];
    world.goDark(away);
    const made = { ...away.old, metadata: { name: 'next' }, status: { phase: 'Pending' } };
    Object.assign(away, { old: undefined, next: made });
    world.settle();
    t.match(world.status, { phase: 'Succeeded', succeeded: 3, dark: 1 });
    t.match(away.row, { class: 'dark', step: 'Waiting' });
    world.comeBack(away);
    world.settle();
    t.match(world.status, { succeeded: 3, pending: 1, dark: 0 }, 'nor is it before the pod is ready');
    t.match(away.row, { step: 'Waiting', reason: 'NeverReady' });
    Object.assign(made, { status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] } });
    world.settle();
    t.match(world.status, { succeeded: 4, pending: 0 });
  },
);

t.test('what holds devices up is told', async (t) => {
  const world = new World(8, { budget: { groupBy: ['site'], maxUnavailable: 1 } });
  world.goDark(...world.devices.filter(({ labels: { site } }) => site === 'site-0').slice(0, 1));
  const [full] = world.devices.filter(({ labels: { site } }) => site === 'site-1');
  if (full) full.behaviour = { takes: 'disk-full' };
  world.settle();
  t.match(world.status, { phase: 'Progressing', succeeded: 4 });
  t.match(world.status.message, /2 held by the budget of their group, 1 short of disk$/);
});
