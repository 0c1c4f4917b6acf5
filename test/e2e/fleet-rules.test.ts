import t from 'tap';
import type { Scenario } from '../../scripts/fleet-sim/scenario.ts';
import { FAST, FLEET, SITE, World } from '../support/rollout-world.ts';
import { until } from '../support/until.ts';

/* The rules of a policy, one by one, over simulated devices: budgets, windows, what decides nothing, full disks, lies. */

const CANARY = { waves: [{ name: 'canary', limit: 4, spreadBy: [SITE] }] };

interface Row {
  readonly spec: {
    readonly node: string;
    readonly step: string;
    readonly reason?: string;
    readonly class: string;
  };
}

const rowsOf = async (world: World): Promise<Row['spec'][]> =>
  (await world.api.call<{ items: Row[] }>('GET', `${FLEET}/deviceupdates`)).items.map(({ spec }) => spec);

const isOffline = async (world: World, name: string): Promise<boolean> => {
  const node = await world.api.call<{ status: { conditions?: { type: string; status: string }[] } }>(
    'GET',
    `/api/v1/nodes/${name}`,
  );
  return node.status.conditions?.some(({ type, status }) => type === 'Ready' && status !== 'True') ?? false;
};

t.test('budgets: one of a site at a time; where one is away already, nobody', async (t) => {
  const slow: Scenario = { ...FAST, images: { ...FAST.images, 'app:2': { pullMs: [100, 300] } } };
  const budget = { groupBy: [SITE], maxUnavailable: 1 };
  const world = await World.start(t, 16, slow, { budget });
  const away = world.fleet.devices[0];
  const siteOf = (node: string) => world.fleet.devices.findIndex(({ name }) => name === node) % 4;
  away?.goDark();
  await until('the hub knows', () => isOffline(world, away?.name ?? ''));

  // Every row that is written from now on: who switches, and how many of a site at once.
  const applying = new Set<string>();
  const touched = new Set<string>();
  let most = 0;
  const abort = new AbortController();
  const rows = world.api.watch<Row>(`${FLEET}/deviceupdates`, {}, '0', abort.signal);
  const watching = (async () => {
    for await (const { object } of rows) {
      const { node, step } = object.spec;
      if (step === 'Applying') applying.add(node);
      else applying.delete(node);
      for (const each of applying) touched.add(each);
      const sites = Map.groupBy(applying, siteOf);
      most = Math.max(most, ...[...sites.values()].map((of) => of.length));
    }
  })().catch((error: unknown) => {
    if (!abort.signal.aborted) throw error;
  });

  await world.setImage('app:2');
  const left = await until('only its site is left', async () => {
    const others = (await rowsOf(world)).filter(({ step }) => step !== 'Succeeded').map(({ node }) => node);
    return others.length === 4 ? others : undefined;
  });
  t.ok(left.every((node) => siteOf(node) === siteOf(away?.name ?? '')));
  t.notOk(
    left.some((node) => touched.has(node)),
    'nobody there was touched',
  );
  away?.comeBack();
  await world.untilPhase('app-2', 'Succeeded');
  await world.untilRunning('app:2', 16);
  abort.abort();
  await watching;
  t.equal(touched.size, 16);
  t.equal(most, 1);
});

t.test('windows are by the clock of the device, right or wrong; one far behind knows none', async (t) => {
  const hour = (new Date().getUTCHours() + 6) % 24;
  const windows = [{ schedule: `0 ${hour} * * *`, duration: '1h', timeZone: 'UTC' }];
  const toWindowMs = Date.UTC(2026, 0, 1, 6) - Date.UTC(2026, 0, 1, 0);
  const scenario: Scenario = {
    ...FAST,
    groups: [
      { name: 'ahead', devices: [0, 1, 2], clockOffsetMs: toWindowMs },
      { name: 'behind', devices: [3], clockOffsetMs: -20 * 365 * 86_400_000 },
    ],
  };
  const world = await World.start(t, 8, scenario, { device: { windows } });
  await world.setImage('app:2');
  await world.untilRunning('app:2', 3);
  const waiting = await until('all others wait', async () => {
    const found = (await rowsOf(world)).filter(({ reason }) => reason === 'WaitingForWindow');
    return found.length === 5 ? found : undefined;
  });
  t.same(waiting.map(({ node }) => node).sort(), ['sim-3', 'sim-4', 'sim-5', 'sim-6', 'sim-7']);
  t.equal(world.running('app:1'), 5);
  t.match((await world.rollout('app-2'))?.status, { phase: 'Progressing', failed: 0 });
});

t.test('downloads ahead of time wait for their own window, and nobody is late for that', async (t) => {
  const hour = (new Date().getUTCHours() + 6) % 24;
  const windows = [{ schedule: `0 ${hour} * * *`, duration: '1h', timeZone: 'UTC' }];
  const scenario: Scenario = {
    ...FAST,
    groups: [{ name: 'ahead', devices: [0, 1, 2], clockOffsetMs: 6 * 3_600_000 }],
  };
  const stage = { maxConcurrent: 50, windows };
  const deadline = { perDeviceApply: '6s', noProgress: '6s' };
  const world = await World.start(t, 8, scenario, { stage, deadline });
  await world.setImage('app:2');
  await world.untilRunning('app:2', 3);
  const waits = (rows: readonly Row['spec'][]) =>
    rows.filter(({ step, reason }) => step === 'Staging' && reason === 'WaitingForWindow');
  await until('all others wait', async () => waits(await rowsOf(world)).length === 5);
  const lateness = async () => {
    const { status } = (await world.rollout('app-2')) ?? {};
    return Date.now() - Date.parse(status?.progressAt ?? '');
  };
  await until('longer than a device may take', async () => (await lateness()) > 9_000, 60_000);
  t.equal(waits(await rowsOf(world)).length, 5, 'none of them has failed');
  t.match((await world.rollout('app-2'))?.status, { phase: 'Progressing', failed: 0, succeeded: 3 });
});

t.test(
  'what decides nothing waits for somebody: a canary that is away, a gate without an answer',
  async (t) => {
    const ring: Scenario = {
      ...FAST,
      groups: [{ name: 'canary', devices: [0, 1, 2], labels: { ring: 'canary' } }],
    };
    const measured = [
      {
        name: 'memory',
        devices: { expression: 'metrics.memory < 1000000000' },
        deadline: '2s',
      },
    ];
    const world = await World.start(t, 8, ring, {
      waves: [{ name: 'canary', selector: { matchLabels: { ring: 'canary' } }, bake: '4s' }],
      deadline: { perDeviceApply: '10s', noProgress: '8s' },
      gates: { health: { minHealthy: '300ms', maxRestarts: 0 }, measured },
    });
    const canary = world.fleet.group('canary');
    for (const device of canary) device.goDark();
    await until('the hub knows', async () =>
      (await Promise.all(canary.map(({ name }) => isOffline(world, name)))).every(Boolean),
    );
    await world.setImage('app:2');
    const paused = await world.untilPhase('app-2', 'Paused');
    t.match(paused.status?.transitions?.at(-1), { reason: 'NoProgress', wave: 'canary' });
    t.equal(world.running('app:2'), 0);
    for (const device of canary) device.comeBack();
    await world.act('app-2', { type: 'resume' });
    await world.untilRollout('app-2', 'is in its bake', (status) => status?.phase === 'Baking');
    for (const device of canary) device.goDark();
    const again = await world.untilRollout(
      'app-2',
      'is stopped by the gate',
      (status) => status?.transitions?.at(-1)?.reason === 'GateInconclusive',
    );
    t.match(again.status, { phase: 'Paused', message: /memory/ });
    t.equal(world.running('app:2'), 3, 'nobody else');
  },
);

t.test('devices that come and go all the time end with it, and nobody is counted as failed', async (t) => {
  const flapping: Scenario = {
    ...FAST,
    groups: [
      { name: 'mobile', share: 0.5, flapping: { connectedMs: [300, 1_500], disconnectedMs: [50, 600] } },
    ],
  };
  const world = await World.start(t, 20, flapping, CANARY);
  await world.setImage('app:2');
  await world.untilRollout('app-2', 'has all', (status) => status?.succeeded === 20);
  t.match((await world.untilPhase('app-2', 'Succeeded')).status, { failed: 0, lost: 0 });
  await world.untilRunning('app:2', 20);
  t.equal(world.running('app:1'), 0);
});

t.test('what looks well when the device decides, and is not: the bake finds it', async (t) => {
  const late: Scenario = {
    ...FAST,
    images: { ...FAST.images, 'app:late': { pullMs: 1, exit: { afterMs: [1_500, 2_000], code: 1 } } },
  };
  const world = await World.start(t, 12, late, {
    waves: [{ name: 'canary', limit: 4, bake: '20s' }],
    gates: { health: { minHealthy: '300ms', maxRestarts: 0, minAttempted: 2 } },
    onFail: 'undo',
  });
  await world.setImage('app:late');
  const { status } = await world.untilPhase('app-2', 'Undone');
  t.match(status?.waves?.[0], { name: 'canary' });
  await world.untilPhase('app-3', 'Succeeded');
  await world.untilRunning('app:1', 12);
  t.equal(world.running('app:late'), 0);
});
