import { isDeepStrictEqual } from 'node:util';
import type { RolloutObject } from '../../fleet/rollout.ts';
import type { ApiClient, WatchEvent } from '../api-client.ts';
import { findPolicy, newestFirst, rolloutsPath } from './find-rollout.ts';
import {
  asRelease,
  isOf,
  noWorkload,
  policyOf,
  referenceText,
  type Version,
  versionsOf,
  type WorkloadObject,
  type WorkloadReference,
  withoutRollouts,
  workloadsPath,
} from './workload.ts';

/**
 * The rollout of a workload's present template. A pipeline asks right after it has applied: what was there before must
 * not be taken for what the hub is about to make. Undefined when the signal came first.
 */
export async function awaitRollout(
  client: ApiClient,
  namespace: string,
  reference: WorkloadReference,
  signal: AbortSignal,
): Promise<RolloutObject | 'none needed' | undefined> {
  const workload = await settled(client, namespace, reference, signal);
  if (!workload) return undefined;
  const { kind, name } = reference;
  const policy = policyOf(workload);
  if (!policy || asRelease(workload)?.status?.message) throw new Error(withoutRollouts(reference, workload));
  const versions = await versionsOf(client, kind, workload);
  if (isHeldBack(workload, versions[0]))
    throw new Error(
      `${kind} "${name}" is paused, and its change is not on its way: kubectl rollout resume ${referenceText(reference)}`,
    );
  const hash = versions[0]?.hash;
  const path = rolloutsPath(namespace);
  const list = await client.call<RolloutList>('GET', path);
  const [newest] = newestFirst(list.items.filter(({ spec }) => isOf(spec.workload, reference)));
  if (newest?.spec.to.hash === hash) return newest; // it goes on although its policy may be gone
  if (!(await findPolicy(client, namespace, policy)))
    throw new Error(
      `${kind} "${name}" refers to RolloutPolicy "${policy}", which is not there: changes wait`,
    );
  if (!newest && versions.length < 2) return 'none needed';
  const isIt = ({ spec }: RolloutObject) => isOf(spec.workload, reference) && spec.to.hash === hash;
  return made(client.watch<RolloutObject>(path, {}, list.metadata.resourceVersion, signal), isIt, signal);
}

/** A Deployment that is paused goes on with the template of before. */
function isHeldBack(workload: WorkloadObject, newest: Version | undefined): boolean {
  if (asRelease(workload)) return false;
  const { spec } = workload;
  const isPaused = 'paused' in spec && spec.paused === true;
  return isPaused && !isDeepStrictEqual(newest?.template, spec.template);
}

interface RolloutList {
  readonly items: RolloutObject[];
  readonly metadata: { readonly resourceVersion: string };
}

/** Only what is made now: an older one may have gone to the same template. */
async function made(
  events: AsyncIterable<WatchEvent<RolloutObject>>,
  isIt: (rollout: RolloutObject) => boolean,
  signal: AbortSignal,
): Promise<RolloutObject | undefined> {
  try {
    for await (const { type, object } of events) if (type === 'ADDED' && isIt(object)) return object;
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  return undefined;
}

/** The workload once the hub has recorded its template. */
async function settled(
  client: ApiClient,
  namespace: string,
  reference: WorkloadReference,
  signal: AbortSignal,
): Promise<WorkloadObject | undefined> {
  const path = workloadsPath(namespace, reference.kind);
  for await (const workload of client.follow<WorkloadObject>(path, reference.name, signal)) {
    if (!workload) throw await noWorkload(client, namespace, reference);
    if ((workload.status?.observedGeneration ?? 0) >= (workload.metadata.generation ?? 0)) return workload;
  }
  return undefined;
}
