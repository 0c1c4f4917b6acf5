import t from 'tap';
import { planCronJob, scheduledJob } from '../../../hub/controllers/cron-job/cron-job-plan.ts';
import { readSchedule } from '../../../hub/resources/cron-schedule.ts';
import { cronJobs, events, jobs } from '../../../hub/resources/table-of-resources.ts';
import type { CronJobObject, EventObject, JobObject } from '../../../hub/resources/typed.ts';
import { Cluster } from './cluster.ts';

const ms = (text: string) => Date.parse(text);
const text = (atMs: number | undefined) => atMs && new Date(atMs).toISOString().replace(':00.000Z', '');

t.test('when a schedule is due next', async (t) => {
  for (const [schedule, zone, after, ...times] of [
    ['* * * * *', 'UTC', '2026-01-01T00:00:30Z', '2026-01-01T00:01', '2026-01-01T00:02'],
    ['0 * * * *', 'UTC', '2026-01-01T00:00:00Z', '2026-01-01T01:00'],
    ['30 6 * * *', 'Europe/Berlin', '2026-01-01T00:00:00Z', '2026-01-01T05:30'],
    ['30 6 * * *', 'Europe/Berlin', '2026-07-01T00:00:00Z', '2026-07-01T04:30'],
    ['TZ=Asia/Tokyo 0 9 * * *', undefined, '2026-01-01T01:00:00Z', '2026-01-02T00:00'],
    ['0 0 1 * 1', 'UTC', '2026-01-01T00:00:00Z', '2026-01-05T00:00', '2026-01-12T00:00'],
    ['0 0 */2 * 1', 'UTC', '2026-01-01T00:00:00Z', '2026-01-05T00:00', '2026-01-19T00:00'],
    ['0 0 ? * MON', 'UTC', '2026-01-01T00:00:00Z', '2026-01-05T00:00', '2026-01-12T00:00'],
    ['@hourly', 'UTC', '2026-01-01T00:30:00Z', '2026-01-01T01:00'],
    ['@daily', 'UTC', '2026-01-01T00:30:00Z', '2026-01-02T00:00'],
    ['@weekly', 'UTC', '2026-01-01T00:30:00Z', '2026-01-04T00:00'],
    ['@monthly', 'UTC', '2026-01-01T00:30:00Z', '2026-02-01T00:00'],
    ['@yearly', 'UTC', '2026-01-01T00:30:00Z', '2027-01-01T00:00'],
    ['@every 1h30m', 'UTC', '2026-01-01T00:00:00Z', '2026-01-01T01:30', '2026-01-01T03:00'],
    ['59 23 31 2 *', 'UTC', '2026-01-01T00:00:00Z', undefined],
  ] as const) {
    const { next } = readSchedule(schedule, zone);
    let atMs: number | undefined = ms(after);
    for (const time of times) {
      atMs = atMs === undefined ? undefined : next(atMs);
      t.equal(text(atMs), time, schedule);
    }
  }
});

t.test('when it was due last', async (t) => {
  const latest = (schedule: string, after: string, until: string) =>
    text(readSchedule(schedule, 'UTC').latest(ms(after), ms(until)));
  t.equal(latest('* * * * *', '2026-01-01T00:00:00Z', '2026-01-01T00:00:59Z'), undefined);
  t.equal(latest('* * * * *', '2026-01-01T00:00:00Z', '2026-01-01T00:01:00Z'), '2026-01-01T00:01');
  t.equal(
    latest('* * * * *', '2016-01-01T00:00:00Z', '2026-01-01T00:01:30Z'),
    '2026-01-01T00:01',
    'years of them',
  );
  t.equal(latest('0 0 29 2 *', '2020-01-01T00:00:00Z', '2026-01-01T00:00:00Z'), '2024-02-29T00:00');
  t.equal(latest('0 8 1 * *', '2026-01-01T08:00:00Z', '2026-02-01T07:59:59Z'), undefined);
  t.equal(latest('@every 45m', '2026-01-01T00:00:00Z', '2026-01-01T02:00:00Z'), '2026-01-01T01:30');
  t.equal(latest('@every 45m', '2026-01-01T00:00:00Z', '2026-01-01T00:44:00Z'), undefined);
  t.equal(latest('59 23 31 2 *', '2026-01-01T00:00:00Z', '2036-01-01T00:44:00Z'), undefined);
});

const cronJobOf = (spec: object = {}, status: object = {}) =>
  ({
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: { name: 'tick', namespace: 'default', uid: 'cron', creationTimestamp: '2026-01-01T00:00:30Z' },
    spec: {
      schedule: '*/10 * * * *',
      timeZone: 'UTC',
      concurrencyPolicy: 'Allow',
      successfulJobsHistoryLimit: 3,
      failedJobsHistoryLimit: 1,
      jobTemplate: {
        metadata: { labels: { of: 'tick' } },
        spec: {
          template: { spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'busybox:1' }] } },
        },
      },
      ...spec,
    },
    status,
  }) as CronJobObject;
const jobAt = (time: string, outcome?: 'Complete' | 'Failed', scheduled = true) =>
  ({
    metadata: {
      name: `tick-${time}`,
      namespace: 'default',
      uid: `uid-${time}`,
      ...(scheduled && {
        annotations: { 'batch.kubernetes.io/cronjob-scheduled-timestamp': `2026-01-01T${time}:00Z` },
      }),
    },
    status: {
      startTime: `2026-01-01T${time}:00Z`,
      ...(outcome && { conditions: [{ type: outcome, status: 'True' }] }),
      ...(outcome === 'Complete' && { completionTime: `2026-01-01T${time}:30Z` }),
    },
  }) as unknown as JobObject;
const at = (time: string) => ms(`2026-01-01T${time}Z`);

t.test('a Job when it is due, and the wait for the next', async (t) => {
  const plan = (now: string, spec: object = {}, status: object = {}, ...owned: JobObject[]) => {
    const { startMs, wakeInMs } = planCronJob(cronJobOf(spec, status), owned, at(now));
    return [startMs === undefined ? undefined : new Date(startMs).toISOString().slice(11, 19), wakeInMs];
  };
  t.same(plan('00:01:00'), [undefined, 540_000]);
  t.same(plan('00:10:00'), ['00:10:00', 600_000]);
  t.same(plan('00:10:00', {}, { lastScheduleTime: '2026-01-01T00:10:00Z' }), [undefined, 600_000]);
  t.same(
    plan('00:10:01', {}, {}, jobAt('00:10')),
    [undefined, 599_000],
    'the Job itself says that it was made',
  );
  t.same(plan('05:03:00'), ['05:00:00', 420_000], 'of many missed, the last');
  t.same(plan('00:13:00', { startingDeadlineSeconds: 100 }), [undefined, 420_000], 'too late');
  t.same(plan('00:11:00', { startingDeadlineSeconds: 100 }), ['00:10:00', 540_000]);
  t.same(plan('00:20:00', { suspend: true }), [undefined, undefined]);
  t.same(plan('00:20:00', { schedule: '59 23 31 2 *' }), [undefined, undefined]);
  t.same(plan('00:20:00', { schedule: '@every 7m' }), ['00:14:30', 90_000]);
  const far = planCronJob(cronJobOf({ schedule: '* * * * *' }), [], at('03:00:00'));
  t.same(
    far.events.map(({ reason }) => reason),
    ['TooManyMissedTimes'],
  );
  const nowhere = planCronJob(cronJobOf({ timeZone: 'Nowhere/Here' }), [], at('03:00:00'));
  t.same([nowhere.startMs, nowhere.events[0]?.reason], [undefined, 'UnknownTimeZone']);
});

t.test('while one runs', async (t) => {
  const plan = (concurrencyPolicy: string, ...owned: JobObject[]) => {
    const {
      startMs,
      replace,
      events: told,
    } = planCronJob(cronJobOf({ concurrencyPolicy }), owned, at('00:20:00'));
    return [startMs !== undefined, replace.length, told.map(({ reason }) => reason).join()];
  };
  const runs = jobAt('00:10');
  t.same(plan('Allow', runs), [true, 0, '']);
  t.same(plan('Forbid', runs), [false, 0, 'JobAlreadyActive']);
  t.same(plan('Forbid', jobAt('00:10', 'Complete')), [true, 0, '']);
  t.same(plan('Forbid', jobAt('00:10', undefined, false)), [true, 0, ''], 'one that somebody made by hand');
  t.same(plan('Replace', runs), [true, 1, '']);
});

t.test('status and history', async (t) => {
  const ended = ['00:10', '00:20', '00:30', '00:40', '00:50'].map((time) => jobAt(time, 'Complete'));
  const owned = [...ended, jobAt('01:00', 'Failed'), jobAt('01:10', 'Failed'), jobAt('01:20')];
  const active = [
    { uid: 'uid-01:10', name: 'tick-01:10' },
    { uid: 'lost', name: 'lost' },
  ];
  const { status, forget, events: told } = planCronJob(cronJobOf({}, { active }), owned, at('01:21:00'));
  t.match(status, {
    active: [{ kind: 'Job', name: 'tick-01:20', uid: 'uid-01:20' }],
    lastScheduleTime: '2026-01-01T01:20:00Z',
    lastSuccessfulTime: '2026-01-01T00:50:30Z',
  });
  t.same(
    forget.map(({ metadata }) => metadata.name),
    ['tick-00:10', 'tick-00:20', 'tick-01:00'],
  );
  t.same(
    told.map(({ message }) => message),
    ['Saw completed job: tick-01:10, condition: Failed', 'Active job went missing: lost'],
  );
  t.match(scheduledJob(cronJobOf(), at('00:10:00')), {
    metadata: {
      name: `tick-${at('00:10:00') / 60_000}`,
      labels: { of: 'tick' },
      annotations: { 'batch.kubernetes.io/cronjob-scheduled-timestamp': '2026-01-01T00:10:00Z' },
      ownerReferences: [{ kind: 'CronJob', name: 'tick', controller: true }],
    },
  });
});

t.test('makes Jobs when the time comes, and forgets them', async (t) => {
  let offsetMs = 0;
  const now = () => Date.now() + offsetMs;
  const MINUTE = 60_000;
  /** So soon before the next full minute that the timer is worth waiting for. */
  const nearlyDue = () => {
    offsetMs += MINUTE - (now() % MINUTE) - 100;
  };
  nearlyDue();
  const cluster = await Cluster.start(t, { now });
  const cronJob = cronJobOf({ schedule: '* * * * *', successfulJobsHistoryLimit: 0 });
  await cluster.create(cronJobs, { ...cronJob, metadata: { name: 'tick', namespace: 'default' } });
  const made = () => cluster.list<JobObject>(jobs);
  const status = () => cluster.get<CronJobObject>(cronJobs, 'tick').status ?? {};
  await cluster.until('one is made', () => made().length === 1 && status().active?.length === 1);
  t.equal(
    status().lastScheduleTime,
    new Date(Math.floor(now() / MINUTE) * MINUTE).toISOString().replace('.000', ''),
  );
  t.equal(made()[0]?.metadata.name, `tick-${Math.floor(now() / MINUTE)}`);
  await cluster.change(
    jobs,
    made()[0]?.metadata.name ?? '',
    (job) => {
      const time = new Date(now()).toISOString().replace(/\.\d+/, '');
      job.status = {
        conditions: [{ type: 'Complete', status: 'True', lastTransitionTime: time }],
        completionTime: time,
      };
    },
    'status',
  );
  await cluster.until('none is kept', () => made().length === 0 && !status().active);
  t.ok(status().lastSuccessfulTime);
  const reasons = () => cluster.list<EventObject>(events).map(({ reason }) => reason);
  await cluster.until('all of it is told', () =>
    ['SuccessfulCreate', 'SawCompletedJob', 'SuccessfulDelete'].every((reason) => reasons().includes(reason)),
  );
});
