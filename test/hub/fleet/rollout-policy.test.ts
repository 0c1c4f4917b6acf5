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
    configuration: 'live',
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
    device: {
      order: 'download-then-stop',
      localRollback: true,
      clockUntrusted: 'hold',
      minFreeDisk: '5%',
    },
  });
  t.same(errorsOf({}), []);
});

const health = (check: object) => ({ gates: { health: { check } } });
const measured = (gate: object) => ({ gates: { measured: [{ name: 'm', ...gate }] } });
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
    'a schedule of downloads that there is not',
    { stage: { windows: [{ schedule: '0 25 * * *', duration: '1h' }] } },
    /^spec\.stage\.windows\[0\]\.schedule/,
  ],
  [
    'a window that is none',
    { device: { windows: [{ schedule: '0 25 * * *', duration: '1h' }] } },
    /^spec\.device\.windows\[0\]\.schedule/,
  ],
  [
    'a window that never opens',
    { device: { windows: [{ schedule: '0 0 30 2 *', duration: '1h' }] } },
    /^spec\.device\.windows\[0\]\.schedule: .*never opens/,
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
  [
    'a time to be put off that is none',
    { device: { consent: { maxDefer: 'long' } } },
    /^spec\.device\.consent\.maxDefer/,
  ],
  [
    'free space that is no amount',
    { device: { minFreeDisk: 'some' } },
    /^spec\.device\.minFreeDisk: .*a quantity such as 500Mi, or a percentage such as 5%/,
  ],
  ['less than nothing', { device: { minFreeDisk: '-1Gi' } }, /^spec\.device\.minFreeDisk/],
  ['more than a disk', { device: { minFreeDisk: '101%' } }, /^spec\.device\.minFreeDisk/],
  [
    'an empty disk',
    { device: { minFreeDisk: '100%' } },
    /^spec\.device\.minFreeDisk: .*never has so much free/,
  ],
  ['a check of nothing', health({}), /^spec\.gates\.health\.check: Required value: must have one of exec/],
  [
    'a check of two things',
    health({ exec: { command: ['true'] }, httpGet: { port: 80 } }),
    /^spec\.gates\.health\.check\.httpGet: .*exec already/,
  ],
  ['a command of nothing', health({ exec: { command: [] } }), /^spec\.gates\.health\.check\.exec\.command: /],
  [
    'a port that is none',
    health({ httpGet: { port: 70_000 } }),
    /^spec\.gates\.health\.check\.httpGet\.port: .*1 to 65535/,
  ],
  [
    'a path that is none',
    health({ httpGet: { port: 'web', path: 'a' } }),
    /^spec\.gates\.health\.check\.httpGet\.path: .*begin with \//,
  ],
  [
    'a header that ends another',
    health({ httpGet: { port: 1, headers: [{ name: 'A', value: 'b\r\nC: d' }] } }),
    /^spec\.gates\.health\.check\.httpGet\.headers\[0\]\.value/,
  ],
  [
    'a check without a pause',
    health({ exec: { command: ['true'] }, period: '10ms' }),
    /^spec\.gates\.health\.check\.period: .*at least 1s/,
  ],
  ['a gate of nothing', measured({}), /^spec\.gates\.measured\[0\]: Required value: must have one of/],
  [
    'a gate of two',
    measured({ devices: { expression: 'true' }, webhook: { url: 'https://a.example' } }),
    /^spec\.gates\.measured\[0\]\.webhook: Forbidden: there is devices already/,
  ],
  [
    'two gates of one name',
    {
      gates: {
        measured: [
          { name: 'a', devices: { expression: 'true' } },
          { name: 'a', devices: { expression: 'true' } },
        ],
      },
    },
    /^spec\.gates\.measured\[1\]: Duplicate value/,
  ],
  [
    'the name of another gate',
    measured({ name: 'lost', devices: { expression: 'true' } }),
    /^spec\.gates\.measured\[0\]\.name: .*there is a gate of this name/,
  ],
  [
    'a condition that cannot be read',
    measured({ devices: { expression: 'metrics.memory <' } }),
    /^spec\.gates\.measured\[0\]\.devices\.expression: /,
  ],
  [
    'a condition on what there is not',
    measured({ devices: { expression: 'metrics.mem < 3' } }),
    /^spec\.gates\.measured\[0\]\.devices\.expression: .*No such key: mem/,
  ],
  [
    'a condition that is none',
    measured({ devices: { expression: 'restarts + 1' } }),
    /^spec\.gates\.measured\[0\]\.devices\.expression: .*is of type int/,
  ],
  [
    'a condition on devices in a query',
    measured({ prometheus: { url: 'https://a.example', query: 'up', expression: 'restarts == 0' } }),
    /^spec\.gates\.measured\[0\]\.prometheus\.expression: /,
  ],
  [
    'a URL that is none',
    measured({ webhook: { url: 'a.example' } }),
    /^spec\.gates\.measured\[0\]\.webhook\.url: .*begins with https/,
  ],
  [
    'a URL of files',
    measured({ webhook: { url: 'file:///etc/passwd' } }),
    /^spec\.gates\.measured\[0\]\.webhook\.url: .*begins with https/,
  ],
  [
    'a password in a URL',
    measured({ webhook: { url: 'https://a:b@a.example' } }),
    /^spec\.gates\.measured\[0\]\.webhook\.url: .*use tokenSecret/,
  ],
  [
    'a token that all can read',
    measured({ webhook: { url: 'http://a.example', tokenSecret: { name: 'a', key: 'b' } } }),
    /^spec\.gates\.measured\[0\]\.webhook\.url: .*https:\/\/ when a token/,
  ],
  [
    'certificates that are none',
    measured({ webhook: { url: 'https://a.example', caBundle: 'abc' } }),
    /^spec\.gates\.measured\[0\]\.webhook\.caBundle: /,
  ],
  [
    'an answer that is waited for too long',
    measured({ webhook: { url: 'https://a.example', timeout: '2m' } }),
    /^spec\.gates\.measured\[0\]\.webhook\.timeout: .*at most 60s/,
  ],
  [
    'a gate that is asked all the time',
    measured({ devices: { expression: 'true' }, interval: '1s' }),
    /^spec\.gates\.measured\[0\]\.interval: .*at least 10s/,
  ],
  [
    'a gate that cannot fail',
    measured({ devices: { expression: 'true', successThreshold: '0%' } }),
    /^spec\.gates\.measured\[0\]\.devices\.successThreshold: .*dryRun/,
  ],
  ['an unknown order', { device: { order: 'at-once' } }, /^spec\.device\.order: Unsupported value/],
] as const)
  t.test(`refused: ${what}`, async (t) => {
    const errors = errorsOf(spec);
    t.equal(errors.length, 1, errors.join('\n'));
    t.match(errors[0], error);
  });

t.test('accepted: gates of each sort, with their defaults', async (t) => {
  const gates = {
    health: { check: { httpGet: { port: 'web' } } },
    measured: [
      {
        name: 'memory',
        devices: {
          expression:
            'metrics.containers["main"].memory < quantity("200Mi").asInteger() && metrics.cpu < 0.5 && restarts == 0 && !(137 in exitCodes) && !("OOMKilled" in reasons) && pod.ready',
        },
      },
      {
        name: 'errors',
        prometheus: {
          url: 'http://a.example/prometheus',
          query: 'up',
          expression: 'result.all(sample, sample.value < 0.02 || sample.labels["job"] == "b")',
        },
      },
      { name: 'verdict', webhook: { url: 'https://a.example/', signingSecret: { name: 'a', key: 'b' } } },
    ],
  };
  t.same(errorsOf({ gates }), []);
  t.match(policyOf({ gates }).spec.gates, {
    health: {
      check: {
        httpGet: { path: '/', scheme: 'HTTP' },
        period: '10s',
        timeout: '1s',
        failureThreshold: 3,
      },
    },
    measured: [
      {
        devices: { successThreshold: '95%', minMeasured: 5 },
        interval: '1m',
        deadline: '15m',
        failureLimit: 0,
        onInconclusive: 'pause',
        dryRun: false,
      },
      { prometheus: { timeout: '10s' } },
      {},
    ],
  });
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
