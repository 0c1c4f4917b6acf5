import type { Registry } from '../../registry/registry.ts';
import { controllerOf, objectKey } from '../../resources/object.ts';
import { cronJobs, jobs } from '../../resources/table-of-resources.ts';
import type { CronJobObject, JobObject } from '../../resources/typed.ts';
import {
  type ControllerContext,
  type RunningController,
  splitKey,
  startController,
  unlessGone,
} from '../controller.ts';
import { writeStatus } from '../status.ts';
import { type CronJobPlan, planCronJob, scheduledJob } from './cron-job-plan.ts';

const SOURCE = 'cronjob-controller';

/** Makes a Job whenever the schedule of a CronJob is due. Between two times it sleeps. */
export function startCronJobController(context: ControllerContext): RunningController {
  return startController(context, {
    name: 'cron-job',
    watches: [
      { resource: cronJobs, keys: ({ object }) => [objectKey(object)] },
      {
        resource: jobs,
        keys: ({ object }) => {
          const owner = controllerOf(object);
          return owner?.kind === cronJobs.kind ? [`${object.metadata.namespace}/${owner.name}`] : [];
        },
      },
    ],
    sync: (key) => syncCronJob(context, key),
  });
}

async function syncCronJob(context: ControllerContext, key: string): Promise<number | undefined> {
  const { registry, events, now } = context;
  const { namespace, name } = splitKey(key);
  const cronJob = registry.get(cronJobs, namespace, name) as CronJobObject | undefined;
  if (!cronJob) return undefined;
  const nowMs = now();
  const plan = planCronJob(cronJob, jobsOf(registry, cronJob), nowMs);
  await removeJobs(context, cronJob, plan.replace);
  await startJob(context, cronJob, plan);
  // With the Job that was just made, which is the last one that was due.
  const { status } = planCronJob(cronJob, jobsOf(registry, cronJob), nowMs);
  const stored = await unlessGone(writeStatus(registry, cronJobs, cronJob, status, SOURCE).then(() => true));
  if (!stored) return undefined; // who wrote it meanwhile has woken this key again
  for (const text of plan.events) events.record(SOURCE, cronJob, text);
  await removeJobs(context, cronJob, plan.forget);
  return plan.wakeInMs;
}

function jobsOf(registry: Registry, { metadata }: CronJobObject): readonly JobObject[] {
  return registry.byIndex(jobs, 'controller', metadata.uid ?? '') as readonly JobObject[];
}

async function removeJobs(
  { registry, events }: ControllerContext,
  cronJob: CronJobObject,
  remove: readonly JobObject[],
): Promise<void> {
  await Promise.all(
    remove.map(async ({ metadata: { namespace, name = '', uid = '' } }) => {
      const options = { propagationPolicy: 'Background', preconditions: { uid } } as const;
      const removed = await unlessGone(registry.delete(jobs, namespace, name, options));
      const message = `Deleted job ${name}`;
      if (removed) events.record(SOURCE, cronJob, { type: 'Normal', reason: 'SuccessfulDelete', message });
    }),
  );
}

/** When there is one of its name already, somebody else made it: then this time is passed over. */
async function startJob(
  { registry, events }: ControllerContext,
  cronJob: CronJobObject,
  { startMs }: CronJobPlan,
): Promise<void> {
  if (startMs === undefined) return;
  try {
    const job = scheduledJob(cronJob, startMs);
    const created = await unlessGone(registry.create(jobs, job, { fieldManager: SOURCE }));
    const message = `Created job ${created?.metadata.name}`;
    if (created) events.record(SOURCE, cronJob, { type: 'Normal', reason: 'SuccessfulCreate', message });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const message = `Error creating job: ${why}`;
    events.record(SOURCE, cronJob, { type: 'Warning', reason: 'FailedCreate', message });
    throw error;
  }
}
