import type { DeploymentStatus } from 'kubernetes-types/apps/v1.d.ts';
import { REVISION } from '../../resources/deployment.ts';
import type { KubeObject } from '../../resources/object.ts';
import type { DeploymentObject, ReplicaSetObject } from '../../resources/typed.ts';
import { sameJson } from '../../schema/json-type.ts';
import { isComplete, planConditions } from './deployment-conditions.ts';
import {
  annotationsFor,
  type Generations,
  nextRevision,
  revisionOf,
  scaleAnnotations,
} from './replica-sets.ts';
import { boundsOf, isScaling, planRecreate, planRolling, planScale, type Sizes } from './rollout.ts';

/** What a ReplicaSet should have; it is written if it differs. */
export interface ReplicaSetUpdate {
  readonly set: ReplicaSetObject;
  readonly replicas: number;
  readonly annotations: Readonly<Record<string, string>>;
  readonly minReadySeconds: number;
}

export interface DeploymentPlan {
  /** The ReplicaSet of the current template, when there is none yet. */
  readonly create: { readonly replicas: number; readonly annotations: Record<string, string> } | undefined;
  readonly updates: readonly ReplicaSetUpdate[];
  readonly remove: readonly ReplicaSetObject[];
  /** The Deployment's own revision; undefined when it is right, or not known. */
  readonly revision: number | undefined;
}

const NOTHING: DeploymentPlan = { create: undefined, updates: [], remove: [], revision: undefined };

/**
 * The next step of a Deployment. `oldPodsLeft`: pods of other templates still exist, be it that they are ending. `given`:
 * the sizes of its ReplicaSets, where a RolloutPolicy and not its strategy decides.
 */
export function planDeployment(
  deployment: DeploymentObject,
  generations: Generations,
  oldPodsLeft: boolean,
  given?: Sizes,
): DeploymentPlan {
  const { metadata, spec } = deployment;
  if (metadata.deletionTimestamp !== undefined) return NOTHING;
  const scaling = isScaling(deployment, generations);
  const sizes = given ?? sizesOf(deployment, generations, oldPodsLeft, scaling);
  const revision = nextRevision(generations);
  const { current } = generations;
  const creates = current === undefined && sizes.current !== undefined;
  const maxReplicas = (spec.replicas ?? 1) + boundsOf(spec).maxSurge;
  const annotations = {
    ...annotationsFor(deployment, undefined, revision),
    ...scaleAnnotations(spec.replicas ?? 1, maxReplicas),
  };
  const knowsRevision = creates || current !== undefined;
  return {
    create: creates ? { replicas: sizes.current ?? 0, annotations } : undefined,
    updates: updatesFor(deployment, generations, sizes, scaling),
    remove: planCleanUp(deployment, generations),
    revision: knowsRevision && metadata.annotations?.[REVISION] !== `${revision}` ? revision : undefined,
  };
}

function sizesOf(
  deployment: DeploymentObject,
  generations: Generations,
  oldPodsLeft: boolean,
  scaling: boolean,
): Sizes {
  if (deployment.spec.paused || scaling) return planScale(deployment, generations);
  return planStep(deployment, generations, oldPodsLeft);
}

function planStep(deployment: DeploymentObject, generations: Generations, oldPodsLeft: boolean): Sizes {
  return deployment.spec.strategy?.type === 'Recreate'
    ? planRecreate(deployment, generations, oldPodsLeft)
    : planRolling(deployment, generations);
}

function updatesFor(
  deployment: DeploymentObject,
  { current, old }: Generations,
  sizes: Sizes,
  scaling: boolean,
): ReplicaSetUpdate[] {
  const { spec } = deployment;
  const marks = scaleAnnotations(spec.replicas ?? 1, (spec.replicas ?? 1) + boundsOf(spec).maxSurge);
  const updateOf = (set: ReplicaSetObject, wanted: number | undefined): ReplicaSetUpdate => {
    const before = set.spec.replicas ?? 1;
    const replicas = wanted ?? before;
    const isCurrent = set === current;
    const annotations = isCurrent
      ? annotationsFor(deployment, set, nextRevision({ current, old }))
      : (set.metadata.annotations ?? {});
    const isMarked = replicas !== before || (scaling && before > 0);
    const minReadySeconds = (isCurrent ? spec.minReadySeconds : set.spec.minReadySeconds) ?? 0;
    return {
      set,
      replicas,
      annotations: isMarked ? { ...annotations, ...marks } : annotations,
      minReadySeconds,
    };
  };
  const updates = old.map((set) => updateOf(set, sizes.old.get(set.metadata.name ?? '')));
  if (current) updates.push(updateOf(current, sizes.current));
  return updates.filter(differs);
}

function differs({ set, replicas, annotations, minReadySeconds }: ReplicaSetUpdate): boolean {
  return (
    replicas !== (set.spec.replicas ?? 1) ||
    minReadySeconds !== (set.spec.minReadySeconds ?? 0) ||
    !sameJson(annotations, set.metadata.annotations ?? {})
  );
}

/** Old ReplicaSets beyond the history that is kept, the oldest revisions first; never while a rollout is under way. */
function planCleanUp(deployment: DeploymentObject, generations: Generations): ReplicaSetObject[] {
  const { revisionHistoryLimit: limit = 10, paused } = deployment.spec;
  if (!paused && !isComplete(deployment, countsOf(deployment, generations))) return [];
  const old = generations.old.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  const surplus = Math.max(0, old.length - limit);
  return old
    .toSorted((a, b) => revisionOf(a) - revisionOf(b))
    .slice(0, surplus)
    .filter(
      ({ metadata, spec, status }) =>
        spec.replicas === 0 &&
        !status?.replicas &&
        (metadata.generation ?? 0) <= (status?.observedGeneration ?? 0),
    );
}

function countsOf(
  { metadata, status }: DeploymentObject,
  { current, old }: Generations,
): Omit<DeploymentStatus, 'conditions'> {
  const all = current ? [...old, current] : old;
  const total = (read: (set: ReplicaSetObject) => number | undefined) =>
    all.reduce((count, set) => count + (read(set) ?? 0), 0);
  const available = total((set) => set.status?.availableReplicas);
  const { collisionCount } = status ?? {};
  return {
    observedGeneration: metadata.generation ?? 0,
    replicas: total((set) => set.status?.replicas),
    updatedReplicas: current?.status?.replicas ?? 0,
    readyReplicas: total((set) => set.status?.readyReplicas),
    availableReplicas: available,
    unavailableReplicas: Math.max(0, total((set) => set.spec.replicas ?? 1) - available),
    ...(collisionCount !== undefined && { collisionCount }),
  };
}

/** The counts that Kubernetes leaves out when they are zero. */
const OMITTED_ZEROS = [
  'replicas',
  'updatedReplicas',
  'readyReplicas',
  'availableReplicas',
  'unavailableReplicas',
] as const;

/** `created` is the ReplicaSet that this pass has created. */
export function planDeploymentStatus(
  deployment: DeploymentObject,
  generations: Generations,
  {
    created,
    failure,
    nowMs,
  }: { created?: KubeObject | undefined; failure?: string | undefined; nowMs: number },
): { status: DeploymentStatus; wakeInMs: number | undefined } {
  const counts = countsOf(deployment, generations);
  const name = (created ?? generations.current)?.metadata.name;
  const { conditions, wakeInMs } = planConditions({
    deployment,
    counts,
    replicaSet: name === undefined ? undefined : { name, isNew: created !== undefined },
    failure: failure === undefined ? failureOf(generations) : { reason: 'FailedCreate', message: failure },
    nowMs,
  });
  const status: DeploymentStatus = { ...counts, conditions };
  for (const field of OMITTED_ZEROS) if (status[field] === 0) delete status[field];
  return { status, wakeInMs };
}

/** Why pods cannot be created: of the current template first. */
function failureOf({ current, old }: Generations): { reason: string; message: string } | undefined {
  for (const set of current ? [current, ...old] : old) {
    const failed = set.status?.conditions?.find(({ type }) => type === 'ReplicaFailure');
    if (failed) return { reason: failed.reason ?? '', message: failed.message ?? '' };
  }
  return undefined;
}
