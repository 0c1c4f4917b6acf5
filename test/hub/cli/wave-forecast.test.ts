import t from 'tap';
import { planText } from '../../../hub/cli/rollout/plan.ts';
import { type ForecastDevice, forecast } from '../../../hub/cli/rollout/wave-forecast.ts';
import { policyOf, World } from '../controllers/rollout/world.ts';

function devices(
  count: number,
  more: (index: number) => Partial<ForecastDevice> = () => ({}),
): ForecastDevice[] {
  return Array.from({ length: count }, (_, index) => ({
    node: `node-${String(index).padStart(3, '0')}`,
    labels: { site: `site-${index % 4}` },
    isOnline: true,
    hasRevision: false,
    ...more(index),
  }));
}

const foresee = (policy: object, of: ForecastDevice[], type: 'change' | 'undo' = 'change') =>
  forecast({ rollout: 'app-2', policy: policyOf(policy), type, devices: of });

t.test('it names whom the engine asks', async (t) => {
  const policy = {
    waves: [
      { name: 'canary', limit: 3, spreadBy: ['site'] },
      { name: 'pilot', limit: '25%' },
    ],
  };
  const world = new World(20, policy);
  world.settle();
  const { waves } = foresee(policy, devices(20));
  for (const { name, devices } of waves)
    t.same(
      devices.toSorted(),
      world
        .inWave(name)
        .map(({ node }) => node)
        .toSorted(),
      name,
    );
  t.same(
    waves.map(({ devices: { length } }) => length),
    [3, 5, 12],
  );
});

t.test('an undo has no waves', async (t) => {
  const { waves } = foresee({ waves: [{ name: 'canary', limit: 1 }] }, devices(3), 'undo');
  t.same(
    waves.map(({ name }) => name),
    ['rest'],
  );
});

const ROWS: readonly { what: string; policy: object; of: ForecastDevice[]; warnings: (string | RegExp)[] }[] =
  [
    {
      what: 'nobody matches',
      policy: { waves: [{ name: 'canary', selector: { matchLabels: { site: 'x' } } }] },
      of: devices(8),
      warnings: [/^wave canary selects nobody: no device matches its selector; .* passes at once$/],
    },
    {
      what: 'nobody matches, and somebody is asked all the same',
      policy: {
        waves: [
          { name: 'canary', selector: { matchLabels: { site: 'x' } }, bake: '10m', approve: 'manual' },
          { name: 'pilot', selector: { matchLabels: { site: 'x' } }, bake: '10m' },
        ],
      },
      of: devices(8),
      warnings: [/it asks for approval all the same, after 10m$/, /it tries nothing, and passes after 10m$/],
    },
    {
      what: 'no devices',
      policy: { waves: [{ name: 'canary', limit: 1 }] },
      of: [],
      warnings: [/^wave canary selects nobody: there are no devices/],
    },
    {
      what: 'nobody is left',
      policy: {
        waves: [
          { name: 'first', selector: { matchLabels: { site: 'site-0' } } },
          { name: 'second', selector: { matchLabels: { site: 'site-0' } } },
        ],
        gates: { health: { minAttempted: 1 } },
      },
      of: devices(8),
      warnings: [/^wave second selects nobody: earlier waves have all that match/],
    },
    {
      what: 'all are dark',
      policy: { waves: [{ name: 'canary', limit: 1, selector: { matchLabels: { site: 'site-0' } } }] },
      of: devices(8, (index) => ({ isOnline: index % 4 !== 0 })),
      warnings: [/^wave canary selects nobody: all that are left of it are dark/],
    },
    {
      what: 'fewer than wanted, and few to decide',
      policy: { waves: [{ name: 'canary', limit: 4, selector: { matchLabels: { site: 'site-0' } } }] },
      of: devices(8),
      warnings: [
        'wave canary is to have 4 devices, and only 2 can be reached',
        /^wave canary: 2 devices decide alone, fewer than gates.health.minAttempted \(5\)/,
      ],
    },
    {
      what: 'a budget that dark devices have used up',
      policy: { budget: { groupBy: ['site'], maxUnavailable: 1 } },
      of: devices(8, (index) => ({ isOnline: index !== 1 })),
      warnings: [/^the budget starves site=site-1: of its 2 devices 1 is dark, maxUnavailable is 1/],
    },
    { what: 'nothing', policy: { budget: { groupBy: ['site'] } }, of: devices(8), warnings: [] },
  ];

for (const { what, policy, of, warnings } of ROWS)
  t.test(`warnings: ${what}`, async (t) => {
    t.match(foresee(policy, of).warnings, warnings);
    t.equal(foresee(policy, of).warnings.length, warnings.length);
  });

t.test('as text, in a terminal', async (t) => {
  const made = foresee(
    { waves: [{ name: 'canary', limit: 2, bake: '15m', approve: 'manual' }] },
    devices(30, (index) => ({ isOnline: index !== 0 })),
  );
  const change = { rollout: 'app-2', type: 'change', hash: '', message: 'it would', warnings: [] } as const;
  const text = planText({ kind: 'DaemonSet', workload: 'app', policy: 'p', change, ...made }, 80);
  t.match(text, /^canary {3}2 +0 +bake 15m, approval +node-\d/m);
  t.match(text, /^rest +28 +1 +done +node-000 \(dark\), .*…$/m);
  t.match(text, /\nWarning: wave canary: 2 devices decide alone/);
});
