import type { CronJobStatus } from 'kubernetes-types/batch/v1.d.ts';
import type { ObjectReference } from 'kubernetes-types/core/v1.d.ts';
import { readSchedule, type Schedule, timeZoneError } from '../../resources/cron-schedule.ts';
import { apiVersionOf } from '../../resources/definition.ts';
import type { KubeObject } from '../../resources/object.ts';
import { cronJobs, jobs } from '../../resources/table-of-resources.ts';
import { formatTime, parseTime } from '../../resources/time.ts';
import type { CronJobObject, JobObject } from '../../resources/typed.ts';
import type { EventText } from '../event-recorder.ts';
import { controllerReference } from '../ownership.ts';

/** On the Jobs that a schedule made, and on no others: when they were due. */
export const SCHEDULED_AT = 'batch.kubernetes.io/cronjob-scheduled-timestamp';
const MINUTE_MS = 60_000;
/** So many missed times are told of: a clock may be wrong. */
const MANY_MISSED = 100;

export interface CronJobPlan {
  /** When the Job that is to be made now was due. */
  readonly startMs: number | undefined;
  /** Jobs that have to go before. */
  readonly replace: readonly JobObject[];
  readonly status: CronJobStatus;
  readonly events: readonly EventText[];
  /** Jobs beyond the history that is kept: what the status says of them must be stored first. */
  readonly forget: readonly JobObject[];
  /** Until the schedule is due again. */
  readonly wakeInMs: number | undefined;
}

/** `owned` are all Jobs that belong to the CronJob, whoever made them. */
export function planCronJob(cronJob: CronJobObject, owned: readonly JobObject[], nowMs: number): CronJobPlan {
  const scheduled = owned.filter((job) => scheduledAtMs(job) !== undefined);
  const active = scheduled.filter((job) => outcomeOf(job) === undefined);
  const lastMs = lastScheduledMs(cronJob, scheduled);
  const due = dueNow(cronJob, active, lastMs, nowMs);
  return {
    ...due,
    replace: due.startMs !== undefined && cronJob.spec.concurrencyPolicy === 'Replace' ? active : [],
    forget: beyondHistory(cronJob, owned),
    events: [...changesOfActive(cronJob, owned), ...due.events],
    status: statusOf(cronJob, active, owned, lastMs),
  };
}

/** How a Job ended; undefined while it has not. */
function outcomeOf({ status }: JobObject): 'Complete' | 'Failed' | undefined {
  const types = (status?.conditions ?? []).filter((each) => each.status === 'True').map(({ type }) => type);
  return (['Complete', 'Failed'] as const).find((type) => types.includes(type));
}

function scheduledAtMs({ metadata }: JobObject): number | undefined {
  return parseTime(metadata.annotations?.[SCHEDULED_AT]);
}

/** A Job that was made says so too, should the status not have been written. */
function lastScheduledMs({ status }: CronJobObject, scheduled: readonly JobObject[]): number | undefined {
  const times = [parseTime(status?.lastScheduleTime as string | undefined), ...scheduled.map(scheduledAtMs)];
  const known = times.filter((time) => time !== undefined);
  return known.length > 0 ? Math.max(...known) : undefined;
}

type Due = Pick<CronJobPlan, 'startMs' | 'events' | 'wakeInMs'>;

const NEVER: Due = { startMs: undefined, events: [], wakeInMs: undefined };

/** Of all times that were missed only the last is made up for, and not once its deadline is over. */
function dueNow(
  { metadata, spec }: CronJobObject,
  active: readonly JobObject[],
  lastMs: number | undefined,
  nowMs: number,
): Due {
  if (spec.suspend || metadata.deletionTimestamp !== undefined) return NEVER;
  const problem = spec.timeZone === undefined ? undefined : timeZoneError(spec.timeZone);
  if (problem) return { ...NEVER, events: [warning('UnknownTimeZone', `invalid timeZone: ${problem}`)] };
  const schedule = readSchedule(spec.schedule, spec.timeZone);
  const sinceMs = lastMs ?? parseTime(metadata.creationTimestamp) ?? nowMs;
  const { startingDeadlineSeconds: deadline } = spec;
  const earliestMs = deadline === undefined ? sinceMs : Math.max(sinceMs, nowMs - deadline * 1000);
  const latestMs = schedule.latest(earliestMs, nowMs);
  const nextMs = schedule.next(schedule.latest(sinceMs, nowMs) ?? sinceMs);
  const wakeInMs = nextMs === undefined ? undefined : Math.max(0, nextMs - nowMs);
  if (latestMs === undefined) return { ...NEVER, wakeInMs };
  const events = missedMany(schedule, earliestMs, nowMs)
    ? [
        warning(
          'TooManyMissedTimes',
          'too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew',
        ),
      ]
    : [];
  if (spec.concurrencyPolicy !== 'Forbid' || active.length === 0)
    return { startMs: latestMs, events, wakeInMs };
  const message = 'Not starting job because prior execution is running and concurrency policy is Forbid';
  return { ...NEVER, wakeInMs, events: [...events, { type: 'Normal', reason: 'JobAlreadyActive', message }] };
}

function missedMany(schedule: Schedule, earliestMs: number, nowMs: number): boolean {
  let atMs: number | undefined = earliestMs;
  for (let missed = 0; missed <= MANY_MISSED; missed += 1) {
    atMs = schedule.next(atMs);
    if (atMs === undefined || atMs > nowMs) return false;
  }
  return true;
}

function warning(reason: string, message: string): EventText {
  return { type: 'Warning', reason, message };
}

function beyondHistory({ spec }: CronJobObject, owned: readonly JobObject[]): JobObject[] {
  const tooOld = (outcome: string, limit: number | undefined) => {
    if (limit === undefined) return [];
    const ended = owned.filter((job) => outcomeOf(job) === outcome && !job.metadata.deletionTimestamp);
    return ended.toSorted(byStart).slice(0, Math.max(0, ended.length - limit));
  };
  return [
    ...tooOld('Complete', spec.successfulJobsHistoryLimit),
    ...tooOld('Failed', spec.failedJobsHistoryLimit),
  ];
}

function byStart(a: JobObject, b: JobObject): number {
  const order = ({ status, metadata }: JobObject) => `${status?.startTime ?? '9'} ${metadata.name}`;
  return order(a) < order(b) ? -1 : 1;
}

function statusOf(
  { status }: CronJobObject,
  active: readonly JobObject[],
  owned: readonly JobObject[],
  lastMs: number | undefined,
): CronJobStatus {
  const successes = owned
    .filter((job) => outcomeOf(job) === 'Complete')
    .map((job) => job.status?.completionTime as string | undefined);
  const lastSuccess = [status?.lastSuccessfulTime as string | undefined, ...successes]
    .filter((time) => time !== undefined)
    .sort()
    .at(-1);
  return {
    ...(active.length > 0 && { active: active.map(referenceTo) }),
    ...(lastMs !== undefined && { lastScheduleTime: formatTime(lastMs) }),
    ...(lastSuccess && { lastSuccessfulTime: lastSuccess }),
  };
}

function referenceTo({ metadata }: JobObject): ObjectReference {
  const { namespace = '', name = '', uid = '' } = metadata;
  return { apiVersion: apiVersionOf(jobs), kind: jobs.kind, namespace, name, uid };
}

/** What has become of the Jobs that were active when the status was last written. */
function changesOfActive({ status }: CronJobObject, owned: readonly JobObject[]): EventText[] {
  const byUid = new Map(owned.map((job) => [job.metadata.uid, job]));
  return (status?.active ?? []).flatMap(({ uid, name }): EventText[] => {
    const job = byUid.get(uid);
    if (!job) return [{ type: 'Normal', reason: 'MissingJob', message: `Active job went missing: ${name}` }];
    const outcome = outcomeOf(job);
    if (!outcome) return [];
    const message = `Saw completed job: ${name}, condition: ${outcome}`;
    return [{ type: 'Normal', reason: 'SawCompletedJob', message }];
  });
}

/** The Job of one time. Its name follows from the time, so that there is never a second one. */
export function scheduledJob(cronJob: CronJobObject, startMs: number): KubeObject {
  const { name = '', namespace = '' } = cronJob.metadata;
  const { metadata, spec } = cronJob.spec.jobTemplate;
  return {
    apiVersion: apiVersionOf(jobs),
    kind: jobs.kind,
    metadata: {
      name: `${name}-${Math.floor(startMs / MINUTE_MS)}`,
      namespace,
      ...(metadata?.labels && { labels: { ...metadata.labels } }),
      annotations: { ...metadata?.annotations, [SCHEDULED_AT]: formatTime(startMs) },
      ownerReferences: [controllerReference(cronJobs, cronJob)],
    },
    spec,
  };
}
