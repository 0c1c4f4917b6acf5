import { hashOf, planRevisions } from '../../controllers/daemon-set/revisions.ts';
import { nextRevision, sortGenerations, templateHash } from '../../controllers/deployment/replica-sets.ts';
import { planChange } from '../../controllers/rollout/new-rollout.ts';
import type { Revision, RolloutObject, RolloutSpec } from '../../fleet/rollout.ts';
import type { RolloutPolicyObject } from '../../fleet/rollout-policy.ts';
import type {
  ControllerRevisionObject,
  DaemonSetObject,
  DeploymentObject,
  ReplicaSetObject,
} from '../../resources/typed.ts';
import { sameJson } from '../../schema/json-type.ts';
import { isOver } from './find-rollout.ts';
import {
  nameInFleet,
  type Version,
  versionOf,
  type WorkloadObject,
  type WorkloadReference,
} from './workload.ts';

export interface ChangeInput {
  readonly reference: WorkloadReference;
  readonly before: WorkloadObject;
  readonly after: WorkloadObject;
  readonly policy: RolloutPolicyObject;
  readonly versions: readonly Version[];
  /** Of the workload, the newest first. */
  readonly rollouts: readonly RolloutObject[];
}

/** The rollout that the hub would make. */
export interface Change {
  readonly rollout: string;
  readonly type: RolloutSpec['type'];
  readonly hash: string;
  readonly message: string;
  readonly warnings: readonly string[];
}

/** By the engine's own rules. Without a change of the template: as if there were one. Pure. */
export function plannedChange(input: ChangeInput): Change {
  const { reference, before, after, policy, versions, rollouts } = input;
  const [newest] = rollouts;
  const { uid = '' } = before.metadata;
  const owner = { apiVersion: 'apps/v1', ...reference, uid, controller: true };
  const isSame = sameJson(before.spec.template, after.spec.template);
  const current = isSame
    ? { number: Math.max(0, ...versions.map(({ number }) => number)) + 1, hash: '' }
    : revisionOf(after, owner, versions);
  const known = versions.map(({ number, hash }) => ({ number, hash }));
  const made = planChange({ workload: after, owner, policy, rollouts, revisions: known, current });
  const spec = made?.['spec'] as RolloutSpec | undefined;
  const rollout = made?.metadata.name ?? `${nameInFleet(reference)}-${current.number}`;
  const type = spec?.type ?? 'change';
  const isManual = policy.spec.start === 'manual' && type === 'change';
  return {
    rollout,
    type,
    hash: current.hash,
    message: messageOf({ isSame, rollout, type, current, spec }),
    warnings: [
      ...(newest && !isOver(newest) && newest.metadata.name !== rollout
        ? [`rollout ${newest.metadata.name} is ${newest.status?.phase ?? 'Pending'}: it would be superseded`]
        : []),
      ...(isManual ? [`the policy does not start by itself: holdfast rollout start ${rollout}`] : []),
    ],
  };
}

/** As the workload's own controller would number it. */
function revisionOf(
  workload: WorkloadObject,
  owner: Parameters<typeof planRevisions>[1],
  versions: readonly Version[],
): Revision {
  const records = versions.map(({ record }) => record);
  if (owner.kind === 'Deployment') {
    const deployment = workload as DeploymentObject;
    const generations = sortGenerations(deployment, records as ReplicaSetObject[]);
    const there = generations.current && versionOf(generations.current).hash;
    return { hash: there ?? templateHash(deployment), number: nextRevision(generations) };
  }
  const revisions = records as ControllerRevisionObject[];
  const { hash, renumber, create } = planRevisions(workload as DaemonSetObject, owner, revisions, new Set());
  const made = create as ControllerRevisionObject | undefined;
  const there = revisions.find((each) => hashOf(each) === hash);
  return { hash, number: renumber?.to ?? made?.revision ?? there?.revision ?? 0 };
}

interface Told {
  readonly isSame: boolean;
  readonly rollout: string;
  readonly type: RolloutSpec['type'];
  readonly current: Revision;
  readonly spec: RolloutSpec | undefined;
}

function messageOf({ isSame, rollout, type, current, spec }: Told): string {
  if (isSame) return `the template stays as it is; a change would be ${rollout}, and go like this`;
  if (!spec) return `revision ${current.number} is what the newest rollout goes to already`;
  const from = `from revision ${spec.from.number} to ${spec.to.number}`;
  return type === 'undo'
    ? `${rollout} would go back ${from}, straight to all devices`
    : `${rollout} would go ${from}`;
}
