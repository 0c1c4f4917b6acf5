import type { GateStatus, RolloutObject, WaveStatus } from '../../fleet/rollout.ts';
import { since } from '../../resources/human-duration.ts';
import { oneLine, tableText } from '../print.ts';

/*
 * What people see of measured gates. Pure.
 */

/** A table of what the gates of the present wave have found, a line each; empty while there is nothing to tell. */
export function gatesText(rollout: RolloutObject, nowMs: number, columns?: number): string[] {
  const { gates = [], name = '' } = presentWave(rollout) ?? {};
  if (gates.length === 0) return [];
  const head = ['GATE', 'WAVE', 'RESULT', 'ASKED', 'FOUND'];
  const rows = gates.map((gate) => [
    gate.name,
    name,
    resultText(rollout, gate),
    `${since(gate.askedAt, nowMs)} ago`,
    oneLine(gate.message),
  ]);
  return tableText({ head, rows }, columns).split('\n');
}

function presentWave({ status = {} }: RolloutObject): WaveStatus | undefined {
  return status.waves?.find(({ name }) => name === status.wave);
}

function resultText({ spec }: RolloutObject, { name, result, answeredAt, accepted }: GateStatus): string {
  const policy = spec.policy.gates.measured?.find((gate) => gate.name === name);
  const isFirst = answeredAt === undefined && result === 'inconclusive';
  const more = [...(policy?.dryRun ? ['dry run'] : []), ...(accepted ? ['accepted'] : [])];
  return `${isFirst ? 'asked' : result}${more.length > 0 ? ` (${more.join(', ')})` : ''}`;
}

/** A line for each gate that has found something else than before. */
export function gateChanges(before: RolloutObject, next: RolloutObject): string[] {
  return (next.status?.waves ?? []).flatMap(({ name: wave, gates = [] }) => {
    const known = before.status?.waves?.find(({ name }) => name === wave)?.gates ?? [];
    return gates
      .filter((gate) =>
        isNews(
          known.find(({ name }) => name === gate.name),
          gate,
        ),
      )
      .map((gate) => `wave ${wave}, gate ${gate.name}: ${resultText(next, gate)}: ${oneLine(gate.message)}`);
  });
}

function isNews(known: GateStatus | undefined, gate: GateStatus): boolean {
  if (gate.answeredAt === undefined) return false;
  const isSame = known?.result === gate.result && known.message === gate.message;
  return !isSame || known.accepted !== gate.accepted;
}

/** The gate that a wave waits for. */
export function openGate({ spec }: RolloutObject, wave: WaveStatus | undefined): GateStatus | undefined {
  return wave?.gates?.find(({ name, result, accepted }) => {
    const policy = spec.policy.gates.measured?.find((gate) => gate.name === name);
    return result !== 'pass' && !accepted && !policy?.dryRun;
  });
}
