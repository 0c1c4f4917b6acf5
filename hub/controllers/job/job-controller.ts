import type { Registry } from '../../registry/registry.ts';
import { controllerOf, type KubeObject, objectKey } from '../../resources/object.ts';
import { isActive } from '../../resources/pod-state.ts';
import { jobs, pods } from '../../resources/table-of-resources.ts';
import { parseTime } from '../../resources/time.ts';
import type { JobObject, PodObject } from '../../resources/typed.ts';
import {
  type ControllerContext,
  type RunningController,
  splitKey,
  startController,
  unlessGone,
} from '../controller.ts';
import { controllerReference, keysOfOwner, Orphans, planClaims, settleClaims } from '../ownership.ts';
import { changeExisting, writeStatus } from '../status.ts';
import { type JobPlan, planJob } from './job-plan.ts';
import { jobPod } from './job-pods.ts';
import { finishedBy } from './job-verdict.ts';
import { isTracked, TRACKING_FINALIZER } from './pod-outcome.ts';

const SOURCE = 'job-controller';
/** Who leaves a Job to this controller. */
const MANAGER = 'kubernetes.io/job-controller';
/** Begins the keys of pods without a Job: no namespace is empty. */
const LOST = '/';

/** Runs pods until as many have succeeded as each Job says. */
export function startJobController(context: ControllerContext): RunningController {
  const { registry } = context;
  const orphans = new Orphans();
  const ownerKeys = keysOfOwner(registry, jobs, orphans);
  return startController(context, {
    name: 'job',
    watches: [
      {
        resource: jobs,
        keys: ({ type, object }) => [
          objectKey(object),
          ...(type === 'DELETED' ? podsOf(registry, object).flatMap((pod) => keyOfLost(registry, pod)) : []),
        ],
      },
      { resource: pods, keys: (event) => [...ownerKeys(event), ...keyOfLost(registry, event.object)] },
    ],
    sync: (key) =>
      key.startsWith(LOST) ? releaseLost(context, key.slice(LOST.length)) : syncJob(context, orphans, key),
  });
}

/** For a pod that is tracked for a Job that is not there, or let it go: nobody will count it. */
function keyOfLost(registry: Registry, pod: KubeObject): string[] {
  return isLost(registry, pod) ? [`${LOST}${objectKey(pod)}`] : [];
}

function isLost(registry: Registry, pod: KubeObject): boolean {
  const owner = controllerOf(pod);
  if (!isTracked(pod as PodObject) || (owner && owner.kind !== jobs.kind)) return false;
  const job = owner && registry.get(jobs, pod.metadata.namespace, owner.name);
  return job === undefined || job.metadata.uid !== owner?.uid;
}

async function releaseLost({ registry }: ControllerContext, key: string): Promise<undefined> {
  const { namespace, name } = splitKey(key);
  const pod = registry.get(pods, namespace, name) as PodObject | undefined;
  if (pod && isLost(registry, pod)) await setTracking(registry, pod, false);
  return undefined;
}

async function syncJob(
  context: ControllerContext,
  orphans: Orphans,
  key: string,
): Promise<number | undefined> {
  const { registry, events, now } = context;
  const { namespace, name } = splitKey(key);
  const job = registry.get(jobs, namespace, name) as JobObject | undefined;
  if (!job || (job.spec.managedBy ?? MANAGER) !== MANAGER) return undefined;
  if (finishedBy(job)) return syncFinished(context, job);
  const claims = planClaims(job, job.spec.selector, podsOf(registry, job), orphans.in(namespace));
  const reference = controllerReference(jobs, job);
  const owned = (await settleClaims(registry, pods, reference, claims, SOURCE)) as readonly PodObject[];
  const plan = planJob(job, await tracked(registry, owned), now());
  const [failure] = await Promise.all([createPods(context, job, plan), removePods(context, job, plan)]);
  // Nothing is released before it is noted. A conflict is a write that has woken this key again.
  const stored = await unlessGone(writeStatus(registry, jobs, job, plan.status, SOURCE).then(() => true));
  if (!stored) return undefined;
  for (const text of plan.events) events.record(SOURCE, job, text);
  await Promise.all(plan.release.map((pod) => setTracking(registry, pod, false)));
  if (failure) throw failure;
  return plan.wakeInMs;
}

/** A Job that has ended keeps no pod, and goes itself when its time is over. */
async function syncFinished(context: ControllerContext, job: JobObject): Promise<number | undefined> {
  const { registry, now } = context;
  const left = podsOf(registry, job).filter(isTracked);
  await Promise.all(left.map((pod) => setTracking(registry, pod, false)));
  const { ttlSecondsAfterFinished: ttlSeconds } = job.spec;
  const finishedAtMs = parseTime(finishedBy(job)?.lastTransitionTime as string | undefined);
  const { namespace, name = '', uid = '', deletionTimestamp } = job.metadata;
  if (ttlSeconds === undefined || finishedAtMs === undefined || deletionTimestamp) return undefined;
  const leftMs = finishedAtMs + ttlSeconds * 1000 - now();
  if (leftMs > 0) return leftMs;
  const options = { propagationPolicy: 'Foreground', preconditions: { uid } } as const;
  await unlessGone(registry.delete(jobs, namespace, name, options));
  return undefined;
}

function podsOf(registry: Registry, { metadata }: KubeObject): readonly PodObject[] {
  return registry.byIndex(pods, 'controller', metadata.uid ?? '') as readonly PodObject[];
}

/** The same pods; those that run and were taken over from elsewhere are tracked from now on. */
async function tracked(registry: Registry, owned: readonly PodObject[]): Promise<readonly PodObject[]> {
  const track = async (pod: PodObject) => {
    if (isTracked(pod) || !isActive(pod)) return pod;
    return ((await setTracking(registry, pod, true)) as PodObject | undefined) ?? pod;
  };
  return Promise.all(owned.map(track));
}

function setTracking(registry: Registry, pod: PodObject, wanted: boolean): Promise<KubeObject | undefined> {
  return changeExisting(registry, pods, pod, (current) => withTracking(current, wanted), {
    fieldManager: SOURCE,
  });
}

function withTracking(pod: KubeObject, wanted: boolean): KubeObject {
  if (isTracked(pod as PodObject) === wanted) return pod;
  const { finalizers = [], ...metadata } = pod.metadata;
  const others = finalizers.filter((finalizer) => finalizer !== TRACKING_FINALIZER);
  const next = wanted ? [...others, TRACKING_FINALIZER] : others;
  return { ...pod, metadata: { ...metadata, ...(next.length > 0 && { finalizers: next }) } };
}

/** Returns why not all could be created. */
async function createPods(
  { registry, events }: ControllerContext,
  job: JobObject,
  { create }: JobPlan,
): Promise<Error | undefined> {
  const results = await Promise.allSettled(
    create.map((request) => registry.create(pods, jobPod(job, request), { fieldManager: SOURCE })),
  );
  for (const result of results)
    if (result.status === 'fulfilled')
      events.record(SOURCE, job, {
        type: 'Normal',
        reason: 'SuccessfulCreate',
        message: `Created pod: ${result.value.metadata.name}`,
      });
  const refused = results.find((result) => result.status === 'rejected');
  if (!refused) return undefined;
  const failure = refused.reason instanceof Error ? refused.reason : new Error(String(refused.reason));
  const message = `Error creating: ${failure.message}`;
  events.record(SOURCE, job, { type: 'Warning', reason: 'FailedCreate', message });
  return failure;
}

async function removePods(
  { registry, events }: ControllerContext,
  job: JobObject,
  { remove, dismiss }: JobPlan,
): Promise<void> {
  await Promise.all(dismiss.map((pod) => setTracking(registry, pod, false)));
  const removeOne = async ({ metadata: { namespace, name = '', uid = '' } }: PodObject) => {
    const removed = await unlessGone(registry.delete(pods, namespace, name, { preconditions: { uid } }));
    const message = `Deleted pod: ${name}`;
    if (removed) events.record(SOURCE, job, { type: 'Normal', reason: 'SuccessfulDelete', message });
  };
  await Promise.all([...remove, ...dismiss].map(removeOne));
}
