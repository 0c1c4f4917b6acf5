import type { RolloutObject } from '../../fleet/rollout.ts';
import type { ControllerRevisionObject, DaemonSetObject } from '../../resources/typed.ts';
import type { ApiClient, WatchEvent } from '../api-client.ts';
import {
  daemonSetsPath,
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
  const path = rolloutsPath(namespace);
  const list = await client.call<RolloutList>('GET', path);
  const [newest] = newestFirst(list.items.filter(({ spec }) => spec.workload.name === name));
  if (newest?.spec.to.hash === hash) return newest;
  if (!newest && revisions.length < 2) return 'none needed';
  const isIt = ({ spec }: RolloutObject) => spec.workload.name === name && spec.to.hash === hash;
  return made(client.watch<RolloutObject>(path, {}, list.metadata.resourceVersion, signal), isIt, signal);
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
