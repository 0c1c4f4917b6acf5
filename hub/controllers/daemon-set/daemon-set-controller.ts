import { setTimeout as delay } from 'node:timers/promises';
import { policyNameOf, revisionOn, rolloutsOf } from '../../fleet/current-rollout.ts';
import type { Registry } from '../../registry/registry.ts';
import { controllerOf, type KubeObject, objectKey } from '../../resources/object.ts';
import { controllerRevisions, daemonSets, nodes, pods } from '../../resources/table-of-resources.ts';
import type {
  ControllerRevisionObject,
  DaemonSetObject,
  NodeObject,
  PodObject,
} from '../../resources/typed.ts';
import { Backoff } from '../backoff.ts';
import {
  type ControllerContext,
  type ObjectEvent,
  type RunningController,
  splitKey,
  startController,
  unlessGone,
} from '../controller.ts';
import { NodePlaces } from '../node-places.ts';
import { controllerReference, keysOfOwner, Orphans, planClaims, settleClaims } from '../ownership.ts';
import { changeExisting, writeStatus } from '../status.ts';
import { daemonPod, templateOf } from './daemon-pod.ts';
import { type DaemonSetPlan, planDaemonSet } from './daemon-set-plan.ts';
import { placementOn } from './placement.ts';
import { hashOf, planRevisions, REVISION_HASH, type RevisionPlan } from './revisions.ts';

const SOURCE = 'daemonset-controller';
/**
 * A pass looks at every node of the fleet. Where that takes longer than this, passes that follow at once are spaced
 * so that they take at most a fifth of the time; all that happens meanwhile is one more pass.
 */
const CHEAP_PASS_MS = 5;
const SPACING = 4;

/** Keeps one pod of each DaemonSet on each node that it matches. Pods are bound as they are created. */
export function startDaemonSetController(context: ControllerContext): RunningController {
  const { registry } = context;
  const orphans = new Orphans();
  const places = new NodePlaces();
  const failures = new Backoff(context.now);
  return startController(context, {
    name: 'daemon-set',
    watches: [
      { resource: daemonSets, keys: ({ object }) => [objectKey(object)] },
      { resource: nodes, keys: (event) => setsForNode(context, places, event) },
      { resource: pods, keys: keysOfOwner(registry, daemonSets, orphans) },
      {
        resource: controllerRevisions,
        keys: ({ object }) => {
          const owner = controllerOf(object);
          return owner?.kind === 'DaemonSet' ? [`${object.metadata.namespace}/${owner.name}`] : [];
        },
      },
    ],
    sync: (key, signal) => syncDaemonSet({ ...context, failures }, orphans, key, signal),
  });
}

/** The DaemonSets that this node's change concerns: those that it matches or matched. */
function setsForNode({ registry }: ControllerContext, places: NodePlaces, event: ObjectEvent): string[] {
  const touched = places.touchedBy(event);
  if (touched.length === 0) return [];
  const isConcerned = (set: DaemonSetObject) => touched.some((node) => placementOn(set, node).mayStay);
  return registry
    .list(daemonSets)
    .items.filter((set) => isConcerned(set as DaemonSetObject))
    .map(objectKey);
}

interface DaemonContext extends ControllerContext {
  /** By set and node: a pod that fails at once must not be replaced at once, for ever. */
  readonly failures: Backoff;
}

async function syncDaemonSet(
  context: DaemonContext,
  orphans: Orphans,
  key: string,
  signal: AbortSignal,
): Promise<number | undefined> {
  const { registry } = context;
  const { namespace, name } = splitKey(key);
  const set = registry.get(daemonSets, namespace, name) as DaemonSetObject | undefined;
  if (!set) return undefined;
  const reference = controllerReference(daemonSets, set);
  const claims = planClaims(set, set.spec.selector, ownedBy(context, pods, set), orphans.in(namespace));
  const owned = (await settleClaims(registry, pods, reference, claims, SOURCE)) as readonly PodObject[];
  const started = performance.now();
  const history = ownedBy(context, controllerRevisions, set) as readonly ControllerRevisionObject[];
  const revisions = planRevisions(set, reference, history, neededRevisions(registry, set, owned));
  const plan = planOf(context, set, revisions.hash, owned);
  const planMs = performance.now() - started;
  const isEnding = set.metadata.deletionTimestamp !== undefined;
  const collided = isEnding ? false : await executeRevisions(context, revisions);
  const failure = collided ? undefined : await executePlan(context, set, revisions.hash, plan);
  const hasActed = plan.create.length + plan.remove.length > 0;
  const after = hasActed
    ? planOf(context, set, revisions.hash, ownedBy(context, pods, set) as readonly PodObject[])
    : plan;
  const status = collided
    ? { ...after.status, collisionCount: (after.status.collisionCount ?? 0) + 1 }
    : after.status;
  await unlessGone(writeStatus(registry, daemonSets, set, status, SOURCE));
  if (failure) throw failure;
  if (planMs > CHEAP_PASS_MS) await delay(planMs * SPACING, undefined, { signal }).catch(() => undefined);
  return after.wakeInMs;
}

/** Those of its pods, and those that its newest rollout goes between. */
function neededRevisions(
  registry: Registry,
  set: DaemonSetObject,
  owned: readonly PodObject[],
): ReadonlySet<string> {
  const [newest] = rolloutsOf(registry, set);
  return new Set([...owned.map(hashOf), ...(newest ? [newest.spec.from.hash, newest.spec.to.hash] : [])]);
}

function ownedBy(
  { registry }: ControllerContext,
  resource: typeof pods | typeof controllerRevisions,
  set: KubeObject,
): readonly KubeObject[] {
  return registry.byIndex(resource, 'controller', set.metadata.uid ?? '');
}

function planOf(
  { registry, now, failures }: DaemonContext,
  set: DaemonSetObject,
  hash: string,
  owned: readonly PodObject[],
): DaemonSetPlan {
  return planDaemonSet(
    {
      set,
      hash,
      nowMs: now(),
      failedWaitMs: (node) => failures.waitMs(`${set.metadata.uid}/${node}`),
      hasPolicy: policyNameOf(set) !== undefined,
    },
    registry.list(nodes).items as readonly NodeObject[],
    owned,
  );
}

/** Tells whether the new revision's name was taken. */
async function executeRevisions(
  { registry }: ControllerContext,
  { create, renumber, remove, collided }: RevisionPlan,
): Promise<boolean> {
  const options = { fieldManager: SOURCE };
  await Promise.all([
    renumber &&
      changeExisting(
        registry,
        controllerRevisions,
        renumber.revision,
        (current) => ({ ...current, revision: renumber.to }),
        options,
      ),
    ...remove.map(({ metadata: { namespace, name = '', uid = '' } }) =>
      unlessGone(registry.delete(controllerRevisions, namespace, name, { preconditions: { uid } })),
    ),
  ]);
  if (!create) return false;
  return collided || (await unlessGone(registry.create(controllerRevisions, create, options))) === undefined;
}

/** Returns why not all pods could be created. */
async function executePlan(
  context: DaemonContext,
  set: DaemonSetObject,
  hash: string,
  { create, remove }: DaemonSetPlan,
): Promise<Error | undefined> {
  const results = await Promise.allSettled([
    ...create.map((node) => createPod(context, set, hash, node)),
    ...remove.map((removal) => removePod(context, set, removal)),
  ]);
  const failed = results.find((result) => result.status === 'rejected');
  if (!failed) return undefined;
  const failure = failed.reason instanceof Error ? failed.reason : new Error(String(failed.reason));
  const message = `Error creating: ${failure.message}`;
  context.events.record(SOURCE, set, { type: 'Warning', reason: 'FailedCreate', message });
  return failure;
}

async function createPod(
  { registry, events }: ControllerContext,
  set: DaemonSetObject,
  hash: string,
  nodeName: string,
): Promise<void> {
  const pod = daemonPod(set, { ...revisionFor(registry, set, hash, nodeName), nodeName });
  const { metadata } = await registry.create(pods, pod, { fieldManager: SOURCE });
  const message = `Created pod: ${metadata.name}`;
  events.record(SOURCE, set, { type: 'Normal', reason: 'SuccessfulCreate', message });
}

/** What a node without a pod gets: the current template, or by its policy the revision that the device is at. */
function revisionFor(registry: Registry, set: DaemonSetObject, current: string, node: string) {
  const [newest] = policyNameOf(set) === undefined ? [] : rolloutsOf(registry, set);
  const hash = newest ? revisionOn(registry, set, newest, node) : current;
  const history = registry.byIndex(controllerRevisions, 'controller', set.metadata.uid ?? '');
  const revision = history.find(({ metadata }) => metadata.labels?.[REVISION_HASH] === hash);
  const template =
    hash === current ? undefined : revision && templateOf(revision as ControllerRevisionObject);
  return template ? { template, hash } : { template: set.spec.template, hash: current };
}

async function removePod(
  { registry, events, failures }: DaemonContext,
  set: DaemonSetObject,
  { pod, why }: DaemonSetPlan['remove'][number],
): Promise<void> {
  const { namespace, name = '', uid = '' } = pod.metadata;
  const removed = await unlessGone(registry.delete(pods, namespace, name, { preconditions: { uid } }));
  if (!removed) return;
  if (why === 'failed') {
    failures.note(`${set.metadata.uid}/${pod.spec.nodeName}`);
    const message = `Found failed daemon pod ${name} on node ${pod.spec.nodeName}, will try to kill it`;
    events.record(SOURCE, set, { type: 'Warning', reason: 'FailedDaemonPod', message });
  }
  events.record(SOURCE, set, { type: 'Normal', reason: 'SuccessfulDelete', message: `Deleted pod: ${name}` });
}
