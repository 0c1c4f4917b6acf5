import type { RolloutObject } from '../../fleet/rollout.ts';
import type { ControllerRevisionObject, DaemonSetObject } from '../../resources/typed.ts';
import type { ApiClient } from '../api-client.ts';
import {
  daemonSetsPath,
  listRollouts,
  newestFirst,
  noDaemonSet,
  POLICY_ANNOTATION,
  rolloutsPath,
  withoutRollouts,
} from './find-rollout.ts';

const HASH_LABEL = 'controller-revision-hash';

/**
 * The rollout of a DaemonSet's present template. A pipeline asks right after it has applied: what was there before must
 * not be taken for what the hub is about to make. Undefined when the signal came first.
 */
export async function awaitRollout(
  client: ApiClient,
  namespace: string,
  name: string,
  signal: AbortSignal,
): Promise<RolloutObject | 'none needed' | undefined> {
  const set = await settled(client, namespace, name, signal);
  if (!set) return undefined;
  const policy = set.metadata.annotations?.[POLICY_ANNOTATION];
  if (!policy) throw new Error(withoutRollouts(set));
  const policyPath = `/apis/fleet.holdfast.dev/v1/namespaces/${namespace}/rolloutpolicies/${policy}`;
  if (!(await client.find(policyPath)))
    throw new Error(
      `DaemonSet "${name}" refers to RolloutPolicy "${policy}", which is not there: changes wait`,
    );
  const revisions = await revisionsOf(client, set);
  const hash = revisions[0]?.metadata.labels?.[HASH_LABEL];
  const [newest] = await listRollouts(client, namespace, name);
  if (newest?.spec.to.hash === hash && newest) return newest;
  if (!newest && revisions.length < 2) return 'none needed';
  return appearing(client, namespace, name, hash, signal);
}

/** The DaemonSet once the hub has recorded its template. */
async function settled(
  client: ApiClient,
  namespace: string,
  name: string,
  signal: AbortSignal,
): Promise<DaemonSetObject | undefined> {
  for await (const set of client.follow<DaemonSetObject>(daemonSetsPath(namespace), name, signal)) {
    if (!set) throw await noDaemonSet(client, namespace, name);
    if ((set.status?.observedGeneration ?? 0) >= (set.metadata.generation ?? 0)) return set;
  }
  return undefined;
}

/** The history of a DaemonSet's templates, the newest first. */
export async function revisionsOf(
  client: ApiClient,
  { metadata, spec }: DaemonSetObject,
): Promise<readonly ControllerRevisionObject[]> {
  const labels = Object.entries(spec.selector.matchLabels ?? {}).map(([key, value]) => `${key}=${value}`);
  const path = `/apis/apps/v1/namespaces/${metadata.namespace}/controllerrevisions`;
  const { items } = await client.call<{ items: ControllerRevisionObject[] }>(
    'GET',
    `${path}?labelSelector=${encodeURIComponent(labels.join(','))}`,
  );
  return items
    .filter((each) => each.metadata.ownerReferences?.some(({ uid }) => uid === metadata.uid))
    .toSorted((a, b) => b.revision - a.revision);
}

async function appearing(
  client: ApiClient,
  namespace: string,
  workload: string,
  hash: string | undefined,
  signal: AbortSignal,
): Promise<RolloutObject | undefined> {
  const path = rolloutsPath(namespace);
  const { items, metadata } = await client.call<RolloutList>('GET', path);
  const isIt = ({ spec }: RolloutObject) => spec.workload.name === workload && spec.to.hash === hash;
  const [newest] = newestFirst(items.filter(({ spec }) => spec.workload.name === workload));
  if (newest && isIt(newest)) return newest;
  try {
    // Only what is made now: an older one may have gone to the same template.
    for await (const event of client.watch<RolloutObject>(path, {}, metadata.resourceVersion, signal))
      if (event.type === 'ADDED' && isIt(event.object)) return event.object;
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  return undefined;
}

interface RolloutList {
  readonly items: RolloutObject[];
  readonly metadata: { readonly resourceVersion: string };
}
