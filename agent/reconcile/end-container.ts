import type { ProbeTarget } from '../pod/probe-attempt.ts';
import { messageFile, removeMessageFile } from '../pod/termination-message.ts';
import { type ActionContext, containerOf, type Execution, record, targetOf } from './execution.ts';
import type { Hook } from './hooks.ts';
import type { Action } from './plan-step.ts';

/** What was used up by the hook is given once more, in part: TERM is worth nothing when KILL comes with it. */
const AFTER_HOOK_MS = 2_000;

/** Asks a container to end, after what comes before its end. */
export async function terminate(
  execution: Execution,
  action: Extract<Action, { type: 'terminate' }>,
  context: ActionContext,
): Promise<void> {
  const { containers, runtime, log } = execution;
  const { id, graceMs, isWholePod } = action;
  const { memory, pod } = context;
  const container = containers.get(id);
  const name = container?.container ?? '';
  const endsAtMs = execution.monotonicMs() + graceMs;
  if (isWholePod) memory.stopByMs ??= endsAtMs;
  record(execution, context, name, 'Normal', 'Killing', `Stopping container ${name}`);
  execution.hooks.forget(id);
  const hook = containerOf(pod, name)?.lifecycle?.preStop;
  const target = hook && targetOf(execution, id, name, context);
  memory.killAtMs.set(id, target ? endsAtMs + AFTER_HOOK_MS : endsAtMs);
  const signal = () => runtime.signal(id, container?.stopSignal ?? 'SIGTERM');
  if (!target) return signal();
  void beforeEnd(execution, hook, target, endsAtMs, context)
    .then(signal)
    .catch((error: unknown) =>
      log.warn({ err: error, pod: context.uid }, 'a container could not be asked to end'),
    );
}

/** Kills it and waits for its end. */
export async function killContainer({ runtime, containers }: Execution, id: string): Promise<void> {
  await runtime.kill(id);
  await containers.refresh(id);
}

/** Removes it, with what it said of its end. */
export async function removeContainer(execution: Execution, id: string): Promise<void> {
  const { containers, runtime, connected } = execution;
  const container = containers.get(id);
  await runtime.remove(id);
  if (container) execution.onRemoved(container);
  connected.delete(id);
  await containers.refresh(id);
  if (container?.role === 'container') await removeMessageFile(messageFile(container, execution.roots));
}

async function beforeEnd(
  execution: Execution,
  hook: Hook,
  target: ProbeTarget,
  endsAtMs: number,
  context: ActionContext,
): Promise<void> {
  const { name } = target.container;
  const failure = await execution.hooks.beforeEnd(hook, target, endsAtMs - execution.monotonicMs());
  if (failure)
    record(execution, context, name, 'Warning', 'FailedPreStopHook', `PreStopHook failed: ${failure}`);
  if (!context.memory.killAtMs.has(target.id)) return; // it is gone already
  const earliest = execution.monotonicMs() + AFTER_HOOK_MS;
  context.memory.killAtMs.set(target.id, Math.max(endsAtMs, earliest));
  execution.poke(context.uid);
}
