import type {
  DriftedObject,
  Failure,
  GitSourceCondition,
  GitSourceObject,
  GitSourceStatus,
} from '../../fleet/git-source.ts';
import { formatTime } from '../../resources/time.ts';
import { MAX_FAILURES } from './manifests.ts';
import { type Outcome, short } from './outcome.ts';
import { askedAt } from './pass-plan.ts';

const MAX_DRIFTED = 50;
const MAX_MESSAGE_LENGTH = 1024;

/** The status after a look into the repository. */
export function statusAfter(
  source: GitSourceObject,
  outcome: Outcome,
  drifted: readonly DriftedObject[],
  nowMs: number,
): GitSourceStatus {
  const { isReady, reason, message, revision, failures, inventory } = outcome;
  const asked = askedAt(source);
  const before = withoutDrift(source.status ?? {});
  return {
    ...before,
    ...(source.metadata.generation !== undefined && { observedGeneration: source.metadata.generation }),
    ...(revision !== undefined && { lastAttemptedRevision: revision }),
    ...(isReady && revision !== undefined && { lastAppliedRevision: revision }),
    ...(asked && { lastHandledReconcileAt: asked }),
    ...(inventory && { inventory }),
    failures: failures.slice(0, MAX_FAILURES).map(shortened),
    ...driftedPart(drifted),
    conditions: [
      condition(source, 'Ready', isReady ? 'True' : 'False', reason, message, nowMs),
      condition(
        source,
        'Reconciling',
        'False',
        isReady ? 'Done' : 'Retrying',
        isReady ? 'nothing is under way' : 'it is tried again, ever later',
        nowMs,
      ),
      driftCondition(source, drifted, nowMs),
    ],
  };
}

/** While a revision is being applied. */
export function statusDuring(source: GitSourceObject, revision: string, nowMs: number): GitSourceStatus {
  const others = (source.status?.conditions ?? []).filter(({ type }) => type !== 'Reconciling');
  const message = `revision ${short(revision)} is being applied`;
  return {
    ...source.status,
    lastAttemptedRevision: revision,
    conditions: [...others, condition(source, 'Reconciling', 'True', 'Applying', message, nowMs)],
  };
}

export function statusSuspended(source: GitSourceObject, nowMs: number): GitSourceStatus {
  const { generation } = source.metadata;
  const message = 'spec.suspend is set: nothing is fetched, applied or put right';
  return {
    ...source.status,
    ...(generation !== undefined && { observedGeneration: generation }),
    conditions: [
      condition(source, 'Ready', 'Unknown', 'Suspended', message, nowMs),
      condition(source, 'Reconciling', 'False', 'Suspended', message, nowMs),
      condition(source, 'Drifted', 'Unknown', 'Suspended', message, nowMs),
    ],
  };
}

/** When only what others changed is news. */
export function statusWithDrift(
  source: GitSourceObject,
  drifted: readonly DriftedObject[],
  nowMs: number,
): GitSourceStatus {
  const others = (source.status?.conditions ?? []).filter(({ type }) => type !== 'Drifted');
  return {
    ...withoutDrift(source.status ?? {}),
    ...driftedPart(drifted),
    conditions: [...others, driftCondition(source, drifted, nowMs)],
  };
}

function withoutDrift({ drifted: _, ...status }: GitSourceStatus): GitSourceStatus {
  return status;
}

function driftedPart(drifted: readonly DriftedObject[]): Pick<GitSourceStatus, 'drifted'> {
  return drifted.length === 0 ? {} : { drifted: drifted.slice(0, MAX_DRIFTED) };
}

function driftCondition(
  source: GitSourceObject,
  drifted: readonly DriftedObject[],
  nowMs: number,
): GitSourceCondition {
  const [first] = drifted;
  if (!first)
    return condition(source, 'Drifted', 'False', 'InSync', 'everything is as it was applied', nowMs);
  const others = drifted.length > 1 ? `, and ${drifted.length - 1} more` : '';
  const reason = drifted.some(({ state }) => state === 'Differs') ? 'ObjectsDiffer' : 'ObjectsMissing';
  return condition(source, 'Drifted', 'True', reason, `${driftText(first)}${others}`, nowMs);
}

/** `Deployment default/web differs in spec.replicas` */
export function driftText({ object, state, fields = [] }: DriftedObject): string {
  return state === 'Missing' ? `${object} is missing` : `${object} differs in ${fields.join(', ')}`;
}

function shortened(failure: Failure): Failure {
  return { ...failure, message: failure.message.slice(0, MAX_MESSAGE_LENGTH) };
}

function condition(
  { status, metadata }: GitSourceObject,
  type: GitSourceCondition['type'],
  value: GitSourceCondition['status'],
  reason: string,
  message: string,
  nowMs: number,
): GitSourceCondition {
  const old = status?.conditions?.find((each) => each.type === type);
  return {
    type,
    status: value,
    reason,
    message: message.slice(0, MAX_MESSAGE_LENGTH),
    ...(metadata.generation !== undefined && { observedGeneration: metadata.generation }),
    lastTransitionTime: old?.status === value ? old.lastTransitionTime : formatTime(nowMs),
  };
}
