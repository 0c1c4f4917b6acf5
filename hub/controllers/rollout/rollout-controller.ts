import { setTimeout as delay } from 'node:timers/promises';
import { policyNameOf, rolloutsOf } from '../../fleet/current-rollout.ts';
import { type DeviceUpdateObject, deviceUpdates } from '../../fleet/device-update.ts';
import { type RolloutObject, rollouts } from '../../fleet/rollout.ts';
import { type RolloutPolicyObject, rolloutPolicies } from '../../fleet/rollout-policy.ts';
import { controllerOf, objectKey } from '../../resources/object.ts';
import { controllerRevisions, daemonSets, nodes, pods } from '../../resources/table-of-resources.ts';
import type { ControllerRevisionObject, DaemonSetObject, NodeObject } from '../../resources/typed.ts';
import { sameJson } from '../../schema/json-type.ts';
import {
  type ControllerContext,
  type ObjectEvent,
  type RunningController,
  splitKey,
  startController,
  unlessGone,
} from '../controller.ts';
import { templateOf } from '../daemon-set/daemon-pod.ts';
import { isSamePlace, placementOn } from '../daemon-set/placement.ts';
import { hashOf, revisionData } from '../daemon-set/revisions.ts';
import { controllerReference } from '../ownership.ts';
import { changeExisting, writeStatus } from '../status.ts';
import { fleetOf } from './devices.ts';
import { carryOut, SOURCE } from './execute.ts';
import type { UsageOf } from './gate-measurements/ask-devices.ts';
import { GateMeasurements } from './gate-measurements/gate-measurements.ts';
import { planChange } from './new-rollout.ts';
import { isOver } from './rollout-draft.ts';
import { planRollout } from './rollout-plan.ts';

/** A pass looks at every device: passes that follow at once are spaced so that they take a quarter of the time. */
const CHEAP_PASS_MS = 5;
const SPACING = 3;
/** Records of rollouts that are over. */
const HISTORY_KEPT = 20;
/** Reasons of transitions that somebody should look at. */
const WARNINGS = ['GateFailed', 'GateInconclusive', 'NoProgress', 'CatchUpFailed'];

/** Whom gates may ask. Without it they are inconclusive. */
export interface GateSources {
  readonly usageOf?: UsageOf;
  /** Origins of servers. */
  readonly servers?: ReadonlySet<string>;
}

type RolloutContext = ControllerContext & { readonly measurements: GateMeasurements };

/** Takes changes of workloads that refer to a RolloutPolicy to their devices. */
export function startRolloutController(
  given: ControllerContext,
  { usageOf = async () => undefined, servers = new Set() }: GateSources = {},
): RunningController {
  const { registry, log } = given;
  const onAnswer = (key: string) => controller.add(key);
  const measurements = new GateMeasurements({ registry, log, usageOf, servers, onAnswer });
  const context: RolloutContext = { ...given, measurements };
  const places = new Map<string, NodeObject>();
  const isManaged = (set: DaemonSetObject) =>
    policyNameOf(set) !== undefined || rolloutsOf(registry, set).some(({ status = {} }) => !isOver(status));
  const ownerKey = ({ object }: ObjectEvent): string[] => {
    const owner = controllerOf(object);
    if (owner?.kind !== daemonSets.kind) return [];
    const set = registry.get(daemonSets, object.metadata.namespace, owner.name) as
      | DaemonSetObject
      | undefined;
    return set && isManaged(set) ? [objectKey(set)] : [];
  };
  const controller = startController(context, {
    name: 'rollout',
    watches: [
      {
        resource: daemonSets,
        keys: ({ object }) => (isManaged(object as DaemonSetObject) ? [objectKey(object)] : []),
      },
      { resource: controllerRevisions, keys: ownerKey },
      { resource: rollouts, keys: ownerKey },
      { resource: pods, keys: ownerKey },
      {
        resource: deviceUpdates,
        keys: ({ object }) => [
          `${object.metadata.namespace}/${(object as DeviceUpdateObject).spec.workload}`,
        ],
      },
      {
        resource: rolloutPolicies,
        keys: ({ object }) =>
          registry
            .list(daemonSets, { namespace: object.metadata.namespace ?? '' })
            .items.filter((set) => policyNameOf(set) === object.metadata.name)
            .map(objectKey),
      },
      {
        resource: nodes,
        keys: (event) => {
          const touched = placesTouched(places, event);
          if (touched.length === 0) return [];
          const sets = registry.list(daemonSets).items as readonly DaemonSetObject[];
          const concerns = (set: DaemonSetObject) => touched.some((node) => placementOn(set, node).shouldRun);
          return sets.filter((set) => isManaged(set) && concerns(set)).map(objectKey);
        },
      },
    ],
    sync: (key, signal) => syncWorkload(context, key, signal),
  });
  const stop = () => {
    measurements.close();
    return controller.stop();
  };
  return { ...controller, stop };
}

/** The node before and after, when anything changed that rollouts look at. */
function placesTouched(
  places: Map<string, NodeObject>,
  { type, object }: ObjectEvent,
): readonly NodeObject[] {
  const node = object as NodeObject;
  const name = node.metadata.name ?? '';
  const before = places.get(name);
  if (type === 'DELETED') places.delete(name);
  else places.set(name, node);
  if (before && type !== 'DELETED' && isSamePlace(before, node)) return [];
  return before ? [before, node] : [node];
}

async function syncWorkload(
  context: RolloutContext,
  key: string,
  signal: AbortSignal,
): Promise<number | undefined> {
  const { registry } = context;
  const { namespace, name } = splitKey(key);
  const set = registry.get(daemonSets, namespace, name) as DaemonSetObject | undefined;
  if (!set || set.metadata.deletionTimestamp || policyNameOf(set) === undefined)
    context.measurements.forget(key);
  if (!set || set.metadata.deletionTimestamp) return undefined;
  if (await startRollout(context, set)) return 0;
  const [newest, ...older] = rolloutsOf(registry, set);
  if (!newest) return undefined;
  const hasPolicy = policyNameOf(set) !== undefined;
  await Promise.all([
    ...(hasPolicy ? older : [newest, ...older]).map((rollout) => supersede(context, rollout, hasPolicy)),
    ...older
      .slice(HISTORY_KEPT)
      .map(({ metadata }) => unlessGone(registry.delete(rollouts, namespace, metadata.name ?? '', {}))),
  ]);
  return hasPolicy ? pass(context, key, set, newest, signal) : undefined;
}

/** Makes the rollout that a change of the template asks for. Returns whether one was made. */
async function startRollout(context: ControllerContext, set: DaemonSetObject): Promise<boolean> {
  const { registry, events } = context;
  const { namespace, uid = '' } = set.metadata;
  const policyName = policyNameOf(set);
  if (policyName === undefined) return false;
  const policy = registry.get(rolloutPolicies, namespace, policyName) as RolloutPolicyObject | undefined;
  if (!policy) {
    const message = `RolloutPolicy "${policyName}" is not there: changes wait until it is`;
    events.record(SOURCE, set, { type: 'Warning', reason: 'RolloutPolicyNotFound', message });
    return false;
  }
  const history = registry.byIndex(
    controllerRevisions,
    'controller',
    uid,
  ) as readonly ControllerRevisionObject[];
  const newestNumber = Math.max(0, ...history.map(({ revision }) => revision));
  const data = revisionData(set);
  const current = history.find((each) => sameJson(each.data, data));
  // Until it is recorded, and as the newest, its number is not known.
  if (!current || current.revision < newestNumber) return false;
  const revisions = history.map((each) => ({ number: each.revision, hash: hashOf(each) }));
  const change = planChange({
    workload: set,
    owner: controllerReference(daemonSets, set),
    policy,
    rollouts: rolloutsOf(registry, set),
    revisions,
    current: { number: current.revision, hash: hashOf(current) },
  });
  if (!change) return false;
  const made = await unlessGone(registry.create(rollouts, change, { fieldManager: SOURCE }));
  if (!made) return false;
  const message = `Created rollout ${made.metadata.name}`;
  events.record(SOURCE, set, { type: 'Normal', reason: 'RolloutCreated', message });
  return true;
}

/** What came before a newer change is over at once, wherever it was. */
async function supersede(
  { registry, now }: ControllerContext,
  rollout: RolloutObject,
  byChange: boolean,
): Promise<void> {
  const { status = {} } = rollout;
  if (isOver(status)) return;
  const at = new Date(now()).toISOString();
  const reason = byChange ? 'NewerRevision' : 'PolicyRemoved';
  const message = byChange ? 'a newer revision takes its place' : 'the workload refers to no policy any more';
  const transition = {
    at,
    phase: 'Superseded' as const,
    reason,
    message,
    ...(status.wave && { wave: status.wave }),
  };
  const transitions = [...(status.transitions ?? []), transition];
  const next = { ...status, phase: 'Superseded', message, finishedAt: at, transitions };
  await unlessGone(writeStatus(registry, rollouts, rollout, next, SOURCE));
}

/** One pass over all devices of the newest rollout. */
async function pass(
  context: RolloutContext,
  key: string,
  set: DaemonSetObject,
  rollout: RolloutObject,
  signal: AbortSignal,
): Promise<number | undefined> {
  const { registry, now, measurements } = context;
  const started = performance.now();
  const { name = '' } = rollout.metadata;
  const { devices, leftOver } = fleetOf(registry, set, rollout.spec, now());
  const { spec, status = {} } = rollout;
  const answers = measurements.answersFor(key, rollout);
  const workload = set.metadata.name ?? '';
  const plan = planRollout({ name, workload, spec, status, devices, nowMs: now(), answers });
  const planMs = performance.now() - started;
  // The rows first: what is counted in the status must be there.
  const isAll = await carryOut(context, set, rollout, plan.devices, leftOver);
  const isStored = await unlessGone(
    writeStatus(registry, rollouts, rollout, plan.status, SOURCE).then(() => true),
  );
  // What was asked must be on record before, and what was answered, before it is forgotten.
  if (isStored) {
    const { waves = [] } = plan.status;
    measurements.ask(key, plan.questions, { rollout, waves, devices: plan.devices });
  }
  tellTransitions(context, rollout, plan.status.transitions?.length ?? 0, plan.status);
  if (plan.goBack) await goBack(context, set, rollout);
  if (planMs > CHEAP_PASS_MS) await delay(planMs * SPACING, undefined, { signal }).catch(() => undefined);
  return isAll ? plan.wakeInMs : 0;
}

function tellTransitions(
  { events }: ControllerContext,
  rollout: RolloutObject,
  count: number,
  { transitions = [] }: NonNullable<RolloutObject['status']>,
): void {
  for (const { reason, message, wave } of transitions.slice(
    rollout.status?.transitions?.length ?? 0,
    count,
  )) {
    const type = WARNINGS.includes(reason) ? 'Warning' : 'Normal';
    const where = wave ? `wave ${wave}` : '';
    events.record(SOURCE, rollout, {
      type,
      reason,
      message: [where, message].filter(Boolean).join(': ') || reason,
    });
  }
}

/** An undo is a change like any other: the template of the last stable revision becomes the newest. */
async function goBack(
  { registry }: ControllerContext,
  set: DaemonSetObject,
  { spec }: RolloutObject,
): Promise<void> {
  const history = registry.byIndex(controllerRevisions, 'controller', set.metadata.uid ?? '');
  const find = (hash: string) =>
    history.find((each) => hashOf(each) === hash) as ControllerRevisionObject | undefined;
  const [bad, stable] = [find(spec.to.hash), find(spec.from.hash)];
  const template = stable && templateOf(stable);
  if (!template || !bad || !sameJson(bad.data, revisionData(set))) return;
  const change = (current: DaemonSetObject) =>
    // Somebody may have changed it meanwhile, which is as good.
    sameJson(revisionData(current), bad.data) ? { ...current, spec: { ...current.spec, template } } : current;
  await changeExisting(registry, daemonSets, set, (current) => change(current as DaemonSetObject), {
    fieldManager: SOURCE,
  });
}
