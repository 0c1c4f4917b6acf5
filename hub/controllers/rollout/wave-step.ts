import { INSUFFICIENT_DISK, WAITING_FOR_CONSENT } from '../../../proto/pod-update.ts';
import { durationMs } from '../../fleet/duration.ts';
import { counted } from '../../resources/counted.ts';
import { approvalOf, isPromotedFully } from './actions.ts';
import { Budget } from './budget.ts';
import { atMs, DECIDED, isStarting, isWaiting } from './device-plan.ts';
import { evaluateGates, outcomeOf } from './gates.ts';
import type { GateStep } from './measured-gates.ts';
import type { DraftDevice, DraftWave, RolloutDraft } from './rollout-draft.ts';
import { bakedAtMs, gateText, markGates, stepGates } from './wave-gates.ts';
import { joining, sizeOf } from './waves.ts';

/** Takes a rollout as far as it can go now: through the present wave, and those after it. */
export function advance(draft: RolloutDraft): void {
  for (let wave = draft.present; wave && draft.isActive; wave = draft.present) {
    draft.status.wave = wave.status.name;
    if (!advanceWave(draft, wave)) return;
  }
  if (draft.isActive) draft.enter('Succeeded', 'AllWavesDone');
}

/** Returns whether the wave is over. */
function advanceWave(draft: RolloutDraft, wave: DraftWave): boolean {
  const { status, isLast } = wave;
  if (status.phase === 'Pending') startWave(draft, wave);
  if (status.bakingSince === undefined || isLast) offer(draft, wave);
  const outcome = outcomeOf(draft.membersOf(status.name));
  const { acceptedFailures = 0 } = status;
  const verdict = evaluateGates(draft.input.spec.policy.gates, outcome, {
    size: sizeOf(wave.policy, draft.devices),
    isLast,
    acceptedFailures,
  });
  if (verdict.result === 'fail' && isStopped(draft, wave, verdict.message)) return false;
  if (status.bakingSince === undefined) {
    if (outcome.undecided > 0 || verdict.result === 'inconclusive')
      return waitForDevices(draft, verdict.message);
    status.bakingSince = draft.now;
  }
  const gatesPass = passesMeasuredGates(draft, wave);
  if (!draft.isActive || !hasBaked(draft, wave) || !gatesPass || !isApproved(draft, wave)) return false;
  const { reason: message, by } = approvalOf(draft, wave) ?? {};
  draft.finishWave(wave, 'WaveDone', { message, by });
  return true;
}

function startWave(draft: RolloutDraft, { status }: DraftWave): void {
  status.phase = 'Progressing';
  status.startedAt = draft.now;
  draft.status.progressAt = draft.now;
  draft.enter('Progressing', 'WaveStarted');
}

/** Asks those of the wave whose turn it is, as far as the budget of their group goes. */
function offer(draft: RolloutDraft, { policy }: DraftWave): void {
  const { name, spec } = draft.input;
  const joined = new Set(joining(name, policy, draft.devices).map(({ node }) => node));
  for (const device of draft.devices)
    if (joined.has(device.node)) draft.change(device, { wave: policy.name });
  const budget = new Budget(spec.policy.budget, draft.devices);
  for (const device of draft.membersOf(policy.name))
    if (isReadyToApply(draft, device)) ask(draft, device, budget);
}

/** Where devices download ahead of time, they must have. Who has nothing but the revision is not asked to switch. */
export function isReadyToApply(draft: RolloutDraft, { isOnline, row }: DraftDevice): boolean {
  const { policy, type } = draft.input.spec;
  const stages = policy.stage !== undefined && type === 'change';
  if (isStarting(row)) return false;
  return isOnline && (row.step === 'Staged' || (row.step === 'Waiting' && !stages));
}

/** Tells the device to switch, unless too many of its group are out of service. Returns whether it was told. */
export function ask(draft: RolloutDraft, device: DraftDevice, budget: Budget): boolean {
  if (!budget.take(device)) {
    draft.change(device, { reason: 'Budget', message: budget.refusal(device) });
    return false;
  }
  draft.change(device, { step: 'Applying', reason: '', message: '', appliedAt: draft.now });
  return true;
}

function waitForDevices(draft: RolloutDraft, message: string): false {
  const waiting = draft.devices.filter(({ row }) => isWaiting(row));
  if (waiting.length > 0) {
    draft.status.message = waitingText(waiting);
    return false;
  }
  const { noProgress } = draft.input.spec.policy.deadline;
  // Who waited was asked, as it were, when that was over.
  const asked = draft.devices
    .filter(({ row }) => row.step === 'Applying')
    .map(({ row }) => atMs(row.appliedAt));
  const sinceMs = asked.reduce((a, b) => Math.max(a, b), atMs(draft.status.progressAt));
  const leftMs = durationMs(noProgress) - (draft.input.nowMs - sinceMs);
  draft.status.message = [message, heldText(draft)].filter(Boolean).join('; ');
  if (leftMs > 0) draft.wakeAfter(leftMs);
  else {
    const { message: found } = draft.status;
    const why = `no device has succeeded for ${noProgress}${found && `: ${found}`}`;
    draft.enter('Paused', 'NoProgress', { message: why });
  }
  return false;
}

/** What keeps devices of the present wave that are asked, or would be. */
function heldText({ devices, status: { wave } }: RolloutDraft): string {
  const rows = devices.map(({ row }) => row).filter((row) => row.wave === wave && row.class === 'reachable');
  const isOpen = ({ step }: DraftDevice['row']) => !DECIDED.includes(step);
  const held = (reason: string) => rows.filter((row) => row.reason === reason && isOpen(row)).length;
  const [forBudget, forDisk] = [held('Budget'), held(INSUFFICIENT_DISK)];
  return [
    ...(forBudget > 0
      ? [counted(forBudget, 'held by the budget of its group', 'held by the budget of their group')]
      : []),
    ...(forDisk > 0 ? [`${forDisk} short of disk`] : []),
  ].join(', ');
}

function waitingText(waiting: readonly DraftDevice[]): string {
  const forConsent = waiting.filter(({ row }) => row.reason === WAITING_FOR_CONSENT).length;
  const forWindow = waiting.length - forConsent;
  return [
    ...(forWindow > 0
      ? [counted(forWindow, 'device waits for its window', 'devices wait for their window')]
      : []),
    ...(forConsent > 0 ? [counted(forConsent, 'device waits for consent', 'devices wait for consent')] : []),
  ].join(', ');
}

/** What the policy says about a gate that fails. Returns whether the wave is stopped by it. */
function isStopped(draft: RolloutDraft, { status }: DraftWave, message: string): boolean {
  const { type, policy } = draft.input.spec;
  // An undo is the way out already: it goes as far as it can.
  if (policy.onFail === 'continue' || type === 'undo') {
    const { failed, lost, unhealthy } = outcomeOf(draft.membersOf(status.name));
    status.acceptedFailures = failed + lost + unhealthy;
    draft.enter('Progressing', 'GateFailed', { message });
    return false;
  }
  if (policy.onFail === 'undo') draft.undo('GateFailed', { message });
  else draft.enter('Paused', 'GateFailed', { message });
  return true;
}

/** Whether all that is to be measured was, and is well. */
function passesMeasuredGates(draft: RolloutDraft, wave: DraftWave): boolean {
  const steps = stepGates(draft, wave);
  const failed = steps.filter(({ standing }) => standing === 'failed');
  if (failed.length > 0) {
    const isStop = isStopped(draft, wave, failed.map(gateText).join('; '));
    markGates(wave, failed, isStop ? { stopped: true } : { accepted: true });
    if (isStop) return false;
  }
  const stuck = steps.filter(({ standing }) => standing === 'stuck');
  if (stuck.length > 0) {
    markGates(wave, stuck, { stopped: true });
    draft.enter('Paused', 'GateInconclusive', { message: stuck.map(gateText).join('; ') });
    return false;
  }
  const waiting = steps.filter(({ standing }) => standing === 'waits');
  tellOpen(draft, wave, waiting);
  return waiting.length === 0;
}

/** What of it holds the wave up. */
function tellOpen(draft: RolloutDraft, { policy }: DraftWave, waiting: readonly GateStep[]): void {
  const { phase } = draft.status;
  if (waiting.length === 0 || phase === 'AwaitingApproval') return;
  const open = waiting.filter(({ status }) => status.result !== 'pass').map(gateText);
  draft.status.message = open.join('; ') || (phase === 'Baking' ? `for ${policy.bake}` : '');
}

function hasBaked(draft: RolloutDraft, wave: DraftWave): boolean {
  const { status, policy } = wave;
  const leftMs = bakedAtMs(draft, wave) - draft.input.nowMs;
  if (leftMs <= 0) return true;
  draft.wakeAfter(leftMs);
  if (draft.status.phase === 'Baking') return false;
  status.phase = 'Baking';
  draft.enter('Baking', 'WaveBakes', { message: `for ${policy.bake}` });
  return false;
}

function isApproved(draft: RolloutDraft, wave: DraftWave): boolean {
  const { status, policy } = wave;
  if (policy.approve === 'automatic' || isPromotedFully(draft) || approvalOf(draft, wave)) return true;
  if (draft.status.phase === 'AwaitingApproval') return false;
  status.phase = 'AwaitingApproval';
  draft.enter('AwaitingApproval', 'ApprovalNeeded', { message: `approve wave ${status.name} to go on` });
  return false;
}
