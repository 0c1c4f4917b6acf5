import { readFile } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { ConfigurationError } from '../pod/configuration-error.ts';
import { containerSpec } from '../pod/container-spec.ts';
import { makeHostsFile } from '../pod/hosts-file.ts';
import { dependsOnImageUser, refuseRoot } from '../pod/non-root.ts';
import { attemptsOf, joinsOf } from '../pod/observation.ts';
import type { Pod } from '../pod/pod.ts';
import { SECCOMP_FOLDER } from '../pod/security.ts';
import { serviceVariables } from '../pod/service-variables.ts';
import { podIpOf } from '../pod/status.ts';
import { placeMounts } from '../pod/sub-path.ts';
import { makeMessageFile, messageFile } from '../pod/termination-message.ts';
import { subPathsDirectory, type VolumeRoots } from '../pod/volumes.ts';
import type { ObservedContainer, SeccompProfile } from '../runtime/runtime.ts';
import { type ActionContext, containerOf, type Execution, record, targetOf } from './execution.ts';
import type { Hook } from './hooks.ts';
import type { Action } from './plan-step.ts';
import { podResolver } from './pod-resolver.ts';
import { releaseSubPaths } from './prepare-pod.ts';

/** Makes an attempt of a container and starts it. */
export async function runContainer(
  execution: Execution,
  action: Extract<Action, { type: 'run' }>,
  context: ActionContext,
): Promise<void> {
  const { pod, memory } = context;
  const container = containerOf(pod, action.container);
  const joins = pod && container && joinsOf(pod, container, context.containers);
  if (!joins) return;
  const { desired, node, hostIp, roots, allocatable, api, network, runtime } = execution;
  const { attempt, crashes } = action;
  const file = messageFile({ podUid: pod.metadata.uid, container: container.name, attempt }, roots);
  const podIp = podIpOf(pod, context.containers, hostIp);
  const spec = containerSpec(pod, container, {
    configuration: desired,
    roots,
    volumeOf: (namespace, claim) => desired.volumeOf(namespace, claim),
    placement: { node, hostIp, podIp, allocatable: allocatable() },
    serviceVariables: serviceVariables(pod, desired.services.values(), api()),
    resolver: await podResolver(pod, network),
    attempt,
    crashes,
    joins,
    ...execution.admission.grantsOf(pod.metadata.uid, container.name),
    pidsLimit: execution.podPidsLimit,
    nodeMemoryBytes: totalmem(),
    podSinceMs: memory.sinceMs,
    messageFile: await roomFor(execution, file, pod),
  });
  const seccomp = spec.seccomp && (await readSeccomp(spec.seccomp, roots));
  refuseRoot(pod, container, dependsOnImageUser(pod, container) ? await runtime.imageUser(spec.image) : '');
  const [ended] = attemptsOf(context.containers, container.name);
  const hosts = await makeHostsFile(pod, container, podIp, roots);
  const { uid } = context;
  const directory = subPathsDirectory(uid, roots);
  const name = { container: container.name, attempt };
  const { mounts, release } = await placeMounts(spec.mounts, directory, name);
  const whole = { ...spec, ...(seccomp && { seccomp }), mounts: [...mounts, ...hosts] };
  try {
    const id = await execution.starts.run(async () => {
      const id = await runtime.create(whole);
      if (!execution.images.isPulledSince(spec.image, memory.firstSeenAtMs))
        record(execution, context, container.name, 'Normal', 'Pulled', presentMessage(spec.image));
      memory.lastAttempt.set(container.name, attempt); // what could not even be made is no attempt
      memory.stopByMs = undefined;
      await launchAfter(execution, ended, id, container.name, context);
      return id;
    });
    await hasStarted(execution, id, container.name, context);
  } finally {
    await release();
  }
  record(execution, context, container.name, 'Normal', 'Started', `Started container ${container.name}`);
}

/** Starts one that was made, as by an agent that ended before it could. */
export async function startContainer(
  execution: Execution,
  { id, container }: Extract<Action, { type: 'start' }>,
  context: ActionContext,
): Promise<void> {
  await execution.starts.run(() => launch(execution, id, container, context));
  await hasStarted(execution, id, container, context);
  await releaseSubPaths(execution, context.uid);
}

async function launchAfter(
  execution: Execution,
  ended: ObservedContainer | undefined,
  id: string,
  name: string,
  context: ActionContext,
): Promise<void> {
  try {
    // The engine is still taking down the network of the one that ended. A start that competes with it takes longer
    // than one that comes after it, and the engine answers when it is done.
    if (ended) await execution.containers.refresh(ended.id);
    await launch(execution, id, name, context);
  } catch (error) {
    await execution.containers.refresh(id);
    throw error;
  }
}

/** A disk that is full must not keep anything from being healed. */
async function roomFor({ log }: Execution, file: string, pod: Pod): Promise<string | undefined> {
  try {
    await makeMessageFile(file);
    return file;
  } catch (error) {
    log.warn({ err: error, pod: pod.metadata.uid }, 'what a container says of its end can not be kept');
    return undefined;
  }
}

async function launch(
  { runtime, hooks }: Execution,
  id: string,
  name: string,
  { pod }: ActionContext,
): Promise<void> {
  if (hookOf(pod, name)) hooks.starting.add(id); // before anybody sees it run
  try {
    await runtime.start(id);
  } catch (error) {
    hooks.forget(id);
    throw error;
  }
}

async function hasStarted(
  execution: Execution,
  id: string,
  name: string,
  context: ActionContext,
): Promise<void> {
  const hook = hookOf(context.pod, name);
  try {
    await execution.containers.refresh(id);
  } catch (error) {
    execution.hooks.forget(id);
    throw error;
  }
  if (hook) void afterStart(execution, hook, id, name, context);
}

/** Nobody waits for it but who must: the plan sees that it is under way. */
async function afterStart(
  execution: Execution,
  hook: Hook,
  id: string,
  name: string,
  context: ActionContext,
): Promise<void> {
  const target = targetOf(execution, id, name, context);
  const failure = target && (await execution.hooks.afterStart(hook, target));
  if (failure) {
    record(execution, context, name, 'Warning', 'FailedPostStartHook', `PostStartHook failed: ${failure}`);
    execution.replace(id);
  }
  execution.poke(context.uid);
}

/** The engine takes the text of a profile, or where that is. */
async function readSeccomp(profile: SeccompProfile, { data }: VolumeRoots): Promise<SeccompProfile> {
  if (profile.type !== 'file') return profile;
  const path = join(data, SECCOMP_FOLDER, profile.path);
  try {
    return { type: 'text', text: JSON.stringify(JSON.parse(await readFile(path, 'utf8'))), path };
  } catch (error) {
    throw new ConfigurationError(`cannot load seccomp profile "${path}": ${(error as Error).message}`);
  }
}

const presentMessage = (image: string) => `Container image "${image}" already present on machine`;

const hookOf = (pod: Pod | undefined, name: string) => containerOf(pod, name)?.lifecycle?.postStart;
