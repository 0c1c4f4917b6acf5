import t from 'tap';
import {
  below,
  firstMissing,
  formatRanges,
  intersection,
  parseRanges,
  sizeOf,
  withIndexes,
} from '../../../hub/controllers/job/index-ranges.ts';
import { type JobPlan, planJob } from '../../../hub/controllers/job/job-plan.ts';
import { jobPod } from '../../../hub/controllers/job/job-pods.ts';
import type { JobObject, PodObject } from '../../../hub/resources/typed.ts';

const NOW = Date.parse('2026-01-01T00:00:00Z');
const at = (secondsAgo: number) => new Date(NOW - secondsAgo * 1000).toISOString().replace('.000', '');

const jobOf = (spec: object = {}, status: object = {}, metadata: object = {}) =>
  ({
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'work', namespace: 'default', uid: 'job', ...metadata },
    spec: {
      parallelism: 1,
      completions: 1,
      backoffLimit: 6,
      completionMode: 'NonIndexed',
      podReplacementPolicy: 'TerminatingOrFailed',
      template: { spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'busybox:1' }] } },
      ...spec,
    },
    status: { startTime: at(60), ...status },
  }) as JobObject;

interface PodTraits {
  readonly phase?: string;
  readonly ago?: number;
  readonly index?: number;
  readonly failures?: number;
  readonly ignored?: number;
  readonly code?: number;
  readonly counted?: boolean;
  readonly ending?: number;
  readonly restarts?: number;
  readonly ready?: boolean;
  readonly condition?: string;
}

const podOf = (uid: string, traits: PodTraits = {}): PodObject => {
  const {
    phase = 'Running',
    ago = 0,
    index,
    failures,
    ignored,
    counted = false,
    ending,
    restarts = 0,
  } = traits;
  const annotations = {
    ...(index !== undefined && { 'batch.kubernetes.io/job-completion-index': `${index}` }),
    ...(failures !== undefined && { 'batch.kubernetes.io/job-index-failure-count': `${failures}` }),
    ...(ignored !== undefined && { 'batch.kubernetes.io/job-index-ignored-failure-count': `${ignored}` }),
  };
  const hasEnded = phase === 'Succeeded' || phase === 'Failed';
  const exitCode = traits.code ?? (phase === 'Failed' ? 1 : 0);
  const state = hasEnded ? { terminated: { exitCode, finishedAt: at(ago) } } : { running: {} };
  const conditions = [
    { type: 'Ready', status: (traits.ready ?? !hasEnded) ? 'True' : 'False' },
    ...(traits.condition ? [{ type: traits.condition, status: 'True' }] : []),
  ];
  return {
    metadata: {
      name: uid,
      namespace: 'default',
      uid,
      creationTimestamp: at(100),
      annotations,
      ...(!counted && { finalizers: ['batch.kubernetes.io/job-tracking'] }),
      ...(ending !== undefined && { deletionTimestamp: at(-ending), deletionGracePeriodSeconds: ending }),
    },
    spec: { nodeName: 'node', containers: [{ name: 'main' }] },
    status: { phase, conditions, containerStatuses: [{ name: 'main', restartCount: restarts, state }] },
  } as unknown as PodObject;
};
const succeeded = (uid: string, more: PodTraits = {}) => podOf(uid, { phase: 'Succeeded', ...more });
const failed = (uid: string, more: PodTraits = {}) => podOf(uid, { phase: 'Failed', ...more });
const running = (uid: string, more: PodTraits = {}) => podOf(uid, more);
const names = (pods: readonly PodObject[]) => pods.map(({ metadata }) => metadata.name);
const indexes = ({ create }: JobPlan) => create.map(({ index }) => index);
const conditions = ({ status }: JobPlan) =>
  (status.conditions ?? []).map(({ type, status: state, reason }) => [type, state, reason].join(' '));
const indexed = (spec: object = {}) => ({
  completionMode: 'Indexed',
  completions: 4,
  parallelism: 4,
  ...spec,
});

t.test('as many pods as are missing', async (t) => {
  const created = (spec: object, status: object, ...pods: PodObject[]) =>
    planJob(jobOf(spec, status), pods, NOW).create.length;
  t.equal(created({}, {}), 1);
  t.equal(created({ parallelism: 3, completions: 10 }, {}, running('a')), 2);
  t.equal(created({ parallelism: 3, completions: 4 }, { succeeded: 2 }, running('a')), 1);
  t.equal(created({ parallelism: 3, completions: undefined }, {}), 3);
  t.equal(
    created({ parallelism: 3, completions: undefined }, { succeeded: 1 }, running('a')),
    0,
    'winding up',
  );
  t.equal(created({ parallelism: 2000, completions: 2000 }, {}), 500, 'so many at once');
  t.equal(created({ suspend: true }, {}), 0);
  t.equal(created({}, {}, running('a', { ending: 30 })), 0, 'the backoff of one that was deleted');
  const surplus = planJob(
    jobOf({ parallelism: 1, completions: 9 }),
    [running('a'), running('b', { ready: false })],
    NOW,
  );
  t.same([names(surplus.dismiss), names(surplus.remove), names(surplus.release)], [['b'], [], []]);
});

t.test('each pod is counted once, whenever the hub stops', async (t) => {
  const pods = [succeeded('a'), failed('b', { ago: 999 }), running('c')];
  const job = jobOf({ parallelism: 3, completions: 5 });
  const first = planJob(job, pods, NOW);
  const noted = { succeeded: ['a'], failed: ['b'] };
  t.match(first.status, { uncountedTerminatedPods: noted });
  t.same([first.status.succeeded, first.status.failed], [undefined, undefined]);
  t.same(names(first.release), ['a', 'b']);
  const again = planJob(jobOf(job.spec, first.status), pods, NOW);
  t.same(again.status.uncountedTerminatedPods, noted, 'stopped before the release: nothing changes');
  t.same(names(again.release), ['a', 'b']);
  const half = planJob(
    jobOf(job.spec, first.status),
    [succeeded('a', { counted: true }), ...pods.slice(1)],
    NOW,
  );
  t.match(half.status, { succeeded: 1, uncountedTerminatedPods: { failed: ['b'] } });
  const released = [succeeded('a', { counted: true }), failed('b', { counted: true }), running('c')];
  const counted = planJob(jobOf(job.spec, first.status), released, NOW);
  t.match(counted.status, { succeeded: 1, failed: 1 });
  t.same(counted.status.uncountedTerminatedPods, {});
  const removed = planJob(jobOf(job.spec, first.status), [running('c')], NOW);
  t.match(removed.status, { succeeded: 1, failed: 1 }, 'nor does it matter that they are removed');
  const later = planJob(jobOf(job.spec, counted.status), released, NOW);
  t.same(later.status, counted.status, 'and then nothing changes any more');
});

t.test('completion: decided, then told when all is counted', async (t) => {
  const first = planJob(jobOf(), [succeeded('a')], NOW);
  t.same(conditions(first), ['SuccessCriteriaMet True CompletionsReached']);
  t.equal(first.create.length, 0);
  const second = planJob(jobOf({}, first.status), [succeeded('a', { counted: true })], NOW);
  t.same(conditions(second), [
    'SuccessCriteriaMet True CompletionsReached',
    'Complete True CompletionsReached',
  ]);
  t.match(second.status, { succeeded: 1, completionTime: at(0), ready: 0, terminating: 0 });
  t.same(second.events, [{ type: 'Normal', reason: 'Completed', message: 'Job completed' }]);
  const waiting = planJob(
    jobOf({}, first.status),
    [succeeded('a', { counted: true }), running('b', { counted: true, ending: 30 })],
    NOW,
  );
  t.same(conditions(waiting).length, 1, 'not while one still ends');
});

t.test('how a Job fails', async (t) => {
  const reasonOf = (spec: object, status: object, ...pods: PodObject[]) =>
    planJob(jobOf(spec, status), pods, NOW).status.conditions?.map(({ reason }) => reason)[0];
  t.equal(reasonOf({ backoffLimit: 1 }, { failed: 1 }, failed('a')), 'BackoffLimitExceeded');
  t.equal(reasonOf({ backoffLimit: 1 }, {}, failed('a')), undefined);
  t.equal(
    reasonOf({ backoffLimit: 0 }, {}, running('a', { ending: 30 })),
    'BackoffLimitExceeded',
    'deleted is failed',
  );
  t.equal(
    reasonOf({ backoffLimit: 0, podReplacementPolicy: 'Failed' }, {}, running('a', { ending: 30 })),
    undefined,
  );
  t.equal(
    reasonOf({ backoffLimit: 0, podReplacementPolicy: 'Failed' }, {}, running('a', { ending: 0 })),
    'BackoffLimitExceeded',
    'the device has ended it',
  );
  const onFailure = { template: { spec: { restartPolicy: 'OnFailure', containers: [] } }, backoffLimit: 2 };
  t.equal(reasonOf(onFailure, {}, running('a', { restarts: 1 })), undefined);
  t.equal(reasonOf(onFailure, {}, running('a', { restarts: 2 })), 'BackoffLimitExceeded');
  t.equal(reasonOf({ activeDeadlineSeconds: 60 }, {}, running('a')), 'DeadlineExceeded');
  t.equal(reasonOf({ activeDeadlineSeconds: 60, suspend: true }, {}), 'JobSuspended');
  const young = planJob(jobOf({ activeDeadlineSeconds: 90 }), [running('a')], NOW);
  t.equal(young.wakeInMs, 30_000);

  const failing = planJob(
    jobOf({ backoffLimit: 0, parallelism: 2, completions: 2 }),
    [failed('a'), running('b')],
    NOW,
  );
  t.same([names(failing.remove), names(failing.release)], [['b'], ['a', 'b']]);
  t.same(failing.status.uncountedTerminatedPods, { failed: ['a', 'b'] }, 'what ran has failed as well');
  t.same(conditions(failing), ['FailureTarget True BackoffLimitExceeded']);
  const over = planJob(jobOf({ backoffLimit: 0 }, failing.status), [failed('a', { counted: true })], NOW);
  t.same(conditions(over), ['FailureTarget True BackoffLimitExceeded', 'Failed True BackoffLimitExceeded']);
  t.same(over.events, [
    {
      type: 'Warning',
      reason: 'BackoffLimitExceeded',
      message: 'Job has reached the specified backoff limit',
    },
  ]);
  t.equal(over.status.failed, 2);
});

t.test('the more have failed, the longer until the next', async (t) => {
  const waits = (pods: PodObject[]) => {
    const { create, wakeInMs } = planJob(jobOf({ backoffLimit: 100 }), pods, NOW);
    return create.length > 0 ? 'now' : wakeInMs;
  };
  t.equal(waits([failed('a', { ago: 4 })]), 6_000);
  t.equal(waits([failed('a', { ago: 10 })]), 'now');
  t.equal(waits([failed('a', { ago: 50 }), failed('b', { ago: 4 })]), 16_000);
  t.equal(waits([failed('a', { ago: 50, counted: true }), failed('b', { ago: 4 })]), 16_000);
  t.equal(waits([failed('a', { ago: -3600 })]), 10_000, 'a device whose clock is ahead');
  const many = Array.from({ length: 30 }, (_, index) => failed(`p${index}`, { ago: 1 }));
  t.equal(waits(many), 599_000);
  const mixed = planJob(
    jobOf({ completions: 2 }, { succeeded: 1 }),
    [failed('a', { ago: 5 }), succeeded('b', { ago: 2, counted: true })],
    NOW,
  );
  t.equal(mixed.create.length, 1, 'a success begins anew');
});

t.test('podFailurePolicy', async (t) => {
  const rules = [
    { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
    { action: 'FailJob', onExitCodes: { containerName: 'main', operator: 'In', values: [42] } },
    { action: 'Count', onExitCodes: { operator: 'NotIn', values: [1] } },
  ];
  const spec = { backoffLimit: 0, podFailurePolicy: { rules }, podReplacementPolicy: 'Failed' };
  const plan = (pod: PodObject) => planJob(jobOf(spec), [pod], NOW);
  const ignored = plan(failed('a', { condition: 'DisruptionTarget', ago: 60 }));
  t.equal(ignored.create.length, 1);
  t.same(names(ignored.release), ['a']);
  t.same(ignored.status.uncountedTerminatedPods, {});
  const fatal = plan(failed('a', { code: 42 }));
  t.match(fatal.status.conditions, [
    {
      reason: 'PodFailurePolicy',
      message: 'Container main for pod default/a failed with exit code 42 matching FailJob rule at index 1',
    },
  ]);
  t.same(conditions(plan(failed('a', { code: 3 }))), ['FailureTarget True BackoffLimitExceeded']);
});

t.test('indexes', async (t) => {
  t.same(indexes(planJob(jobOf(indexed()), [], NOW)), [0, 1, 2, 3]);
  const some = planJob(
    jobOf(indexed(), { completedIndexes: '0' }),
    [succeeded('b', { index: 1 }), running('c', { index: 2 }), succeeded('x', { index: 9 })],
    NOW,
  );
  t.same(indexes(some), [3]);
  t.match(some.status, { succeeded: 2, completedIndexes: '0,1' });
  t.same(some.status.uncountedTerminatedPods, {}, 'the index is the note');
  t.same(names(some.release), ['b', 'x']);
  const doubled = planJob(
    jobOf(indexed()),
    [running('a', { index: 0 }), running('b', { index: 0 }), running('c', { index: 7 })],
    NOW,
  );
  t.same(names(doubled.dismiss), ['b', 'c']);
  const pod = jobPod(jobOf(indexed()), { index: 3 });
  t.match(pod, {
    metadata: {
      generateName: 'work-3-',
      labels: { 'batch.kubernetes.io/job-completion-index': '3' },
      annotations: { 'batch.kubernetes.io/job-completion-index': '3' },
      finalizers: ['batch.kubernetes.io/job-tracking'],
    },
    spec: {
      hostname: 'work-3',
      containers: [
        {
          env: [
            {
              name: 'JOB_COMPLETION_INDEX',
              valueFrom: {
                fieldRef: { fieldPath: "metadata.labels['batch.kubernetes.io/job-completion-index']" },
              },
            },
          ],
        },
      ],
    },
  });
});

t.test('a limit for each index', async (t) => {
  const spec = indexed({
    backoffLimitPerIndex: 1,
    completions: 2,
    parallelism: 2,
    backoffLimit: 2 ** 31 - 1,
  });
  const first = planJob(
    jobOf(spec),
    [failed('a', { index: 0, failures: 0, ago: 5 }), running('b', { index: 1 })],
    NOW,
  );
  t.equal(first.wakeInMs, 5_000);
  t.same(names(first.release), [], 'kept until its replacement knows of the failure');
  const due = planJob(
    jobOf(spec),
    [failed('a', { index: 0, failures: 0, ago: 10 }), running('b', { index: 1 })],
    NOW,
  );
  t.same(due.create, [{ index: 0, failures: { counted: 1, ignored: 0 } }]);
  const replaced = planJob(
    jobOf(spec),
    [
      failed('a', { index: 0, failures: 0 }),
      running('c', { index: 0, failures: 1 }),
      running('b', { index: 1 }),
    ],
    NOW,
  );
  t.same(names(replaced.release), ['a']);
  const lost = planJob(
    jobOf(spec),
    [failed('c', { index: 0, failures: 1 }), running('b', { index: 1 })],
    NOW,
  );
  t.equal(lost.status.failedIndexes, '0');
  t.same([names(lost.release), lost.create.length], [['c'], 0]);
  t.same(conditions(lost), []);
  const both = planJob(jobOf(spec, { failedIndexes: '0' }), [succeeded('b', { index: 1 })], NOW);
  t.same(conditions(both), ['FailureTarget True FailedIndexes']);
  const strict = planJob(
    jobOf({ ...spec, maxFailedIndexes: 0 }),
    [failed('c', { index: 0, failures: 1 })],
    NOW,
  );
  t.same(conditions(strict), ['FailureTarget True MaxFailedIndexesExceeded']);
  const rules = [{ action: 'FailIndex', onExitCodes: { operator: 'In', values: [42] } }];
  const policy = { ...spec, podFailurePolicy: { rules } };
  const atOnce = planJob(jobOf(policy), [failed('a', { index: 0, failures: 0, code: 42 })], NOW);
  t.equal(atOnce.status.failedIndexes, '0');
});

t.test('successPolicy', async (t) => {
  const plan = (rules: object[], completedIndexes: string) =>
    planJob(
      jobOf(indexed({ successPolicy: { rules } }), { completedIndexes }),
      [running('a', { index: 3 })],
      NOW,
    );
  const met = plan([{ succeededIndexes: '1-2', succeededCount: 2 }, { succeededIndexes: '0' }], '0');
  t.same(conditions(met), ['SuccessCriteriaMet True SuccessPolicy']);
  t.equal(met.status.conditions?.[0]?.message, 'Matched rules at index 1');
  t.same(
    [names(met.remove), met.status.uncountedTerminatedPods],
    [['a'], {}],
    'what still runs has not failed',
  );
  t.same(conditions(plan([{ succeededCount: 2 }], '0')), []);
  t.same(conditions(plan([{ succeededCount: 2 }], '0,2')).length, 1);
  t.same(conditions(plan([{ succeededIndexes: '0-999999999' }], '0-2')), []);
});

t.test('suspended and resumed', async (t) => {
  const stopped = planJob(jobOf({ suspend: true }), [running('a')], NOW);
  t.same(names(stopped.dismiss), ['a']);
  t.same(conditions(stopped), ['Suspended True JobSuspended']);
  t.same(stopped.events, [{ type: 'Normal', reason: 'Suspended', message: 'Job suspended' }]);
  const resumed = planJob(jobOf({ activeDeadlineSeconds: 60 }, stopped.status), [], NOW);
  t.same(conditions(resumed), ['Suspended False JobResumed']);
  t.same([resumed.create.length, resumed.status.startTime], [1, at(0)], 'its time begins anew');
  const never = planJob(jobOf({ suspend: true }, { startTime: undefined }), [], NOW);
  t.equal(never.status.startTime, undefined);
});

t.test('podReplacementPolicy', async (t) => {
  const ending = running('a', { ending: 30 });
  const spec = { podReplacementPolicy: 'Failed', parallelism: 2, completions: 2 };
  const waiting = planJob(jobOf(spec), [ending], NOW);
  t.same([waiting.create.length, waiting.status.terminating, names(waiting.release)], [1, 1, []]);
});

t.test('a Job that ends lets its pods go and makes none', async (t) => {
  const plan = planJob(
    jobOf({ completions: 3, parallelism: 3 }, {}, { deletionTimestamp: at(0) }),
    [running('a')],
    NOW,
  );
  t.same([plan.create.length, names(plan.release)], [0, ['a']]);
});

t.test('sets of indexes', async (t) => {
  for (const [text, normal] of [
    ['', ''],
    ['0', '0'],
    ['3,4', '3,4'],
    ['3-4', '3,4'],
    ['1,3-5,7', '1,3-5,7'],
    ['1,2,3', '1-3'],
  ] as const)
    t.equal(formatRanges(parseRanges(text)), normal);
  const ranges = parseRanges('1,3-5');
  t.equal(formatRanges(withIndexes(ranges, [2, 9])), '1-5,9');
  t.equal(formatRanges(below(ranges, 4)), '1,3');
  t.equal(formatRanges(intersection(ranges, parseRanges('0-3,5'))), '1,3,5');
  t.equal(sizeOf(ranges), 4);
  t.same(firstMissing(ranges, 8, 3), [0, 2, 6]);
  t.same(firstMissing(ranges, 3, 9), [0, 2]);
  t.same(firstMissing([], 2 ** 31, 2), [0, 1]);
});
