import t from 'tap';
import { namesTimeZone, scheduleError, timeZoneError } from '../../../hub/resources/cron-schedule.ts';
import { cronJobs, jobs } from '../../../hub/resources/table-of-resources.ts';
import type { JobObject } from '../../../hub/resources/typed.ts';
import {
  cells,
  columnNames,
  created,
  errorsOf,
  type Loose,
  refuses,
  refusesUpdates,
  sample,
} from './rule-rows.ts';

const NOT_NEGATIVE = 'must be greater than or equal to 0';
const spec = (fields: Loose) => ({ spec: fields });
const indexed = { completionMode: 'Indexed', completions: 3 };

t.test('Job: defaults', async (t) => {
  t.match(sample(jobs), {
    metadata: { labels: { app: 'sample' } },
    spec: {
      completions: 1,
      parallelism: 1,
      backoffLimit: 6,
      completionMode: 'NonIndexed',
      suspend: false,
      manualSelector: false,
      podReplacementPolicy: 'TerminatingOrFailed',
    },
  });
  const parallel = sample(jobs, spec({ parallelism: 4 })) as JobObject;
  t.equal(parallel.spec.completions, undefined, 'a work queue has no number of completions');
  t.equal(
    (sample(jobs, spec({ ...indexed, backoffLimitPerIndex: 1 })) as JobObject).spec.backoffLimit,
    2 ** 31 - 1,
  );
  const rules = [{ action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget' }] }];
  t.match(sample(jobs, spec({ podFailurePolicy: { rules } })).spec, {
    podReplacementPolicy: 'Failed',
    podFailurePolicy: { rules: [{ onPodConditions: [{ status: 'True' }] }] },
  });
});

t.test('Job: finds its pods by its uid', async (t) => {
  const generated = {
    'batch.kubernetes.io/controller-uid': 'u-1',
    'controller-uid': 'u-1',
    'batch.kubernetes.io/job-name': 'sample',
    'job-name': 'sample',
  };
  t.match(created(jobs).spec, {
    selector: { matchLabels: { 'batch.kubernetes.io/controller-uid': 'u-1' } },
    template: { metadata: { labels: { app: 'sample', ...generated } } },
  });
  const plain = created(jobs, spec({ template: { metadata: undefined } }));
  t.same(plain.metadata.labels, generated, 'a Job has the labels of its template');
  const selector = { matchLabels: { app: 'sample' } };
  t.same(errorsOf(jobs, created(jobs, spec({ selector, manualSelector: true }))), []);
  t.match(errorsOf(jobs, created(jobs, spec({ selector }))), [
    /^spec.selector: .*`selector` not auto-generated$/,
  ]);
  t.match(errorsOf(jobs, created(jobs, spec({ template: { metadata: { labels: { 'job-name': 'x' } } } }))), [
    /must be 'sample' for the label job-name$/,
  ]);
  t.same(errorsOf(jobs, created(jobs, spec({ manualSelector: true }))), ['spec.selector: Required value']);
});

t.test('Job: what is wrong', async (t) => {
  const counts = [
    'parallelism',
    'completions',
    'activeDeadlineSeconds',
    'backoffLimit',
    'ttlSecondsAfterFinished',
  ];
  const rule = (fields: Loose) => spec({ podFailurePolicy: { rules: [{ action: 'Count', ...fields }] } });
  const codes = (fields: Loose) => rule({ onExitCodes: { operator: 'In', values: [1], ...fields } });
  const at = 'spec.podFailurePolicy.rules[0]';
  const success = (...rules: Loose[]) => spec({ ...indexed, successPolicy: { rules } });
  refuses(t, jobs, [
    ...counts.map((key) => [spec({ [key]: -1 }), `spec.${key}: Invalid value: -1: ${NOT_NEGATIVE}`] as const),
    [
      spec({ completionMode: 'x' }),
      'spec.completionMode: Unsupported value: "x": supported values: "NonIndexed", "Indexed"',
    ],
    [
      spec({ completionMode: 'Indexed', parallelism: 2 }),
      'spec.completions: Required value: when completion mode is Indexed',
    ],
    [
      spec({ ...indexed, parallelism: 100_001 }),
      'spec.parallelism: Invalid value: 100001: must be less than or equal to 100000 when completion mode is Indexed',
    ],
    [
      spec({ backoffLimitPerIndex: 1 }),
      'spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode',
    ],
    [
      spec({ ...indexed, maxFailedIndexes: 1 }),
      'spec.backoffLimitPerIndex: Required value: when maxFailedIndexes is specified',
    ],
    [
      spec({ ...indexed, backoffLimitPerIndex: 1, maxFailedIndexes: 4 }),
      'spec.maxFailedIndexes: Invalid value: 4: must be less than or equal to completions',
    ],
    [
      spec({ ...indexed, completions: 100_001, backoffLimitPerIndex: 1 }),
      'spec.maxFailedIndexes: Required value: must be specified when completions is above 100000',
    ],
    [
      spec({
        ...indexed,
        completions: 100_001,
        parallelism: 10_001,
        backoffLimitPerIndex: 1,
        maxFailedIndexes: 1,
      }),
      'spec.parallelism: Invalid value: 10001: must be less than or equal to 10000 when completions are above 100000 and used with backoff limit per index',
    ],
    [
      spec({ podReplacementPolicy: 'x' }),
      'spec.podReplacementPolicy: Unsupported value: "x": supported values: "Failed", "TerminatingOrFailed"',
    ],
    [
      spec({ managedBy: 'me' }),
      'spec.managedBy: Invalid value: "me": must be a domain-prefixed path (such as "acme.io/foo")',
    ],
    [
      spec({ managedBy: `a.io/${'x'.repeat(60)}` }),
      'spec.managedBy: Too long: may not be more than 63 bytes',
    ],
    [
      spec({ template: { spec: { restartPolicy: undefined } } }),
      'spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"',
    ],
    [spec({ template: { spec: { containers: [] } } }), 'spec.template.spec.containers: Required value'],
    [
      rule({ action: 'x', onExitCodes: { operator: 'In', values: [1] } }),
      `${at}.action: Unsupported value: "x": supported values: "Count", "FailIndex", "FailJob", "Ignore"`,
    ],
    [
      rule({ action: 'FailIndex', onExitCodes: { operator: 'In', values: [1] } }),
      `${at}.action: Invalid value: "FailIndex": requires the backoffLimitPerIndex to be set`,
    ],
    [
      rule({}),
      `${at}: Invalid value: {"action":"Count"}: specifying one of OnExitCodes and OnPodConditions is required`,
    ],
    [
      codes({ operator: 'x' }),
      `${at}.onExitCodes.operator: Unsupported value: "x": supported values: "In", "NotIn"`,
    ],
    [
      codes({ containerName: 'x' }),
      `${at}.onExitCodes.containerName: Invalid value: "x": must be one of the container or initContainer names in the pod template`,
    ],
    [codes({ values: [] }), `${at}.onExitCodes.values: Invalid value: []: at least one value is required`],
    [
      codes({ values: [0] }),
      `${at}.onExitCodes.values[0]: Invalid value: 0: must not be 0 for the In operator`,
    ],
    [codes({ values: [1, 1] }), `${at}.onExitCodes.values[1]: Duplicate value: 1`],
    [codes({ values: [2, 1] }), `${at}.onExitCodes.values: Invalid value: [2,1]: must be ordered`],
    [
      rule({ onPodConditions: [{ type: 'a', status: 'x' }] }),
      `${at}.onPodConditions[0].status: Unsupported value: "x": supported values: "False", "True", "Unknown"`,
    ],
    [
      { spec: { template: { spec: { restartPolicy: 'OnFailure' } }, podFailurePolicy: { rules: [] } } },
      'spec.template.spec.restartPolicy: Invalid value: "OnFailure": only "Never" is supported when podFailurePolicy is specified',
    ],
    [
      spec({ podFailurePolicy: { rules: [] }, podReplacementPolicy: 'TerminatingOrFailed' }),
      'spec.podReplacementPolicy: Unsupported value: "TerminatingOrFailed": supported values: "Failed"',
    ],
    [
      spec({ successPolicy: { rules: [{ succeededCount: 1 }] } }),
      'spec.successPolicy: Invalid value: {"rules":[{"succeededCount":1}]}: requires indexed completion mode',
    ],
    [
      success(),
      'spec.successPolicy.rules: Required value: at least one rules must be specified when the successPolicy is specified',
    ],
    [
      success({}),
      'spec.successPolicy.rules[0]: Required value: at least one of succeededCount or succeededIndexes must be specified',
    ],
    [
      success({ succeededCount: 4 }),
      'spec.successPolicy.rules[0].succeededCount: Invalid value: 4: must be less than or equal to 3 (the number of specified completions)',
    ],
    [
      success({ succeededIndexes: '1-3' }),
      'spec.successPolicy.rules[0].succeededIndexes: Invalid value: "1-3": error parsing succeededIndexes: cannot use the range 1-3',
    ],
    [success({ succeededIndexes: '0,2' })],
  ]);
  const many = Array.from({ length: 21 }, () => ({
    action: 'Count',
    onExitCodes: { operator: 'In', values: [1] },
  }));
  t.same(errorsOf(jobs, created(jobs, spec({ podFailurePolicy: { rules: many } }))), [
    'spec.podFailurePolicy.rules: Too many: 21: must have at most 20 items',
  ]);
  const both = rule({ onExitCodes: { operator: 'In', values: [1] }, onPodConditions: [{ type: 'a' }] });
  t.match(errorsOf(jobs, created(jobs, both)), [
    /specifying both OnExitCodes and OnPodConditions is not supported$/,
  ]);
});

t.test('Job: what may change', async (t) => {
  const immutable = (field: string, value: unknown) =>
    `spec.${field}: Invalid value: ${JSON.stringify(value)}: field is immutable`;
  refusesUpdates(t, jobs, {}, [
    [
      spec({
        parallelism: 3,
        suspend: true,
        activeDeadlineSeconds: 5,
        ttlSecondsAfterFinished: 1,
        backoffLimit: 1,
      }),
    ],
    [spec({ completions: 2 }), immutable('completions', 2)],
    [spec({ managedBy: 'a.io/b' }), immutable('managedBy', 'a.io/b')],
  ]);
  refusesUpdates(t, jobs, spec({ ...indexed, parallelism: 3 }), [
    [spec({ completions: 5, parallelism: 5 })],
    [
      spec({ completions: 5 }),
      'spec.completions: Invalid value: 5: can only be modified in tandem with spec.parallelism',
    ],
  ]);
  const selector = { spec: { template: { spec: { nodeSelector: { disk: 'fast' } } } } };
  refusesUpdates(t, jobs, spec({ suspend: true }), [[selector]]);
  const old = created(jobs);
  const next = structuredClone(old) as JobObject;
  next.spec.template.spec = { ...next.spec.template.spec, containers: [], nodeSelector: { disk: 'fast' } };
  t.match(errorsOf(jobs, next, old).at(-1), /^spec.template: Invalid value: .*field is immutable$/);
  const suspended = created(jobs, spec({ suspend: true }));
  const { template: _, ...bare } = suspended.spec as JobObject['spec'];
  t.match(
    errorsOf(jobs, { ...suspended, spec: bare }, suspended),
    [/^spec\.template/],
    'a Job that may move may not lose its template',
  );
});

t.test('Job: columns', async (t) => {
  t.equal(columnNames(jobs), 'Name, Status, Completions, Duration, Age, Containers*, Images*, Selector*');
  const status = { startTime: '2026-01-01T00:00:00Z', succeeded: 1 };
  t.same(cells(jobs, { status }), [
    'sample',
    'Running',
    '1/1',
    '60m',
    '60m',
    'main',
    'nginx:1.27',
    'batch.kubernetes.io/controller-uid=u-1',
  ]);
  const state = (change: Loose) => cells(jobs, change)[1];
  const condition = (type: string) => ({ status: { conditions: [{ type, status: 'True' }] } });
  for (const type of ['Complete', 'Failed', 'Suspended', 'FailureTarget', 'SuccessCriteriaMet'])
    t.equal(state(condition(type)), type);
  t.equal(state({ metadata: { deletionTimestamp: 'x' } }), 'Terminating');
  t.equal(cells(jobs, spec({ completions: undefined, parallelism: 4 }))[2], '0/1 of 4');
  t.equal(cells(jobs, { status: { ...status, completionTime: '2026-01-01T00:01:30Z' } })[3], '90s');
  t.equal(cells(jobs)[3], '', 'one that did not start');
  t.equal(jobs.fieldSelectors?.['status.successful']?.({ ...sample(jobs), status: { succeeded: 3 } }), '3');
});

t.test('schedules', async (t) => {
  const right = [
    '* * * * *',
    '*/5 0 1 jan MON-fri',
    '0,30 8-18/2 * * 1-5',
    '? ? ? ? ?',
    '0/15 * * * *',
    '@hourly',
    '@daily',
    '@midnight',
    '@weekly',
    '@monthly',
    '@yearly',
    '@annually',
    '@every 1h30m',
  ];
  for (const schedule of right) t.equal(scheduleError(schedule), undefined, schedule);
  const wrong: [string, string][] = [
    ['  ', 'empty spec string'],
    ['* * * *', 'expected exactly 5 fields, found 4: [* * * *]'],
    ['0 * * * * *', 'expected exactly 5 fields, found 6: [0 * * * * *]'],
    ['60 * * * *', 'end of range (60) above maximum (59): 60'],
    ['* * 0 * *', 'beginning of range (0) below minimum (1): 0'],
    ['* * * * 7', 'end of range (7) above maximum (6): 7'],
    ['5-1 * * * *', 'beginning of range (5) beyond end of range (1): 5-1'],
    ['*/0 * * * *', 'step of range should be a positive number: */0'],
    ['0 0 L * *', 'failed to parse L: invalid syntax'],
    ['0 0 * * mon#1', 'failed to parse mon#1: invalid syntax'],
    ['@reboot', 'unrecognized descriptor: @reboot'],
    ['@every soon', 'failed to parse duration @every soon: time: invalid duration "soon"'],
  ];
  for (const [schedule, problem] of wrong) t.equal(scheduleError(schedule), problem, schedule);
  t.equal(namesTimeZone('CRON_TZ=UTC * * * * *'), true);
  t.equal(timeZoneError('Europe/Berlin'), undefined);
  t.equal(timeZoneError('Mars/Base'), 'unknown time zone Mars/Base');
  t.equal(timeZoneError('+02:00'), 'unknown time zone +02:00');
});

t.test('CronJob', async (t) => {
  t.match(sample(cronJobs).spec, {
    concurrencyPolicy: 'Allow',
    suspend: false,
    successfulJobsHistoryLimit: 3,
    failedJobsHistoryLimit: 1,
    jobTemplate: { spec: { template: { spec: { dnsPolicy: 'ClusterFirst' } } } },
  });
  refuses(t, cronJobs, [
    [spec({ schedule: '' }), 'spec.schedule: Required value'],
    [
      spec({ schedule: '* *' }),
      'spec.schedule: Invalid value: "* *": expected exactly 5 fields, found 2: [* *]',
    ],
    [
      spec({ schedule: 'TZ=UTC * * * * *' }),
      'spec.schedule: Invalid value: "TZ=UTC * * * * *": cannot use TZ or CRON_TZ in schedule, use timeZone field instead',
    ],
    [
      spec({ schedule: 'TZ=UTC * * * * *', timeZone: 'Etc/UTC' }),
      'spec.schedule: Invalid value: "TZ=UTC * * * * *": cannot use both timeZone field and TZ or CRON_TZ in schedule',
    ],
    [spec({ timeZone: '' }), 'spec.timeZone: Invalid value: "": timeZone must be nil or non-empty string'],
    [
      spec({ timeZone: 'local' }),
      'spec.timeZone: Invalid value: "local": timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones',
    ],
    [
      spec({ timeZone: 'Mars/Base' }),
      'spec.timeZone: Invalid value: "Mars/Base": unknown time zone Mars/Base',
    ],
    [
      spec({ startingDeadlineSeconds: -1 }),
      `spec.startingDeadlineSeconds: Invalid value: -1: ${NOT_NEGATIVE}`,
    ],
    [
      spec({ concurrencyPolicy: 'x' }),
      'spec.concurrencyPolicy: Unsupported value: "x": supported values: "Allow", "Forbid", "Replace"',
    ],
    [
      spec({ successfulJobsHistoryLimit: -1 }),
      `spec.successfulJobsHistoryLimit: Invalid value: -1: ${NOT_NEGATIVE}`,
    ],
    [spec({ failedJobsHistoryLimit: -1 }), `spec.failedJobsHistoryLimit: Invalid value: -1: ${NOT_NEGATIVE}`],
    [
      spec({ jobTemplate: { spec: undefined } }),
      'spec.jobTemplate.spec.template.spec.containers: Required value',
    ],
    [
      spec({ jobTemplate: { spec: { parallelism: -1 } } }),
      `spec.jobTemplate.spec.parallelism: Invalid value: -1: ${NOT_NEGATIVE}`,
    ],
    [
      spec({ jobTemplate: { spec: { manualSelector: true } } }),
      'spec.jobTemplate.spec.manualSelector: Unsupported value: true: supported values: "nil", "false"',
    ],
    [
      { metadata: { name: 'x'.repeat(53) } },
      `metadata.name: Invalid value: "${'x'.repeat(53)}": must be no more than 52 characters`,
    ],
  ]);
  t.same(
    errorsOf(
      cronJobs,
      sample(cronJobs, spec({ schedule: 'TZ=UTC * * * * *' })),
      sample(cronJobs, spec({ schedule: 'TZ=UTC 1 * * * *' })),
    ),
    [],
    'who has a zone in the schedule may keep it',
  );
  t.equal(
    columnNames(cronJobs),
    'Name, Schedule, Timezone, Suspend?, Active#, Last Schedule, Age, Containers*, Images*, Selector*',
  );
  t.same(cells(cronJobs), [
    'sample',
    '*/5 * * * *',
    '<none>',
    'False',
    0,
    '<none>',
    '60m',
    'main',
    'nginx:1.27',
    '<none>',
  ]);
  const status = { active: [{}], lastScheduleTime: '2026-01-01T00:55:00Z' };
  t.same(cells(cronJobs, { spec: { timeZone: 'Etc/UTC', suspend: true }, status }).slice(2, 6), [
    'Etc/UTC',
    'True',
    1,
    '5m',
  ]);
});
