import { readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { readHostResolver } from '../dns/host-resolver.ts';
import { resolverOf } from '../dns/resolver.ts';
import type { PodNetwork } from '../network/pod-network.ts';
import { ConfigurationError } from '../pod/configuration-error.ts';
import { containerSpec, infraSpec } from '../pod/container-spec.ts';
import { type GuardRails, mayMount } from '../pod/guard-rails.ts';
import { makeHostsFile } from '../pod/hosts-file.ts';
import { dependsOnImageUser, refuseRoot } from '../pod/non-root.ts';
import { addressOf, attemptsOf, joinsOf } from '../pod/observation.ts';
import { allContainersOf, type Container, fieldPathOf, type Pod } from '../pod/pod.ts';
import type { ProbeTarget } from '../pod/probe-attempt.ts';
import { SECCOMP_FOLDER } from '../pod/security.ts';
import { type ApiAddress, serviceVariables } from '../pod/service-variables.ts';
import { podIpOf } from '../pod/status.ts';
import { placeMounts } from '../pod/sub-path.ts';
import { makeMessageFile, messageFile, removeMessageFile } from '../pod/termination-message.ts';
import { makeVolumes, removeDirectories, VolumeError } from '../pod/volume-files.ts';
import { podDirectories, subPathPlace, type VolumeRoots } from '../pod/volumes.ts';
import { Limit } from '../runtime/limit.ts';
import {
  type ObservedContainer,
  type Resolver,
  type Runtime,
  RuntimeError,
  type SeccompProfile,
} from '../runtime/runtime.ts';
import type { DesiredState } from '../state/desired-state.ts';
import type { AccountTokens } from './account-tokens.ts';
import type { ContainerCache } from './container-cache.ts';
import type { EventRecorder } from './event-recorder.ts';
import type { Hook, Hooks } from './hooks.ts';
import type { Images } from './images.ts';
import type { Action } from './plan-step.ts';
import type { PodMemory } from './pod-memory.ts';

/** What was used up by the hook is given once more, in part: TERM is worth nothing when KILL comes with it. */
const AFTER_HOOK_MS = 2_000;
/** More at once do not start sooner: the engine's own work is what takes the time, and a pod is two containers. */
const STARTS_AT_ONCE = 2;

export interface ExecutorOptions {
  readonly node: string;
  readonly hostIp: string;
  readonly runtime: Runtime;
  readonly network: PodNetwork | undefined;
  readonly desired: DesiredState;
  readonly roots: VolumeRoots;
  /** What the node has for pods, by resource. */
  readonly allocatable: () => Readonly<Record<string, string>>;
  /** Where pods find the hub's API; undefined while that is not known. */
  readonly api: () => ApiAddress | undefined;
  readonly tokens: Pick<AccountTokens, 'of'>;
  readonly containers: ContainerCache;
  readonly images: Images;
  readonly hooks: Hooks;
  /** What the device's owner allows, now. */
  readonly rails: () => GuardRails;
  /** The container is not what it should be, and is to be replaced. */
  readonly replace: (id: string) => void;
  /** The pod is to be looked at. */
  readonly poke: (uid: string) => void;
  readonly events: EventRecorder;
  readonly log: Logger;
  readonly monotonicMs: () => number;
}

/** The pod that an action is for. */
export interface ActionContext {
  readonly uid: string;
  readonly pod: Pod | undefined;
  readonly memory: PodMemory;
  readonly containers: readonly ObservedContainer[];
}

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

export function makeExecutor(options: ExecutorOptions): Executor {
  const starts = new Limit(STARTS_AT_ONCE);
  const connected = new Set<string>();
  const { runtime, network, containers, images, log } = options;
  const volumeOf = (namespace: string, claim: string) => options.desired.volumeOf(namespace, claim);

  return {
    connected,
    disconnected: () => connected.clear(),
    run: async (action, context) => {
      try {
        await execute(action, context);
        const key = failureKey(action);
        if (key !== undefined) context.memory.failures.delete(key);
        return true;
      } catch (error) {
        await failed(action, context, error as Error);
        return false;
      }
    },
  };

  async function execute(action: Action, context: ActionContext): Promise<void> {
    switch (action.type) {
      case 'prepare':
        return prepare(context);
      case 'pull':
        record(context, '', 'Normal', 'Pulling', `Pulling image "${action.image}"`);
        return images.pull(action.image, action.minFreeDisk);
      case 'check-image':
        return images.check(action.image);
      case 'remove-image':
        return images.remove(action.image);
      case 'run':
        return starts.run(() => run(action, context));
      case 'run-infra':
        return starts.run(() => runInfra(action.attempt, context));
      case 'connect':
        return connect(action.id, context.uid);
      case 'start':
        return starts.run(() => start(action.id, action.container, context));
      case 'terminate':
        return terminate(action, context);
      case 'kill':
        await runtime.kill(action.id);
        await containers.refresh(action.id);
        return;
      case 'remove':
        context.memory.killAtMs.delete(action.id);
        return remove(action.id);
      case 'clean-up':
        return removeDirectories(podDirectories(context.uid, options.roots));
    }
  }

  async function prepare({ pod, memory }: ActionContext): Promise<void> {
    if (!pod) return;
    const prepared = memory.preparing();
    const { desired: configuration, roots, allocatable } = options;
    const { values: tokens, problem: tokenProblem } = await options.tokens.of(pod);
    const placement = { allocatable: allocatable() };
    await makeVolumes(pod, { configuration, roots, volumeOf, placement, tokens, tokenProblem }, (path) =>
      refusePath(path, options.rails()),
    );
    prepared();
  }

  async function run(action: Extract<Action, { type: 'run' }>, context: ActionContext): Promise<void> {
    const { pod, memory } = context;
    const container = containerOf(pod, action.container);
    const joins = pod && container && joinsOf(pod, container, context.containers);
    if (!joins) return;
    const { desired, node, hostIp, roots, allocatable, api } = options;
    const { attempt, crashes } = action;
    const file = messageFile({ podUid: pod.metadata.uid, container: container.name, attempt }, roots);
    const podIp = podIpOf(pod, context.containers, hostIp);
    const spec = containerSpec(pod, container, {
      configuration: desired,
      roots,
      volumeOf,
      placement: { node, hostIp, podIp, allocatable: allocatable() },
      serviceVariables: serviceVariables(pod, desired.services.values(), api()),
      resolver: await resolver(pod),
      attempt,
      crashes,
      joins,
      podSinceMs: memory.sinceMs,
      messageFile: await roomFor(file, pod),
    });
    const seccomp = spec.seccomp && (await readSeccomp(spec.seccomp, roots));
    refuseRoot(pod, container, dependsOnImageUser(pod, container) ? await runtime.imageUser(spec.image) : '');
    const [ended] = attemptsOf(context.containers, container.name);
    const hosts = await makeHostsFile(pod, container, podIp, roots);
    const { uid } = context;
    const place = (index: number) => subPathPlace(uid, container.name, attempt, index, roots);
    const { mounts, release } = await placeMounts(spec.mounts, place);
    try {
      const id = await runtime.create({
        ...spec,
        ...(seccomp && { seccomp }),
        mounts: [...mounts, ...hosts],
      });
      memory.lastAttempt.set(container.name, attempt); // what could not even be made is no attempt
      memory.stopByMs = undefined;
      await startAfter(ended, id, container.name, context);
    } finally {
      await release();
    }
    record(context, container.name, 'Normal', 'Started', `Started container ${container.name}`);
  }

  async function startAfter(
    ended: ObservedContainer | undefined,
    id: string,
    name: string,
    context: ActionContext,
  ): Promise<void> {
    try {
      // The engine is still taking down the network of the one that ended. A start that competes with it takes longer
      // than one that comes after it, and the engine answers when it is done.
      if (ended) await containers.refresh(ended.id);
      await start(id, name, context);
    } catch (error) {
      await containers.refresh(id);
      throw error;
    }
  }

  /** A disk that is full must not keep anything from being healed. */
  async function roomFor(file: string, pod: Pod): Promise<string | undefined> {
    try {
      await makeMessageFile(file);
      return file;
    } catch (error) {
      log.warn({ err: error, pod: pod.metadata.uid }, 'what a container says of its end can not be kept');
      return undefined;
    }
  }

  async function runInfra(attempt: number, { pod, memory }: ActionContext): Promise<void> {
    if (!pod) return;
    memory.lastAttempt.set('', attempt);
    const own = pod.spec.hostNetwork ? 'host' : 'own';
    const { network: joined, ip } = (await network?.namespaceFor(pod)) ?? { network: { type: own }, ip: '' };
    const details = {
      attempt,
      podSinceMs: memory.sinceMs,
      podIp: ip,
      network: joined,
      resolver: await resolver(pod),
    };
    const id = await runtime.create(infraSpec(pod, await runtime.infraImage(), details));
    await runtime.start(id);
    await connect(id, pod.metadata.uid);
  }

  async function connect(id: string, uid: string): Promise<void> {
    await containers.refresh(id);
    const infra = containers.get(id);
    if (infra?.state !== 'running') return;
    try {
      if (network && !(await network.isReady(infra))) await network.connect(infra);
      connected.add(id);
    } catch (error) {
      log.warn({ err: error, pod: uid }, 'a pod gets its network from the engine instead: that takes longer');
      await remove(id);
    }
  }

  /** With the device's own servers as they are now: on the road they change. */
  async function resolver(pod: Pod): Promise<Resolver | undefined> {
    const [address, host] = await Promise.all([network?.gateway(), readHostResolver()]);
    // Where only the device itself reaches its server, the engine knows better what to give to containers.
    return resolverOf(pod, host && address, host ?? { servers: [], search: [] });
  }

  async function start(id: string, name: string, context: ActionContext): Promise<void> {
    const hook = containerOf(context.pod, name)?.lifecycle?.postStart;
    if (hook) options.hooks.starting.add(id); // before anybody sees it run
    try {
      await runtime.start(id);
      await containers.refresh(id);
    } catch (error) {
      options.hooks.forget(id);
      throw error;
    }
    if (hook) void afterStart(hook, id, name, context);
  }

  /** Nobody waits for it but who must: the plan sees that it is under way. */
  async function afterStart(hook: Hook, id: string, name: string, context: ActionContext): Promise<void> {
    const target = targetOf(id, name, context);
    const failure = target && (await options.hooks.afterStart(hook, target));
    if (failure) {
      record(context, name, 'Warning', 'FailedPostStartHook', `PostStartHook failed: ${failure}`);
      options.replace(id);
    }
    options.poke(context.uid);
  }

  async function terminate(
    action: Extract<Action, { type: 'terminate' }>,
    context: ActionContext,
  ): Promise<void> {
    const { id, graceMs, isWholePod } = action;
    const { memory, pod } = context;
    const container = containers.get(id);
    const name = container?.container ?? '';
    const endsAtMs = options.monotonicMs() + graceMs;
    if (isWholePod) memory.stopByMs ??= endsAtMs;
    record(context, name, 'Normal', 'Killing', `Stopping container ${name}`);
    options.hooks.forget(id);
    const hook = containerOf(pod, name)?.lifecycle?.preStop;
    const target = hook && targetOf(id, name, context);
    memory.killAtMs.set(id, target ? endsAtMs + AFTER_HOOK_MS : endsAtMs);
    const signal = () => runtime.signal(id, container?.stopSignal ?? 'SIGTERM');
    if (!target) return signal();
    void beforeEnd(hook, target, endsAtMs, context)
      .then(signal)
      .catch((error: unknown) =>
        log.warn({ err: error, pod: context.uid }, 'a container could not be asked to end'),
      );
  }

  async function beforeEnd(
    hook: Hook,
    target: ProbeTarget,
    endsAtMs: number,
    context: ActionContext,
  ): Promise<void> {
    const { name } = target.container;
    const failure = await options.hooks.beforeEnd(hook, target, endsAtMs - options.monotonicMs());
    if (failure) record(context, name, 'Warning', 'FailedPreStopHook', `PreStopHook failed: ${failure}`);
    if (!context.memory.killAtMs.has(target.id)) return; // it is gone already
    const earliest = options.monotonicMs() + AFTER_HOOK_MS;
    context.memory.killAtMs.set(target.id, Math.max(endsAtMs, earliest));
    options.poke(context.uid);
  }

  function targetOf(id: string, name: string, { pod, uid }: ActionContext): ProbeTarget | undefined {
    const container = containerOf(pod, name);
    return pod && container && { id, container, ip: addressOf(pod, containers.ofPod(uid), id) };
  }

  async function remove(id: string): Promise<void> {
    const container = containers.get(id);
    await runtime.remove(id);
    connected.delete(id);
    await containers.refresh(id);
    if (container?.role === 'container') await removeMessageFile(messageFile(container, options.roots));
  }

  async function failed(action: Action, context: ActionContext, error: Error): Promise<void> {
    const { memory, pod, uid } = context;
    const kind = error instanceof RuntimeError ? error.kind : undefined;
    // The event stream breaks as well, and everything is looked at again when the engine is back.
    if (kind === 'engine-down') return;
    if (action.type === 'run' && kind === 'image-absent' && imageIsPulled(pod, action.container)) {
      images.markAbsent(imageOf(pod, action.container));
      return;
    }
    if (kind === 'name-taken' || kind === 'gone') await lookAgain();
    const key = failureKey(action);
    if (key !== undefined) {
      memory.fail(key, reasonOf(action, error), error.message, options.monotonicMs());
      const reason = action.type === 'run-infra' ? 'FailedCreatePodSandBox' : 'Failed';
      if (error instanceof VolumeError) record(context, key, 'Warning', 'FailedMount', error.message);
      else record(context, key, 'Warning', reason, `Error: ${error.message}`);
    }
    log.warn({ err: error, pod: uid, action: action.type }, 'an action failed: it will be tried again');
  }

  async function lookAgain(): Promise<void> {
    await containers.refreshAll().catch(() => {}); // a broken engine is found out by its event stream
  }

  function record(
    { uid, pod, containers: [any] }: ActionContext,
    container: string,
    type: 'Normal' | 'Warning',
    reason: string,
    message: string,
  ): void {
    const subject = {
      kind: 'Pod',
      namespace: pod?.metadata.namespace ?? any?.podNamespace ?? '',
      name: pod?.metadata.name ?? any?.podName ?? '',
      uid,
      fieldPath: pod && container ? fieldPathOf(pod, container) : '',
    };
    options.events.record(subject, type, reason, message);
  }
}

/** The engine takes the text of a profile. */
async function readSeccomp(profile: SeccompProfile, { data }: VolumeRoots): Promise<SeccompProfile> {
  if (profile.type !== 'file') return profile;
  const path = join(data, SECCOMP_FOLDER, profile.path);
  try {
    return { type: 'text', text: JSON.stringify(JSON.parse(await readFile(path, 'utf8'))) };
  } catch (error) {
    throw new ConfigurationError(`cannot load seccomp profile "${path}": ${(error as Error).message}`);
  }
}

/** Somebody may have put a link where the owner lets pods write, to where it does not. */
async function refusePath(path: string, rails: GuardRails): Promise<void> {
  if (!rails.allowedHostPaths) return;
  const real = await realpath(path).catch(() => path); // it is yet to be made
  if (mayMount(path, rails) && mayMount(real, rails)) return;
  const where = real === path ? path : `${path} leads to ${real}, which`;
  throw new ConfigurationError(`${where} the owner of this device does not allow (allowedHostPaths)`);
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

function containerOf(pod: Pod | undefined, container: string): Container | undefined {
  return pod && allContainersOf(pod).find(({ name }) => name === container);
}

function imageOf(pod: Pod | undefined, container: string): string {
  return containerOf(pod, container)?.image ?? '';
}

function imageIsPulled(pod: Pod | undefined, container: string): boolean {
  return containerOf(pod, container)?.imagePullPolicy !== 'Never';
}

/** Kubernetes' reasons for a container that waits. */
function reasonOf(action: Action, error: Error): string {
  if (action.type === 'run-infra' || action.type === 'connect') return 'CreatePodSandboxError';
  if (error instanceof ConfigurationError) return 'CreateContainerConfigError';
  if (error instanceof VolumeError) return 'ContainerCreating';
  if (error instanceof RuntimeError && error.kind === 'image-absent') return 'ErrImageNeverPull';
  return action.type === 'run' ? 'RunContainerError' : 'CreateContainerError';
}
