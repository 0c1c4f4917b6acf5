import type { ObservedContainer } from '../runtime/runtime.ts';
import { crashesAfter, restartDelayMs } from './back-off.ts';
import type { GuardRails } from './guard-rails.ts';
import {
  type Container,
  type EphemeralContainer,
  isInit,
  isSidecar,
  ownContainersOf,
  type Pod,
  specHash,
} from './pod.ts';
import { ownRestart } from './restart-rules.ts';
import type { Turn } from './turn.ts';

/* What is known of a pod at one moment: what its plan and its status are made from. All times are monotonic, in ms. */

/** Something that failed, and when; `count` in a row. */
export interface Failure {
  readonly count: number;
  readonly atMs: number;
  /** Kubernetes' reason for a waiting container: `ErrImagePull`, `RunContainerError` … */
  readonly reason: string;
  readonly message: string;
}

/** Why an image is not had that its registry keeps from who asks: a copy that is there is not for them either. */
export const PULL_DENIED = 'ImagePullDenied';

/** What is known of an image. Presence is found out by using it: `absent` is set when a container could not be made. */
export interface ImageState {
  readonly absent: boolean;
  /** It was seen to be there. */
  readonly present: boolean;
  readonly pulling: boolean;
  /** What its name stood for when that was last seen. */
  readonly digest: string | undefined;
  /** When the last attempt to pull it ended, well or not. */
  readonly triedAtMs: number | undefined;
  readonly failure: Failure | undefined;
}

/** What probes and hooks have found of one container. */
export interface Health {
  /** Its hook has ended, and its startup probe has succeeded, as far as it has them. */
  readonly started: boolean;
  /** Its readiness probe succeeds, or it has none. */
  readonly ready: boolean;
}

/** Why a pod is ended for good: Kubernetes' reason, and a sentence. */
export interface Verdict {
  readonly reason: string;
  readonly message: string;
  /** How long its containers get to end, if not as the pod says. */
  readonly graceSeconds?: number;
  /** What it wrote is removed as soon as it has ended: the device needs the room. */
  readonly freesDisk?: true;
}

export interface PodInput {
  /** Undefined: it is wanted no more. */
  readonly pod: Pod | undefined;
  readonly containers: readonly ObservedContainer[];
  /** When this agent first met the pod: an image whose policy is Always is pulled once after it. */
  readonly firstSeenAtMs: number;
  readonly image: (name: string) => ImageState;
  /** Whether the pod's directory, files and network settings are in place. */
  readonly prepared: boolean;
  /** Of the preparation, under the key '', and of containers, under their names. */
  readonly failures: ReadonlyMap<string, Failure>;
  /** When a container that is being ended gets its KILL. */
  readonly killAtMs: ReadonlyMap<string, number>;
  /** By when all of it is to have ended, from when that has begun. */
  readonly stopByMs: number | undefined;
  /** Containers that are to be replaced, for a probe or a hook has failed, and how long they get to end if not as usual. */
  readonly unhealthy: ReadonlyMap<string, number | undefined>;
  readonly health: (id: string) => Health;
  /** Ids of containers whose hook after the start has not ended. */
  readonly hooks: ReadonlySet<string>;
  /** Since when the pod has been on this device. */
  readonly startedAtMs: number;
  /** It has ended for good, or must. Remembered, for an ended container may be removed by somebody else. */
  readonly finished: boolean;
  /** It was ended, or not taken on, for want of something. */
  readonly verdict: Verdict | undefined;
  /** What must come before it is taken on; undefined: it is. */
  readonly waitsFor: string | undefined;
  /** Whether what it wrote has been removed. */
  readonly discarded: boolean;
  /** The highest attempt that this agent knows of, for containers that were removed behind its back. */
  readonly lastAttempt: ReadonlyMap<string, number>;
  /** Whether it may run, where two pods want one place. */
  readonly turn: Turn;
  /** Images that others need: they stay when the pod must clear the disk. */
  readonly keptImages: ReadonlySet<string>;
  /** What the device's owner allows. */
  readonly rails: GuardRails;
  /** Pods have addresses of the agent's choice, held by infra containers. */
  readonly hasNetwork: boolean;
  /** Ids of infra containers whose network is as it should be. */
  readonly connected: ReadonlySet<string>;
  readonly nowMs: number;
}

/** The attempts of one container, the newest first. */
export function attemptsOf(containers: readonly ObservedContainer[], name: string): ObservedContainer[] {
  return containers
    .filter(({ role, container }) => role === 'container' && container === name)
    .sort((a, b) => b.attempt - a.attempt);
}

export function infraOf(containers: readonly ObservedContainer[]): ObservedContainer | undefined {
  return containers.find(({ role }) => role === 'infra');
}

/** Whether an ended container is to run again. */
export function restarts(pod: Pod, container: string, exitCode: number): boolean {
  if (isSidecar(pod, container)) return true;
  const spec = ownContainersOf(pod).find(({ name }) => name === container);
  const own = spec && ownRestart(spec, exitCode);
  if (own !== undefined) return own;
  const policy = pod.spec.restartPolicy ?? 'Always';
  if (isInit(pod, container)) return exitCode !== 0 && policy !== 'Never';
  return policy === 'Always' || (policy === 'OnFailure' && exitCode !== 0);
}

/** Whether all of the pod's own work has ended for good. Sidecars, and those that look into it, do not keep it. */
export function hasEnded(pod: Pod, containers: readonly ObservedContainer[]): boolean {
  const endOf = (container: Container) => endForGood(pod, container, containers);
  const inits = (pod.spec.initContainers ?? []).filter(({ name }) => isInit(pod, name));
  if (inits.some((init) => (endOf(init)?.exitCode ?? 0) !== 0)) return true;
  return pod.spec.containers.every((container) => endOf(container) !== undefined);
}

/** The end after which a container does not run again; undefined when it may. Who is wanted otherwise by now may. */
function endForGood(
  pod: Pod,
  container: Container,
  containers: readonly ObservedContainer[],
): ObservedContainer | undefined {
  const [newest] = attemptsOf(containers, container.name);
  if (newest?.state !== 'exited' || restarts(pod, container.name, newest.exitCode)) return undefined;
  return newest.specHash === specHash(pod, container) ? newest : undefined;
}

/** Why it must end now although nobody deleted it; undefined when it may go on. */
export function verdictOf({ pod, verdict, startedAtMs, nowMs }: PodInput): Verdict | undefined {
  if (verdict) return verdict;
  const deadlineMs = deadlineOf(pod, startedAtMs);
  if (nowMs < deadlineMs) return undefined;
  return {
    reason: 'DeadlineExceeded',
    message: 'Pod was active on the node longer than the specified deadline',
  };
}

/** When `activeDeadlineSeconds` are over. */
export function deadlineOf(pod: Pod | undefined, startedAtMs: number): number {
  return startedAtMs + (pod?.spec.activeDeadlineSeconds ?? Number.POSITIVE_INFINITY) * 1000;
}

/** Ids of the containers whose network, and whose processes, a container shares. */
export interface Joins {
  readonly network?: string;
  readonly processes?: string;
  readonly ipc?: string;
  /** The infra container that it is made under, whether it shares anything with it or not. */
  readonly infra?: string;
  /** The pod's address, where the agent has chosen it. */
  readonly podIp?: string;
}

/** Undefined while a container that it is to join does not run. */
export function joinsOf(
  pod: Pod,
  container: Container | EphemeralContainer,
  containers: readonly ObservedContainer[],
): Joins | undefined {
  const { hostNetwork, hostPID, shareProcessNamespace, ephemeralContainers } = pod.spec;
  const isEphemeral = ephemeralContainers?.some(({ name }) => name === container.name) ?? false;
  const infra = infraOf(containers);
  const runs = (name: string) => attemptsOf(containers, name).find(({ state }) => state === 'running');
  // In a pod without infra the one container there is holds the network.
  const holder = infra ?? (isEphemeral ? runs(pod.spec.containers[0]?.name ?? '') : undefined);
  const target = 'targetContainerName' in container ? container.targetContainerName : undefined;
  const process = shareProcessNamespace ? infra : target && !hostPID ? runs(target) : undefined;
  if ((isEphemeral && !hostNetwork && !holder) || (target && !hostPID && !process)) return undefined;
  return {
    ...(holder && !hostNetwork && { network: holder.id }),
    ...(process && { processes: process.id }),
    // Infra containers of agents that did not know better keep their memory to themselves.
    ...(infra && infra.podSinceMs > 0 && !pod.spec.hostIPC && { ipc: infra.id }),
    ...(infra && { infra: infra.id, podIp: infra.podIp }),
  };
}

/** When an ended container may run again, and how many crashes that makes. */
export function restartOf(ended: ObservedContainer): { atMs: number; crashes: number } {
  const ranMs = Math.max(0, (ended.finishedAtMs ?? 0) - (ended.startedAtMs ?? 0));
  const crashes = crashesAfter(ended.crashes, ranMs);
  return { atMs: (ended.exitedAtMs ?? 0) + restartDelayMs(crashes), crashes };
}

/** Where probes and hooks of a container reach it. */
export function addressOf(pod: Pod, containers: readonly ObservedContainer[], id: string): string {
  if (pod.spec.hostNetwork) return '127.0.0.1';
  const holder = infraOf(containers) ?? containers.find((container) => container.id === id);
  return holder?.ip ?? '';
}
