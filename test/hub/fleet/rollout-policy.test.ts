import t from 'tap';
import { durationMs } from '../../../hub/fleet/duration.ts';
import { type RolloutPolicyObject, rolloutPolicies } from '../../../hub/fleet/rollout-policy.ts';
import type { KubeObject } from '../../../hub/resources/object.ts';

function policyOf(spec: object): RolloutPolicyObject {
  const object = {
    apiVersion: 'fleet.holdfast.dev/v1',
    kind: 'RolloutPolicy',
    metadata: { name: 'p', namespace: 'default' },
    spec,
  };
  const copy = structuredClone(object) as unknown as KubeObject;
  rolloutPolicies.setDefaults?.(copy);
  return copy as RolloutPolicyObject;
}

const errorsOf = (spec: object) =>
  (rolloutPolicies.validate?.(policyOf(spec), undefined) ?? []).map(
    ({ field, message }) => `${field}: ${message}`,
  );

t.test('defaults: a policy of nothing is one that a cautious operator would write', async (t) => {
  t.same(policyOf({}).spec, {
    start: 'automatic',
    gates: {
      health: {
        successThreshold: '95%',
        minAttempted: 5,
        minHealthy: '30s',
        maxRestarts: 2,
        dryRun: false,
      },
      lost: { lostAfter: '20m', maxLost: '1%', dryRun: false },
    },
    onFail: 'pause',
    offline: { catchUp: { maxConcurrent: 50 } },
    deadline: { perDeviceApply: '15m', noProgress: '6h' },
    device: { order: 'download-then-stop', localRollback: true, clockUntrusted: 'hold' },
  });
  t.same(errorsOf({}), []);
});

const canary = { name: 'canary', limit: 5 };
for (const [what, spec, error] of [
  ['a wave of nobody', { waves: [{ ...canary, limit: 0 }] }, /^spec\.waves\[0\]\.limit: .*select nobody/],
  ['a wave of 0 %', { waves: [{ ...canary, limit: '0%' }] }, /^spec\.waves\[0\]\.limit: .*select nobody/],
  ['more than everybody', { waves: [{ ...canary, limit: '101%' }] }, /^spec\.waves\[0\]\.limit: /],
  [
    'everybody before somebody',
    { waves: [{ name: 'all' }, canary] },
    /^spec\.waves\[0\]\.limit: Required value: the wave takes every device/,
  ],
  [
    'the name of the last wave',
    { waves: [{ name: 'rest', limit: 1 }] },
    /^spec\.waves\[0\]\.name: Duplicate/,
  ],
  ['two of one name', { waves: [canary, canary] }, /^spec\.waves\[1\]: Duplicate value/],
  [
    'a bad label',
    { waves: [{ ...canary, selector: { matchLabels: { 'a b': 'c' } } }] },
    /^spec\.waves\[0\]\.selector\.matchLabels/,
  ],
  [
    'a bad label to spread over',
    { waves: [{ ...canary, spreadBy: ['-'] }] },
    /^spec\.waves\[0\]\.spreadBy\[0\]/,
  ],
  [
    'a threshold over 100 %',
    { gates: { health: { successThreshold: '120%' } } },
    /^spec\.gates\.health\.successThreshold/,
  ],
  [
    'a gate that nothing fails',
    { gates: { health: { successThreshold: '0%' } } },
    /^spec\.gates\.health\.successThreshold: .*dryRun/,
  ],
  [
    'healthy for longer than there is time',
    { gates: { health: { minHealthy: '20m' } } },
    /^spec\.gates\.health\.minHealthy: .*no device can be healthy/,
  ],
  ['a duration that is none', { deadline: { noProgress: 'soon' } }, /^spec\.deadline\.noProgress/],
  [
    'a duration of nothing',
    { deadline: { noProgress: '0s' } },
    /^spec\.deadline\.noProgress: .*greater than 0/,
  ],
  [
    'a budget that starves every site',
    { budget: { groupBy: ['site'], maxUnavailable: 0 } },
    /^spec\.budget\.maxUnavailable: .*no device of any group/,
  ],
  [
    'more failures than devices',
    { offline: { catchUp: { abort: { failures: 6, of: 5 } } } },
    /^spec\.offline\.catchUp\.abort\.failures/,
  ],
  [
    'a window that is none',
    { device: { windows: [{ schedule: '0 25 * * *', duration: '1h' }] } },
    /^spec\.device\.windows\[0\]\.schedule/,
  ],
  [
    'a window of no time',
    { device: { windows: [{ schedule: '0 2 * * *', duration: '0s' }] } },
    /^spec\.device\.windows\[0\]\.duration/,
  ],
  [
    'a time zone that is none',
    { device: { windows: [{ schedule: '0 2 * * *', duration: '1h', timeZone: 'Mars/Base' }] } },
    /^spec\.device\.windows\[0\]\.timeZone/,
  ],
  ['an unknown order', { device: { order: 'at-once' } }, /^spec\.device\.order: Unsupported value/],
] as const)
  t.test(`refused: ${what}`, async (t) => {
    const errors = errorsOf(spec);
    t.equal(errors.length, 1, errors.join('\n'));
    t.match(errors[0], error);
  });

t.test('durations', async (t) => {
  for (const [text, ms] of [
    ['90s', 90_000],
    ['1h30m', 5_400_000],
    ['250ms', 250],
    ['1m1ms', 60_001],
  ] as const)
    t.equal(durationMs(text), ms, text);
  t.equal(durationMs(undefined), 0);
});
