import { durationMs } from '../../fleet/duration.ts';
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

/** Goes on in spite of what these gates found. */
export function acceptGates({ status }: DraftWave, steps: readonly GateStep[]): void {
  const names = steps.map((step) => step.status.name);
  status.gates = (status.gates ?? []).map((gate) =>
    names.includes(gate.name) ? { ...gate, accepted: true } : gate,
  );
}

export function bakedAtMs(draft: RolloutDraft, { status, policy: { bake } }: DraftWave): number {
  return atMs(status.bakingSince) + (isPromotedFully(draft) ? 0 : durationMs(bake));
}

export function gateText({ status: { name, message } }: GateStep): string {
  return `gate ${name}: ${message}`;
}
