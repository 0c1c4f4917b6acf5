import t from 'tap';
import type { Period, Scenario } from '../../scripts/fleet-sim/scenario.ts';
import { FAST, FLEET, GATES, SITE, World } from '../support/rollout-world.ts';
import { until } from '../support/until.ts';

/*
 * Rollouts over simulated devices that behave badly: the hub's own process and the agents' own code, over real links.
 */

const CANARY = { waves: [{ name: 'canary', limit: 4, spreadBy: [SITE] }] };

const MEMORY = { name: 'memory', devices: { expression: 'metrics.memory < 100 * 1024 * 1024' } };

t.test('devices are asked what they use: a revision that takes too much stays in the canary', async (t) => {
  const world = await World.start(t, 24, FAST, { ...CANARY, gates: { ...GATES, measured: [MEMORY] } });
  await world.setImage('app:2');
  const good = await world.untilPhase('app-2', 'Succeeded');
  t.match(
    good.status?.waves?.map(({ gates }) => gates?.[0]),
    [{ result: 'pass', message: /^holds for 4 of 4/ }, { message: /^holds for 20 of 20 devices/ }],
  );
  await world.setImage('app:fat');
  const { status } = await world.untilPhase('app-3', 'Paused');
  t.match(status, { succeeded: 4, message: /^gate memory: holds for 0 of 4 devices, not for sim-/ });
  await world.act('app-3', { type: 'undo' });
  await world.untilPhase('app-4', 'Succeeded');
  await world.untilRunning('app:2', 24);
});

t.test('a bad revision touches the canary alone; the devices restore themselves; then undone', async (t) => {
  const world = await World.start(t, 24, FAST, CANARY);
  await world.setImage('app:bad');
  const { status } = await world.untilPhase('app-2', 'Paused');
  t.match(status, { failed: 4, succeeded: 0, message: /^gate health: 4 of 4/ });
  await world.untilRunning('app:1', 24);
  t.equal(world.running('app:bad'), 0);
  const restarted = world.fleet.devices.filter(({ containers }) =>
    containers.some(({ attempt }) => attempt > 0),
  );
  t.equal(restarted.length, 4, 'nobody else was touched');
  await world.act('app-2', { type: 'undo', reason: 'it crashes' });
  await world.untilPhase('app-3', 'Succeeded');
  t.equal(world.running('app:1'), 24);
});

t.test('an image that does not exist takes nothing from anybody', async (t) => {
  const world = await World.start(t, 8, FAST, { ...CANARY, deadline: { perDeviceApply: '2s' } });
  const before = world.fleet.summary().restarts;
  await world.setImage('app:missing');
  t.match((await world.untilPhase('app-2', 'Paused')).status, { failed: 4 });
  t.equal(world.running('app:1'), 8);
  t.equal(world.fleet.summary().restarts, before, 'the old one ran on');
});

t.test('dark devices are passed over, then catch up to the newest', async (t) => {
  const world = await World.start(t, 24, FAST, CANARY);
  const dark = world.fleet.devices.slice(0, 6);
  for (const device of dark) device.goDark();
  await until('the hub knows', async () => {
    const { items } = (await world.api.call('GET', '/api/v1/nodes')) as {
      items: { status: { conditions?: { type: string; status: string }[] } }[];
    };
    const away = items.filter(({ status }) =>
      status.conditions?.some((each) => each.type === 'Ready' && each.status !== 'True'),
    );
    return away.length === 6;
  });
  await world.setImage('app:2');
  t.match((await world.untilPhase('app-2', 'Succeeded')).status, { succeeded: 18, dark: 6, failed: 0 });
  await world.setImage('app:3');
  await world.untilPhase('app-3', 'Succeeded');
  t.equal(world.running('app:1'), 6, 'they run what they ran');
  for (const device of dark) device.comeBack();
  await world.untilRollout('app-3', 'has all', (status) => status?.succeeded === 24);
  await world.untilRunning('app:3', 24);
});

t.test('devices that vanish with it are lost, and stop it', async (t) => {
  const gone: Scenario = { ...FAST, groups: [{ name: 'gone', share: 0.5, lost: { image: 'app:2' } }] };
  const world = await World.start(t, 24, gone, {
    waves: [{ name: 'canary', limit: 8 }],
    gates: { ...GATES, lost: { lostAfter: '3s', maxLost: '10%' } },
  });
  await world.setImage('app:2');
  const { status } = await world.untilPhase('app-2', 'Paused');
  t.match(status?.message, /lost/);
  t.ok((status?.lost ?? 0) > 0);
  t.equal((status?.lost ?? 0) + (status?.succeeded ?? 0) <= 8, true, 'all of them in the canary');
});

t.test(
  'the hub is killed in the middle of a wave: the rollout goes on, nobody is touched twice',
  async (t) => {
    const slow: Scenario = { ...FAST, images: { ...FAST.images, 'app:2': { pullMs: [50, 1_500] } } };
    const world = await World.start(t, 40, slow, CANARY);
    await world.setImage('app:2');
    await world.untilRollout('app-2', 'is in the middle', (status) => (status?.succeeded ?? 0) > 8);
    await world.hub.end('SIGKILL');
    await world.startHub();
    // A device that is a moment late to connect again is dark, and catches up when the others are done.
    const { status } = await world.untilRollout('app-2', 'has all', (now) => now?.succeeded === 40);
    t.match(status, { failed: 0, lost: 0 });
    await world.untilPhase('app-2', 'Succeeded');
    await world.untilRunning('app:2', 40);
    t.equal(world.fleet.summary().restarts, 0);
  },
);

t.test('devices that reboot while they try it end where they should', async (t) => {
  const world = await World.start(t, 12, FAST, { gates: { health: { minHealthy: '2s' } } });
  await world.setImage('app:2');
  await world.untilRunning('app:2', 12);
  await Promise.all(
    world.fleet.devices.slice(0, 6).map((device) => device.reboot({ downMs: 200, containers: 'ended' })),
  );
  t.match((await world.untilPhase('app-2', 'Succeeded')).status, { succeeded: 12, failed: 0 });
  await world.untilRunning('app:2', 12);
  t.equal(world.running('app:1'), 0);
});

t.test('a newer revision in the middle: all end with it, and with nothing else', async (t) => {
  const slow: Scenario = { ...FAST, images: { ...FAST.images, 'app:2': { pullMs: [500, 3_000] } } };
  const world = await World.start(t, 24, slow, CANARY);
  await world.setImage('app:2');
  await world.untilRollout('app-2', 'has begun', (status) => (status?.succeeded ?? 0) > 0);
  await world.setImage('app:3');
  t.match((await world.untilPhase('app-3', 'Succeeded')).status, { succeeded: 24, failed: 0 });
  await world.untilPhase('app-2', 'Superseded');
  await world.untilRunning('app:3', 24);
  t.equal(world.running('app:2') + world.running('app:1'), 0);
});

t.test(
  'a device whose disk fills up says so, and takes the revision when there is space again',
  async (t) => {
    const full: Period[] = [];
    const scenario = { ...FAST, groups: [{ name: 'full', devices: [3], diskFull: full }] };
    const world = await World.start(t, 8, scenario, { stage: {} });
    const node = world.fleet.group('full')[0]?.name;
    const row = async () => {
      const found = await world.api.call('GET', `${FLEET}/deviceupdates/app.${node}`).catch(() => undefined);
      return (found as { spec: { step: string; reason?: string; message?: string } } | undefined)?.spec;
    };
    full.push({ fromMs: 0 });
    await world.setImage('app:2');
    const short = await until('it says so', async () => {
      const found = await row();
      return found?.reason === 'InsufficientDisk' ? found : undefined;
    });
    t.match(short, { step: 'Staging', message: /has 0 B free of 16.0 GiB, and must have 819.2 MiB \(5%\)/ });
    await world.untilRunning('app:2', 7);
    full.length = 0;
    await world.untilPhase('app-2', 'Succeeded');
    t.match(await row(), { step: 'Succeeded', reason: 'Healthy', message: '' });
  },
);
