import { Limit } from '../../proto/limit.ts';
import { ConfigurationError } from '../pod/configuration-error.ts';
import { emptyDirsOf } from '../pod/empty-dirs.ts';
import { type Pod, volumeImagesOf } from '../pod/pod.ts';
import { pullerOf } from '../pod/references.ts';
import { removeDirectories, VolumeError } from '../pod/volume-files.ts';
import { podDirectories } from '../pod/volumes.ts';
import { RuntimeError } from '../runtime/runtime.ts';
import { killContainer, removeContainer, terminate } from './end-container.ts';
import {
  type ActionContext,
  containerOf,
  type Execution,
  type ExecutorOptions,
  record,
} from './execution.ts';
import type { Action } from './plan-step.ts';
import type { PodMemory } from './pod-memory.ts';
import { preparePod } from './prepare-pod.ts';
import { pullSecretsOf } from './pull-secrets.ts';
import { runContainer, startContainer } from './run-container.ts';
import { connectInfra, runInfra } from './run-infra.ts';

/** More at once do not start sooner: the engine's own work is what takes the time, and a pod is two containers. */
const STARTS_AT_ONCE = 2;

export interface Executor {
  /**
   * Carries out one action; false when it failed. Never throws: what failed is remembered with the pod, and the next
   * plan takes it into account.
   */
  run(action: Action, context: ActionContext): Promise<boolean>;
  /** Ids of the infra containers whose network is known to be joined to the node's. */
  readonly connected: ReadonlySet<string>;
  /** None of them is any more, as far as is known. */
  disconnected(): void;
}

/** What carries out planned actions: it begins them, and remembers how they failed. */
export function makeExecutor(options: ExecutorOptions): Executor {
  const connected = new Set<string>();
  const execution: Execution = { ...options, starts: new Limit(STARTS_AT_ONCE), connected };

  return {
    connected,
    disconnected: () => connected.clear(),
    run: async (action, context) => {
      try {
        await execute(execution, action, context);
        const key = failureKey(action);
        if (key !== undefined) context.memory.failures.delete(key);
        return true;
      } catch (error) {
        await failed(execution, action, context, error as Error);
        return false;
      }
    },
  };
}

async function execute(execution: Execution, action: Action, context: ActionContext): Promise<void> {
  const { images, roots } = execution;
  const { pod, memory, uid } = context;
  switch (action.type) {
    case 'prepare':
      return preparePod(execution, context);
    case 'pull':
      record(execution, context, '', 'Normal', 'Pulling', `Pulling image "${action.image}"`);
      return images.pull(
        action.image,
        action.minFreeDisk,
        pullSecretsOf(execution, context),
        pod && pullerOf(pod),
      );
    case 'check-image':
      return images.check(action.image);
    case 'remove-image':
      return images.remove(action.image);
    case 'run':
      return runContainer(execution, action, context);
    case 'run-infra':
      return runInfra(execution, action.attempt, context);
    case 'connect':
      return connectInfra(execution, action.id, uid);
    case 'start':
      return startContainer(execution, action, context);
    case 'terminate':
      return terminate(execution, action, context);
    case 'kill':
      return killContainer(execution, action.id);
    case 'remove':
      memory.killAtMs.delete(action.id);
      return removeContainer(execution, action.id);
    case 'discard':
      if (pod) await removeDirectories(emptyDirsOf(pod, roots));
      memory.discarded = true;
      return;
    case 'clean-up':
      return removeDirectories(podDirectories(uid, roots));
  }
}

async function failed(
  execution: Execution,
  action: Action,
  context: ActionContext,
  error: Error,
): Promise<void> {
  const { memory, pod, uid } = context;
  const { images, containers, log, monotonicMs } = execution;
  const kind = error instanceof RuntimeError ? error.kind : undefined;
  // The event stream breaks as well, and everything is looked at again when the engine is back.
  if (kind === 'engine-down') return;
  if (error.cause instanceof RuntimeError && error.cause.kind === 'image-absent') {
    for (const { image } of pod ? volumeImagesOf(pod) : []) images.markAbsent(image); // it was there a moment ago
    return;
  }
  if (action.type === 'run' && kind === 'image-absent' && imageIsPulled(pod, action.container)) {
    images.markAbsent(imageOf(pod, action.container));
    return;
  }
  // A broken engine is found out by its event stream.
  if (kind === 'name-taken' || kind === 'gone') await containers.refreshAll().catch(() => {});
  const key = failureKey(action);
  if (key !== undefined) {
    const why = reasonOf(action, error, memory);
    const message = why === NEVER_PULLED ? neverPulledMessage(imageOf(pod, key)) : error.message;
    memory.fail(key, why, message, monotonicMs());
    const reason = action.type === 'run-infra' ? 'FailedCreatePodSandBox' : 'Failed';
    if (error instanceof VolumeError)
      record(execution, context, key, 'Warning', 'FailedMount', error.message);
    else record(execution, context, key, 'Warning', reason, `Error: ${message}`);
  }
  log.warn({ err: error, pod: uid, action: action.type }, 'an action failed: it will be tried again');
}

/** Under which key a failure of the action is remembered, for its back-off; undefined for what is just tried again. */
function failureKey(action: Action): string | undefined {
  switch (action.type) {
    case 'run':
    case 'start':
      return action.container;
    case 'prepare':
    case 'run-infra':
    case 'connect':
      return '';
    default:
      return undefined;
  }
}

function imageOf(pod: Pod | undefined, container: string): string {
  return containerOf(pod, container)?.image ?? '';
}

function imageIsPulled(pod: Pod | undefined, container: string): boolean {
  return containerOf(pod, container)?.imagePullPolicy !== 'Never';
}

const NEVER_PULLED = 'ErrImageNeverPull';

const neverPulledMessage = (image: string) =>
  `Container image "${image}" is not present with pull policy of Never`;

/** Kubernetes' reasons for a container that waits. */
function reasonOf(action: Action, error: Error, { lastAttempt }: PodMemory): string {
  if (action.type === 'run-infra' || action.type === 'connect') return 'CreatePodSandboxError';
  if (error instanceof ConfigurationError) return 'CreateContainerConfigError';
  if (error instanceof VolumeError) return 'ContainerCreating';
  const kind = error instanceof RuntimeError ? error.kind : 'other';
  if (kind === 'image-absent') return NEVER_PULLED;
  if (kind === 'image-name') return 'InvalidImageName';
  const isMade = action.type !== 'run' || lastAttempt.get(action.container) === action.attempt;
  return isMade ? 'RunContainerError' : 'CreateContainerError';
}
