import type { RolloutAction } from '../../fleet/rollout.ts';
import { atMs } from './device-plan.ts';
import { outcomeOf } from './gates.ts';
import { resumed } from './measured-gates.ts';
import { type DraftWave, isOver, type RolloutDraft } from './rollout-draft.ts';

/*
 * What people ask of a rollout. Each request is carried out once; who asked and why goes into the record.
 */

export function obey(draft: RolloutDraft, action: RolloutAction): void {
  const isTooLate = isOver(draft.status) && action.type !== 'retry' && action.type !== 'undo';
  if (!isTooLate) HOW[action.type](draft, action);
}

const HOW: Readonly<Record<RolloutAction['type'], (draft: RolloutDraft, action: RolloutAction) => void>> = {
  start: (draft, { by }) => {
    if (draft.status.phase === 'Pending') draft.begin(by);
  },
  pause: (draft, action) => draft.enter('Paused', 'PauseRequested', because(action)),
  resume: (draft, action) => {
    acceptFailures(draft);
    goOn(draft, 'Resumed', action);
  },
  approve: () => undefined, // found among the actions when the wave asks for it
  promote,
  retry: (draft, action) => {
    retry(draft);
    goOn(draft, 'Retried', action);
  },
  'skip-wave': skip,
  abort: (draft, action) => {
    draft.letGo();
    draft.enter('Aborted', 'AbortRequested', because(action));
  },
  undo,
};

function because({ reason: message, by }: RolloutAction) {
  return { message, by };
}

function undo(draft: RolloutDraft, action: RolloutAction): void {
  const { spec } = draft.input;
  if (spec.type === 'undo' || draft.status.phase === 'Undone' || draft.status.phase === 'Superseded') return;
  draft.undo('UndoRequested', because(action));
}

function goOn(draft: RolloutDraft, reason: string, action: RolloutAction): void {
  if (draft.status.phase === 'Pending') draft.begin(action.by);
  if (draft.status.phase !== 'Paused') return;
  draft.status.progressAt = draft.now;
  draft.enter('Progressing', reason, because(action));
}

/** Who goes on after failures has seen them: they are not held against the wave again. */
function acceptFailures(draft: RolloutDraft): void {
  const wave = draft.present;
  if (draft.status.phase !== 'Paused' || !wave) return;
  const { failed, lost, unhealthy } = outcomeOf(draft.membersOf(wave.status.name));
  wave.status.acceptedFailures = failed + lost + unhealthy;
  const { gates } = wave.status;
  if (gates) wave.status.gates = resumed(gates);
}

/** Ends what the present wave waits for. */
function promote(draft: RolloutDraft, action: RolloutAction): void {
  acceptFailures(draft);
  goOn(draft, 'Promoted', action);
  const wave = draft.present;
  if (wave?.status.bakingSince === undefined) return;
  draft.finishWave(wave, 'Promoted', because(action));
}

/** Those of the wave who have not been asked go with the rest. */
function skip(draft: RolloutDraft, action: RolloutAction): void {
  const { wave: name } = action;
  const wave = name === undefined ? draft.present : draft.waves.find(({ status }) => status.name === name);
  if (!wave || wave.isLast || wave.status.phase === 'Done') return;
  wave.status.phase = 'Skipped';
  wave.status.finishedAt = draft.now;
  for (const device of draft.membersOf(wave.status.name)) {
    const { step } = device.row;
    if (step === 'Waiting' || step === 'Staging' || step === 'Staged') draft.change(device, { wave: '' });
  }
  draft.status.wave = wave.status.name;
  draft.enter('Progressing', 'WaveSkipped', because(action));
}

/** What failed is asked anew. */
function retry(draft: RolloutDraft): void {
  for (const device of draft.devices) {
    const { step, class: deviceClass, retries = 0 } = device.row;
    if (step !== 'Rejected' && step !== 'Failed' && deviceClass !== 'lost') continue;
    const anew = { step: 'Waiting', class: 'reachable', reason: 'Retried', message: '' } as const;
    draft.change(device, { ...anew, retries: retries + 1 });
  }
  for (const { status } of draft.waves) {
    delete status.acceptedFailures;
    delete status.gates;
  }
}

/** The approval of a wave. One that names no wave is for the one that was there when it was given. */
export function approvalOf(
  draft: RolloutDraft,
  { status: { name, startedAt } }: DraftWave,
): RolloutAction | undefined {
  return draft.input.spec.actions?.find(
    ({ type, wave, at }) =>
      type === 'approve' &&
      (wave === name || (wave === undefined && startedAt !== undefined && atMs(at) > atMs(startedAt))),
  );
}

/** Nobody is waited for any more, only devices. */
export function isPromotedFully(draft: RolloutDraft): boolean {
  return draft.input.spec.actions?.some(({ type, full }) => type === 'promote' && full) ?? false;
}
