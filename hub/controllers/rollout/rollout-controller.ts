import { setTimeout as delay } from 'node:timers/promises';
import { policyNameOf, rolloutsOf, workloadsUnder } from '../../fleet/current-rollout.ts';
import { deviceUpdates } from '../../fleet/device-update.ts';
import { type Revision, type RolloutObject, rollouts } from '../../fleet/rollout.ts';
import { type RolloutPolicyObject, rolloutPolicies } from '../../fleet/rollout-policy.ts';
import { controllerOf, type KubeObject, objectKey } from '../../resources/object.ts';
import { nodes, pods } from '../../resources/table-of-resources.ts';
import type { NodeObject } from '../../resources/typed.ts';
import {
  type ControllerContext,
  type ObjectEvent,
  type RunningController,
  splitKey,
  startController,
  unlessGone,
} from '../controller.ts';
import { NodePlaces } from '../node-places.ts';
import { controllerReference } from '../ownership.ts';
import { changeExisting, writeStatus } from '../status.ts';
import { fleetOf } from './devices.ts';
import { carryOut } from './execute.ts';
import type { UsageOf } from './gate-measurements/ask-devices.ts';
import { GateMeasurements } from './gate-measurements/gate-measurements.ts';
import { planChange } from './new-rollout.ts';
import { SOURCE } from './pod-changes.ts';
import { isOver, POLICY_REMOVED } from './rollout-draft.ts';
import { planRollout } from './rollout-plan.ts';
import type { WorkloadKind } from './workload.ts';

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

interface RolloutContext extends ControllerContext {
  readonly kind: WorkloadKind;
  readonly measurements: GateMeasurements;
}

/** Takes changes of workloads of one kind that refer to a RolloutPolicy to their devices. */
export function startRolloutController(
  given: ControllerContext,
  kind: WorkloadKind,
  { usageOf = async () => undefined, servers = new Set() }: GateSources = {},
): RunningController {
  const { registry, log } = given;
  const { resource, revisions } = kind;
  const onAnswer = (key: string) => controller.add(key);
  const measurements = new GateMeasurements({ registry, log, usageOf, servers, onAnswer });
  const context: RolloutContext = { ...given, kind, measurements };
  const places = new NodePlaces();
  const states = new Map<string, string>();
  const isManaged = (workload: KubeObject) =>
    policyNameOf(workload) !== undefined ||
    rolloutsOf(registry, workload).some(({ status = {} }) => !isOver(status));
  const workloadKey = ({ object }: ObjectEvent): string[] => {
    const workload = kind.workloadOf(registry, object);
    return workload && isManaged(workload) ? [objectKey(workload)] : [];
  };
  const controller = startController(context, {
    name: `rollout-${resource.singular}`,
    watches: [
      { resource, keys: ({ object }) => (isManaged(object) ? [objectKey(object)] : []) },
      { resource: revisions, keys: workloadKey },
      { resource: rollouts, keys: workloadKey },
      { resource: pods, keys: workloadKey },
      {
        resource: deviceUpdates,
        keys: ({ object }) => {
          const owner = controllerOf(object);
          return owner?.kind === resource.kind ? [`${object.metadata.namespace}/${owner.name}`] : [];
        },
      },
      {
        resource: rolloutPolicies,
        keys: ({ object }) => workloadsUnder(registry, resource, object).map(objectKey),
      },
      {
        resource: nodes,
        keys: (event) => {
          const touched = [...places.touchedBy(event), ...changedState(kind, states, event)];
          if (touched.length === 0) return [];
          const isConcerned = (workload: KubeObject) =>
            touched.some((node) => kind.isConcerned(registry, workload, node));
          return registry
            .list(resource)
            .items.filter((workload) => isManaged(workload) && isConcerned(workload))
            .map(objectKey);
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

/** The node, if it is in another state than when it was last looked at. */
function changedState(
  { stateOf }: WorkloadKind,
  states: Map<string, string>,
  { type, object }: ObjectEvent,
): readonly NodeObject[] {
  if (!stateOf) return [];
  const { name = '' } = object.metadata;
  const node = object as NodeObject;
  const state = stateOf(node);
  if (type === 'DELETED') states.delete(name);
  else if (states.get(name) === state) return [];
  else states.set(name, state);
  return [node];
}

async function syncWorkload(
  context: RolloutContext,
  key: string,
  signal: AbortSignal,
): Promise<number | undefined> {
  const { registry, kind } = context;
  const { namespace, name } = splitKey(key);
  const workload = registry.get(kind.resource, namespace, name);
  if (!workload || workload.metadata.deletionTimestamp || policyNameOf(workload) === undefined)
    context.measurements.forget(key);
  if (!workload || workload.metadata.deletionTimestamp) return undefined;
  if (await startRollout(context, workload)) return 0;
  const [newest, ...older] = rolloutsOf(registry, workload);
  if (!newest) return undefined;
  const hasPolicy = policyNameOf(workload) !== undefined;
  await Promise.all([
    ...(hasPolicy ? older : [newest, ...older]).map((rollout) => supersede(context, rollout, hasPolicy)),
    ...older
      .slice(HISTORY_KEPT)
      .map(({ metadata }) => unlessGone(registry.delete(rollouts, namespace, metadata.name ?? '', {}))),
  ]);
  // Another template selects other devices, and makes other pods: its own rollout is about to follow, or waits.
  const isOfTemplate = kind.current(registry, workload)?.hash === newest.spec.to.hash;
  return hasPolicy && isOfTemplate ? pass(context, key, workload, newest, signal) : undefined;
}

/** Makes the rollout that a change of the template asks for. Returns whether one was made. */
async function startRollout(context: RolloutContext, workload: KubeObject): Promise<boolean> {
  const { registry, events, kind } = context;
  const { namespace } = workload.metadata;
  const policyName = policyNameOf(workload);
  if (policyName === undefined) return false;
  const policy = registry.get(rolloutPolicies, namespace, policyName) as RolloutPolicyObject | undefined;
  if (!policy) {
    const message = `RolloutPolicy "${policyName}" is not there: changes wait until it is`;
    events.record(SOURCE, workload, { type: 'Warning', reason: 'RolloutPolicyNotFound', message });
    return false;
  }
  const current = kind.current(registry, workload);
  if (!current) return false;
  const change = planChange({
    workload,
    owner: controllerReference(kind.resource, workload),
    policy,
    rollouts: rolloutsOf(registry, workload),
    revisions: kind.history(registry, workload).map(revisionOf),
    current: revisionOf(current),
  });
  if (!change) return false;
  const made = await unlessGone(registry.create(rollouts, change, { fieldManager: SOURCE }));
  if (!made) return false;
  const message = `Created rollout ${made.metadata.name}`;
  events.record(SOURCE, workload, { type: 'Normal', reason: 'RolloutCreated', message });
  return true;
}

/** Without what it is a revision of. */
function revisionOf({ number, hash }: Revision): Revision {
  return { number, hash };
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
  const reason = byChange ? 'NewerRevision' : POLICY_REMOVED;
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
  workload: KubeObject,
  rollout: RolloutObject,
  signal: AbortSignal,
): Promise<number | undefined> {
  const { registry, now, kind, measurements } = context;
  const started = performance.now();
  const { name = '' } = rollout.metadata;
  const { devices, leftOver } = fleetOf(registry, kind, workload, rollout.spec, now());
  const { spec, status = {} } = rollout;
  const isPaused = (workload['spec'] as { paused?: boolean }).paused === true;
  const answers = measurements.answersFor(key, rollout);
  const input = { name, workload: workload.metadata.name ?? '', spec, status, devices, answers, isPaused };
  const plan = planRollout({ ...input, nowMs: now() });
  const planMs = performance.now() - started;
  // The rows first: what is counted in the status must be there.
  const isAll = await carryOut(context, kind, workload, rollout, plan.devices, leftOver);
  const isStored = await unlessGone(
    writeStatus(registry, rollouts, rollout, plan.status, SOURCE).then(() => true),
  );
  // What was asked must be on record before, and what was answered, before it is forgotten.
  if (isStored) {
    const { waves = [] } = plan.status;
    measurements.ask(key, plan.questions, { rollout, waves, devices: plan.devices });
  }
  tellTransitions(context, rollout, plan.status.transitions?.length ?? 0, plan.status);
  if (plan.goBack) await goBack(context, workload, rollout);
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
  { registry, kind }: RolloutContext,
  workload: KubeObject,
  { spec }: RolloutObject,
): Promise<void> {
  const change = (current: KubeObject) => kind.goneBack(registry, current, spec.to, spec.from);
  await changeExisting(registry, kind.resource, workload, change, { fieldManager: SOURCE });
}
