import { counted } from '../../resources/counted.ts';
import { Budget } from './budget.ts';
import { atMs, DECIDED } from './device-plan.ts';
import type { DraftDevice, RolloutDraft } from './rollout-draft.ts';
import { ask, isReadyToApply } from './wave-step.ts';

/** Devices that come back when all is over take the revision in a lane of their own, so many at a time. */
export function catchUp(draft: RolloutDraft): void {
  const finishedMs = atMs(draft.status.finishedAt);
  const late = draft.devices.filter(({ row }) => atMs(row.appliedAt) > finishedMs);
  const failure = failureOf(draft, late);
  if (failure) {
    draft.enter('Paused', 'CatchUpFailed', { message: failure });
    return;
  }
  const { policy } = draft.input.spec;
  const budget = new Budget(policy.budget, draft.devices);
  let free = policy.offline.catchUp.maxConcurrent - late.filter(({ row }) => row.step === 'Applying').length;
  for (const device of draft.devices) {
    if (free <= 0) return;
    if (!isReadyToApply(draft, device)) continue;
    draft.change(device, { wave: device.row.wave || (draft.waves.at(-1)?.status.name ?? '') });
    if (ask(draft, device, budget)) free -= 1;
  }
}

/** Why nobody else is to catch up: too many of the last who did have failed. */
function failureOf(draft: RolloutDraft, late: readonly DraftDevice[]): string | undefined {
  const { abort } = draft.input.spec.policy.offline.catchUp;
  if (!abort) return undefined;
  const last = late
    .filter(({ row }) => DECIDED.includes(row.step))
    .toSorted((a, b) => atMs(b.row.since) - atMs(a.row.since))
    .slice(0, abort.of);
  const failures = last.filter(({ row }) => row.step !== 'Succeeded').length;
  return failures >= abort.failures
    ? `${failures} of the last ${counted(last.length, 'device', 'devices')} that caught up failed`
    : undefined;
}
