import { obey } from './actions.ts';
import { catchUp } from './catch-up.ts';
import { outcomeOf } from './gates.ts';
import { POLICY_REMOVED, RolloutDraft, type RolloutInput, type RolloutPlan } from './rollout-draft.ts';
import { stageable } from './staging.ts';
import { advance } from './wave-step.ts';

/**
 * One step of a rollout: from its record, its devices' rows and what is seen of them, what its status and the rows
 * should be. Pure, and the whole of the engine's decisions: all it knows is in those objects, so that a hub that is
 * killed at any write goes on where it was. Its work is in proportion to the devices.
 */
export function planRollout(input: RolloutInput): RolloutPlan {
  const draft = new RolloutDraft(input);
  const { spec, status } = input;
  if (status.phase === undefined) {
    if (spec.policy.start === 'manual' && spec.type === 'change') draft.enter('Pending', 'WaitsForStart');
    else draft.begin(spec.startedBy);
  }
  const last = status.transitions?.at(-1);
  if (status.phase === 'Superseded' && last?.reason === POLICY_REMOVED) draft.takeUp();
  const { actions = [] } = spec;
  for (const action of actions.slice(status.observedActions ?? 0)) obey(draft, action);
  draft.status.observedActions = actions.length;
  followPause(draft);
  if (outcomeOf(draft.devices).succeeded > (status.succeeded ?? 0)) draft.status.progressAt = draft.now;
  if (draft.isActive) advance(draft);
  else if (status.phase === 'Succeeded') catchUp(draft);
  if (spec.type === 'change' && (draft.isActive || draft.status.phase === 'Succeeded')) stage(draft);
  return draft.plan();
}

const WORKLOAD_PAUSED = 'WorkloadPaused';

/** `kubectl rollout pause` and `resume` pause and resume the rollout as well. */
function followPause(draft: RolloutDraft): void {
  const { isPaused = false } = draft.input;
  const { phase, transitions } = draft.status;
  if (isPaused && draft.isActive)
    draft.enter('Paused', WORKLOAD_PAUSED, { message: 'the workload is paused: kubectl rollout resume' });
  if (isPaused || phase !== 'Paused' || transitions?.at(-1)?.reason !== WORKLOAD_PAUSED) return;
  draft.status.progressAt = draft.now;
  draft.enter('Progressing', 'WorkloadResumed');
}

function stage(draft: RolloutDraft): void {
  const { spec, nowMs } = draft.input;
  const { nodes, wakeInMs } = stageable(spec.policy.stage, draft.devices, draft.status.wave, nowMs);
  for (const device of draft.devices)
    if (nodes.has(device.node)) draft.change(device, { step: 'Staging', stagingAt: draft.now });
  if (wakeInMs !== undefined) draft.wakeAfter(wakeInMs);
}
