import type { CronJobSpec } from 'kubernetes-types/batch/v1.d.ts';
import type { FieldError } from './api-error.ts';
import { ageColumn, column, countColumn, nameColumn, orNone, templateColumns } from './cells.ts';
import { namesTimeZone, scheduleError, timeZoneError } from './cron-schedule.ts';
import { byController, defineResource, setDefault, specOf } from './define.ts';
import { invalidValue, notSupported, oneOfErrors, required } from './field-errors.ts';
import { since } from './human-duration.ts';
import { validateJobSpec } from './job-spec-validation.ts';
import type { KubeObject } from './object.ts';
import { setPodSpecDefaults } from './pod-spec-defaults.ts';
import { countErrors, labelSelectorErrors } from './template-validation.ts';
import type { CronJobObject } from './typed.ts';

/** A Job's name is the CronJob's, a dash and ten digits, and must still be a label. */
const MAX_NAME_LENGTH = 52;
const SUCCESSFUL_LIMIT = 3;
const FAILED_LIMIT = 1;

function setDefaults(object: KubeObject): void {
  const spec = specOf<CronJobSpec>(object);
  spec.concurrencyPolicy ||= 'Allow';
  setDefault(spec, 'suspend', false);
  setDefault(spec, 'successfulJobsHistoryLimit', SUCCESSFUL_LIMIT);
  setDefault(spec, 'failedJobsHistoryLimit', FAILED_LIMIT);
  const pod = spec.jobTemplate?.spec?.template?.spec;
  if (pod) setPodSpecDefaults(pod);
}

function validate(object: KubeObject, old: KubeObject | undefined): FieldError[] {
  const { spec, metadata } = object as CronJobObject;
  const errors: FieldError[] = [];
  if ((metadata.name?.length ?? 0) > MAX_NAME_LENGTH)
    errors.push(
      invalidValue('metadata.name', metadata.name, `must be no more than ${MAX_NAME_LENGTH} characters`),
    );
  return [
    ...scheduleErrors(spec, old && (old as CronJobObject).spec),
    ...countErrors(spec.startingDeadlineSeconds, 'spec.startingDeadlineSeconds'),
    ...oneOfErrors('spec.concurrencyPolicy', spec.concurrencyPolicy, ['Allow', 'Forbid', 'Replace']),
    ...templateErrors(spec),
    ...countErrors(spec.successfulJobsHistoryLimit, 'spec.successfulJobsHistoryLimit'),
    ...countErrors(spec.failedJobsHistoryLimit, 'spec.failedJobsHistoryLimit'),
    ...errors,
  ];
}

/** A zone in the schedule was allowed once: what has one may keep it. */
function scheduleErrors({ schedule, timeZone }: CronJobSpec, old: CronJobSpec | undefined): FieldError[] {
  const field = 'spec.schedule';
  if (!schedule) return [required(field)];
  const errors: FieldError[] = [];
  if (namesTimeZone(schedule)) {
    if (timeZone !== undefined)
      errors.push(
        invalidValue(field, schedule, 'cannot use both timeZone field and TZ or CRON_TZ in schedule'),
      );
    else if (!old || !namesTimeZone(old.schedule))
      errors.push(
        invalidValue(field, schedule, 'cannot use TZ or CRON_TZ in schedule, use timeZone field instead'),
      );
  } else {
    const problem = scheduleError(schedule);
    if (problem) errors.push(invalidValue(field, schedule, problem));
  }
  const zoneProblem =
    timeZone === undefined || timeZone === old?.timeZone ? undefined : timeZoneError(timeZone);
  if (zoneProblem) errors.push(invalidValue('spec.timeZone', timeZone, zoneProblem));
  return errors;
}

function templateErrors({ jobTemplate }: CronJobSpec): FieldError[] {
  const field = 'spec.jobTemplate.spec';
  const spec = jobTemplate?.spec;
  if (!spec) return [required(`${field}.template.spec.containers`)];
  const errors = [
    ...validateJobSpec(spec, field),
    ...labelSelectorErrors(spec.selector, `${field}.selector`),
  ];
  if (spec.manualSelector)
    errors.push(notSupported(`${field}.manualSelector`, spec.manualSelector, ['nil', 'false']));
  return errors;
}

export const cronJobs = defineResource({
  group: 'batch',
  version: 'v1',
  kind: 'CronJob',
  plural: 'cronjobs',
  singular: 'cronjob',
  shortNames: ['cj'],
  categories: ['all'],
  namespaced: true,
  schema: 'io.k8s.api.batch.v1.CronJob',
  hasStatus: true,
  setDefaults,
  prepareForCreate: (object) => {
    object.status = {};
  },
  validate,
  indexes: { controller: byController },
  columns: [
    nameColumn,
    column('Schedule', 'When jobs are made.', (object) => (object as CronJobObject).spec.schedule),
    column('Timezone', 'The time zone of the schedule.', (object) =>
      orNone((object as CronJobObject).spec.timeZone),
    ),
    column(
      'Suspend',
      'Whether no more jobs are made.',
      (object) => ((object as CronJobObject).spec.suspend ? 'True' : 'False'),
      { type: 'boolean' },
    ),
    countColumn(
      'Active',
      'Number of jobs that run.',
      (object) => (object as CronJobObject).status?.active?.length ?? 0,
    ),
    column('Last Schedule', 'Time since a job was last made.', (object, nowMs) => {
      const { lastScheduleTime } = (object as CronJobObject).status ?? {};
      return lastScheduleTime ? since(lastScheduleTime as string, nowMs) : '<none>';
    }),
    ageColumn,
    ...templateColumns((object) => (object as CronJobObject).spec.jobTemplate?.spec ?? {}),
  ],
});
