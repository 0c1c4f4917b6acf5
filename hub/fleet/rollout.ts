import { isDeepStrictEqual } from 'node:util';
import type { FieldError } from '../resources/api-error.ts';
import { ageColumn, column, countColumn, nameColumn, wideColumn } from '../resources/cells.ts';
import { immutable, invalidValue } from '../resources/field-errors.ts';
import { controllerOf, type KubeObject } from '../resources/object.ts';
import { choice, count, defineFleetKind, list, struct, text, time } from './fleet-kind.ts';
import { POLICY_SPEC, type RolloutPolicySpec } from './rollout-policy.ts';

/** One revision of a workload: the number that `kubectl rollout history` shows, and the hash that its pods carry. */
export interface Revision {
  readonly number: number;
  readonly hash: string;
}

export const ACTION_TYPES = [
  'start',
  'pause',
  'resume',
  'approve',
  'promote',
  'retry',
  'skip-wave',
  'abort',
  'undo',
] as const;

/** What somebody asked of a rollout. Only ever added to; the hub fills in who and when. */
export interface RolloutAction {
  readonly type: (typeof ACTION_TYPES)[number];
  /** For approve and skip-wave: which wave; the present one when absent. */
  readonly wave?: string;
  /** For promote: also past all later bakes and approvals. */
  readonly full?: boolean;
  readonly reason?: string;
  readonly by?: string;
  readonly at?: string;
}

export interface RolloutSpec {
  readonly workload: { readonly apiVersion: string; readonly kind: string; readonly name: string };
  readonly policyName: string;
  /** The policy as it was when the rollout began. */
  readonly policy: RolloutPolicySpec;
  /** The last stable revision: where devices are before, and go back to. */
  readonly from: Revision;
  readonly to: Revision;
  /** `undo` goes straight to all devices. */
  readonly type: 'change' | 'undo';
  /** Of the revision: `kubernetes.io/change-cause`. */
  readonly cause?: string;
  readonly startedBy?: string;
  readonly actions?: readonly RolloutAction[];
}

export const PHASES = [
  'Pending',
  'Progressing',
  'Baking',
  'AwaitingApproval',
  'Paused',
  'Succeeded',
  'Aborted',
  'Undone',
  'Superseded',
] as const;

export type RolloutPhase = (typeof PHASES)[number];
export type WavePhase =
  | 'Pending'
  | 'Progressing'
  | 'Baking'
  | 'AwaitingApproval'
  | 'Done'
  | 'Failed'
  | 'Skipped';

/** How many devices of a wave, or of all, are where. */
export interface DeviceCounts {
  /** All of them. */
  readonly devices: number;
  readonly pending: number;
  readonly updating: number;
  readonly succeeded: number;
  /** Of those that succeeded; absent in what an older hub wrote. */
  readonly unhealthy?: number;
  readonly failed: number;
  readonly lost: number;
  readonly dark: number;
}

export const GATE_RESULTS = ['pass', 'fail', 'inconclusive'] as const;

export type GateResult = (typeof GATE_RESULTS)[number];

/** What a measured gate has found about a wave. All that the engine knows of it, so that a restarted hub goes on from here. */
export interface GateStatus {
  readonly name: string;
  /** The last answer; `inconclusive` before the first. */
  readonly result: GateResult;
  readonly message: string;
  /** When it was last asked, and when that was answered: absent while the answer is awaited. */
  readonly askedAt: string;
  readonly answeredAt?: string;
  /** Since when there has been no conclusive answer; absent when the last one was. */
  readonly openSince?: string;
  /** How often in a row it has failed, or been inconclusive. */
  readonly failures?: number;
  readonly tries?: number;
  /** What it found stopped the rollout. */
  readonly stopped?: boolean;
  /** Somebody has seen what it found, and gone on. */
  readonly accepted?: boolean;
}

export interface WaveStatus extends DeviceCounts {
  readonly name: string;
  readonly phase: WavePhase;
  readonly startedAt?: string;
  readonly finishedAt?: string;
  /** When the last device of it was done. */
  readonly bakingSince?: string;
  /** Failures that somebody has seen and gone on from. */
  readonly acceptedFailures?: number;
  readonly gates?: readonly GateStatus[];
}

export interface Transition {
  readonly at: string;
  readonly phase: RolloutPhase;
  readonly wave?: string;
  readonly reason: string;
  readonly message?: string;
  readonly by?: string;
}

export interface RolloutStatus extends Partial<DeviceCounts> {
  readonly phase?: RolloutPhase;
  readonly wave?: string;
  readonly message?: string;
  readonly staged?: number;
  readonly waves?: readonly WaveStatus[];
  readonly transitions?: readonly Transition[];
  /** When a device last succeeded, or a wave began. */
  readonly progressAt?: string;
  readonly finishedAt?: string;
  /** How many of `spec.actions` have been carried out. */
  readonly observedActions?: number;
}

export interface RolloutObject extends KubeObject {
  spec: RolloutSpec;
  status?: RolloutStatus;
}

const REVISION = {
  number: count('As `kubectl rollout history` numbers it.'),
  hash: text('As the label controller-revision-hash of its pods has it.'),
};
const COUNTS = {
  devices: count('All devices.'),
  pending: count('Devices whose turn has not come.'),
  updating: count('Devices that are at it.'),
  succeeded: count('Devices that have taken the revision.'),
  unhealthy: count(
    'Of those that succeeded, devices that do not do well with it since: their containers restarted more than maxRestarts times, or are not ready for longer than minHealthy.',
  ),
  failed: count('Devices that rejected the revision or did not decide in time.'),
  lost: count('Devices that took it up and were not heard of any more.'),
  dark: count('Devices that are away and have not been asked.'),
};
const needs = (...names: string[]) => ({ required: names });

const SPEC = struct(
  'The change. Nothing of it can be changed later, but that actions are added.',
  {
    workload: struct(
      'What is changed.',
      {
        apiVersion: text('Its API version.'),
        kind: choice('Its kind.', ['DaemonSet', 'Deployment', 'AgentRelease']),
        name: text('Its name.'),
      },
      needs('apiVersion', 'kind', 'name'),
    ),
    policyName: text('The RolloutPolicy that it follows.'),
    policy: { ...POLICY_SPEC, description: 'The policy as it was when the rollout began.' },
    from: struct('The last stable revision.', REVISION, needs('number', 'hash')),
    to: struct('The new revision.', REVISION, needs('number', 'hash')),
    type: choice('A change goes by waves; an undo goes straight to all devices.', ['change', 'undo']),
    cause: text('Why, as the annotation kubernetes.io/change-cause of the workload told it.'),
    startedBy: text('Who changed the workload, where that is known.'),
    actions: list(
      'What was asked of the rollout, in order. Add to it: who asked and when is filled in.',
      struct(
        'One request.',
        {
          type: choice('What to do.', ACTION_TYPES),
          wave: text('For approve and skip-wave: the wave that is meant; the present one when absent.'),
          full: { type: 'boolean', description: 'For promote: also past all later bakes and approvals.' },
          reason: text('Why.', { maxLength: 1024 }),
          by: text('Who asked. Filled in by the hub.'),
          at: time('When. Filled in by the hub.'),
        },
        needs('type'),
      ),
      { maxItems: 1000 },
    ),
  },
  needs('workload', 'policyName', 'policy', 'from', 'to', 'type'),
);

const GATE_STATUS = struct('What one gate has found.', {
  name: text('Its name.'),
  result: choice('The last answer; inconclusive before the first.', GATE_RESULTS),
  message: text('What was measured.'),
  askedAt: time('When it was last asked.'),
  answeredAt: time('When that was answered; absent while the answer is awaited.'),
  openSince: time('Since when there has been no conclusive answer.'),
  failures: count('How often in a row it has failed.'),
  tries: count('How often in a row it has been inconclusive.'),
  stopped: { type: 'boolean', description: 'What it found stopped the rollout.' },
  accepted: { type: 'boolean', description: 'Somebody has seen what it found, and gone on.' },
});

const STATUS = struct('Where the rollout is. Written by the hub.', {
  phase: choice('Where the rollout is as a whole.', PHASES),
  wave: text('The present wave.'),
  message: text('Why it is there.'),
  staged: count('Devices that hold all images of the new revision.'),
  ...COUNTS,
  waves: list(
    'Each wave, in order.',
    struct('One wave.', {
      name: text('Its name.'),
      phase: choice('Where the wave is.', [
        'Pending',
        'Progressing',
        'Baking',
        'AwaitingApproval',
        'Done',
        'Skipped',
      ]),
      ...COUNTS,
      startedAt: time('When its first device was asked.'),
      bakingSince: time('When its last device was done.'),
      acceptedFailures: count('Failures that somebody has seen and gone on from.'),
      gates: list('What its measured gates have found.', GATE_STATUS),
      finishedAt: time('When it was over.'),
    }),
  ),
  transitions: list(
    'Everything that happened to the rollout as a whole, the newest last.',
    struct('One change of phase or wave.', {
      at: time('When.'),
      phase: choice('The phase it went to.', PHASES),
      wave: text('The wave it was at.'),
      reason: text('One word for why.'),
      message: text('Why, in a sentence.'),
      by: text('Who asked for it; absent for the hub itself.'),
    }),
  ),
  progressAt: time('When a device last succeeded, or a wave began.'),
  finishedAt: time('When the rollout was over.'),
  observedActions: count('How many of spec.actions have been carried out.'),
});

/** One change of a workload on its way through the fleet: its record, and where it is. */
export const rollouts = defineFleetKind(
  {
    kind: 'Rollout',
    plural: 'rollouts',
    shortNames: ['ro'],
    description:
      'Rollout is one change of a workload on its way through the fleet. The hub makes one for each new revision of a workload that refers to a RolloutPolicy, and keeps it as the record of what happened.',
    spec: SPEC,
    status: STATUS,
  },
  {
    validate: (object, old) => rolloutErrors(object as RolloutObject, old as RolloutObject | undefined),
    indexes: { workload: (object) => [workloadUidOf(object)] },
    columns: [
      nameColumn,
      column('Workload', 'What is changed.', (object) => (object as RolloutObject).spec.workload.name),
      countColumn('Revision', 'The new revision.', (object) => (object as RolloutObject).spec.to.number),
      column('Phase', 'Where the rollout is.', (object) => statusOf(object).phase ?? 'Pending'),
      column('Wave', 'The present wave.', (object) => statusOf(object).wave ?? ''),
      countColumn('Devices', 'All devices.', (object) => statusOf(object).devices ?? 0),
      countColumn('Succeeded', 'Have the revision.', (object) => statusOf(object).succeeded ?? 0),
      wideColumn('Unhealthy', 'Have it, and do not do well.', (object) => statusOf(object).unhealthy ?? 0),
      countColumn('Failed', 'Rejected it or took too long.', (object) => statusOf(object).failed ?? 0),
      countColumn('Lost', 'Silent since they took it up.', (object) => statusOf(object).lost ?? 0),
      countColumn('Dark', 'Away.', (object) => statusOf(object).dark ?? 0),
      wideColumn('Message', 'Why it is there.', (object) => statusOf(object).message ?? ''),
      ageColumn,
    ],
  },
);

function statusOf(object: KubeObject): RolloutStatus {
  return (object as RolloutObject).status ?? {};
}

function workloadUidOf(object: KubeObject): string {
  return controllerOf(object)?.uid ?? '';
}

/** Actions that were carried out, or may have been, stay as they are. */
function rolloutErrors({ spec }: RolloutObject, old: RolloutObject | undefined): FieldError[] {
  if (!old) return [];
  const { actions = [], ...rest } = spec;
  const { actions: before = [], ...restBefore } = old.spec;
  if (!isDeepStrictEqual(rest, restBefore)) return [immutable('spec', rest)];
  const isKept = before.every((action, index) => isDeepStrictEqual(action, actions[index]));
  if (!isKept)
    return [
      invalidValue('spec.actions', actions.length, 'actions may only be added, behind those that are there'),
    ];
  const names = (spec.policy.waves ?? []).map(({ name }) => name);
  return actions.slice(before.length).flatMap(({ wave }, index) => {
    if (wave === undefined || wave === 'rest' || names.includes(wave)) return [];
    const field = `spec.actions[${before.length + index}].wave`;
    return [
      invalidValue(field, wave, `the rollout has no such wave: it has ${[...names, 'rest'].join(', ')}`),
    ];
  });
}
