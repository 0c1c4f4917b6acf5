import { durationMs } from '../../fleet/duration.ts';
import type { GateStatus } from '../../fleet/rollout.ts';
import { isPromotedFully } from './actions.ts';
import { atMs } from './device-plan.ts';
import { type GateStep, stepGate } from './measured-gates.ts';
import type { DraftWave, RolloutDraft } from './rollout-draft.ts';

/**
 * Takes the measured gates of a wave, whose devices have decided, one step on. Who must be asked for that is among the
 * questions of the plan. An undo is not held up by any.
 */
export function stepGates(draft: RolloutDraft, wave: DraftWave): readonly GateStep[] {
  const { spec, answers = [], nowMs } = draft.input;
  const { measured = [] } = spec.policy.gates;
  if (measured.length === 0 || spec.type === 'undo') return [];
  const { name, gates = [] } = wave.status;
  const time = { nowMs, bakedAtMs: bakedAtMs(draft, wave) };
  const steps = measured.map((gate) => {
    const before = gates.find((each) => each.name === gate.name);
    const answer = answers.find((each) => each.gate === gate.name && each.wave === name);
    return stepGate(gate, before, answer, time);
  });
  wave.status.gates = steps.map(({ status }) => status);
  for (const { status, isAsked, wakeInMs } of steps) {
    if (isAsked) draft.questions.push({ wave: name, gate: status.name, askedAt: status.askedAt });
    if (wakeInMs !== undefined) draft.wakeAfter(wakeInMs);
  }
  return steps;
}

/** Remembers of these gates that they stopped the rollout, or that it goes on in spite of what they found. */
export function markGates(
  { status }: DraftWave,
  steps: readonly GateStep[],
  mark: Pick<GateStatus, 'stopped' | 'accepted'>,
): void {
  const names = steps.map((step) => step.status.name);
  status.gates = (status.gates ?? []).map((gate) =>
    names.includes(gate.name) ? { ...gate, ...mark } : gate,
  );
}

export function bakedAtMs(draft: RolloutDraft, { status, policy: { bake } }: DraftWave): number {
  return atMs(status.bakingSince) + (isPromotedFully(draft) ? 0 : durationMs(bake));
}

export function gateText({ status: { name, message } }: GateStep): string {
  return `gate ${name}: ${message}`;
}
