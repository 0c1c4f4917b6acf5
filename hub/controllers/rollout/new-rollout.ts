import { nameInFleet } from '../../fleet/current-rollout.ts';
import { FLEET_API_VERSION } from '../../fleet/fleet-kind.ts';
import type { Revision, RolloutObject, RolloutSpec } from '../../fleet/rollout.ts';
import type { RolloutPolicyObject } from '../../fleet/rollout-policy.ts';
import type { KubeObject, OwnerReference } from '../../resources/object.ts';

export interface ChangeInput {
  readonly workload: KubeObject;
  readonly owner: OwnerReference;
  readonly policy: RolloutPolicyObject;
  /** Of the workload, the newest first. */
  readonly rollouts: readonly RolloutObject[];
  /** All revisions of the workload's history. */
  readonly revisions: readonly Revision[];
  /** The revision of the workload's template. */
  readonly current: Revision;
}

const CHANGE_CAUSE = 'kubernetes.io/change-cause';

/**
 * The rollout that a change of the workload's template asks for; undefined when there is none to make. The first
 * revision of a workload needs none: there is nothing to lose yet. Pure.
 */
export function planChange(input: ChangeInput): KubeObject | undefined {
  const { rollouts, current, workload, owner, policy } = input;
  const [newest] = rollouts;
  if (newest?.spec.to.hash === current.hash) return undefined;
  const stable = stableOf(input);
  if (!stable) return undefined;
  const isBack = wasStable(rollouts, current.hash);
  const cause = workload.metadata.annotations?.[CHANGE_CAUSE];
  const spec: RolloutSpec = {
    workload: { apiVersion: owner.apiVersion, kind: owner.kind, name: owner.name },
    policyName: policy.metadata.name ?? '',
    policy: policy.spec,
    from: isBack && newest ? newest.spec.to : stable,
    to: current,
    type: isBack ? 'undo' : 'change',
    ...(cause && { cause }),
  };
  const { namespace } = workload.metadata;
  const metadata = {
    name: `${nameInFleet(owner.kind, owner.name)}-${current.number}`,
    ...(namespace && { namespace }),
    labels: { 'fleet.holdfast.dev/workload': nameInFleet(owner.kind, owner.name).slice(0, 63) },
    ownerReferences: [owner],
  };
  return { apiVersion: FLEET_API_VERSION, kind: 'Rollout', metadata, spec };
}

/** The last revision that went through all its gates; before the first rollout, the one before the current. */
function stableOf({ rollouts: [newest], revisions, current }: ChangeInput): Revision | undefined {
  if (newest)
    return newest.spec.type === 'undo' || newest.status?.phase === 'Succeeded'
      ? newest.spec.to
      : newest.spec.from;
  return revisions.filter(({ number }) => number < current.number).toSorted((a, b) => b.number - a.number)[0];
}

/** Who goes back to what has proved itself need not go by waves. */
function wasStable(rollouts: readonly RolloutObject[], hash: string): boolean {
  return rollouts.some(
    ({ spec, status }) =>
      (spec.type === 'change' && spec.from.hash === hash) ||
      (spec.to.hash === hash && (spec.type === 'undo' || status?.phase === 'Succeeded')),
  );
}
