import type { ObservedContainer } from '../runtime/runtime.ts';
import { crashesAfter, restartDelayMs } from './back-off.ts';
import { type Container, type EphemeralContainer, needsInfra, type Pod } from './pod.ts';
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
  /** Ids of containers whose liveness or startup probe has failed. */
  readonly unhealthy: ReadonlySet<string>;
  /** Its containers have all ended for good. Remembered, for an ended container may be removed by somebody else. */
  readonly finished: boolean;
  /** The highest attempt that this agent knows of, for containers that were removed behind its back. */
  readonly lastAttempt: ReadonlyMap<string, number>;
  /** Whether it may run, where two pods want one place. */
  readonly turn: Turn;
  /** Images that others need: they stay when the pod must clear the disk. */
  readonly keptImages: ReadonlySet<string>;
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
export function restarts(pod: Pod, exitCode: number): boolean {
  const policy = pod.spec.restartPolicy ?? 'Always';
  return policy === 'Always' || (policy === 'OnFailure' && exitCode !== 0);
}

/** Whether all of the pod's own containers have ended for good. Those that look into it do not keep it. */
export function hasEnded(pod: Pod, containers: readonly ObservedContainer[]): boolean {
  return pod.spec.containers.every(({ name }) => {
    const [newest] = attemptsOf(containers, name);
    return newest?.state === 'exited' && !restarts(pod, newest.exitCode);
  });
}

/** Ids of the containers whose network, and whose processes, a container shares. */
export interface Joins {
  readonly network?: string;
  readonly processes?: string;
}

/** Undefined while a container that it is to join does not run. */
export function joinsOf(
  pod: Pod,
  container: Container | EphemeralContainer,
  containers: readonly ObservedContainer[],
): Joins | undefined {
  const { hostNetwork, hostPID, shareProcessNamespace, ephemeralContainers } = pod.spec;
  const isEphemeral = ephemeralContainers?.some(({ name }) => name === container.name) ?? false;
  const infra = needsInfra(pod) ? infraOf(containers) : undefined;
  const runs = (name: string) => attemptsOf(containers, name).find(({ state }) => state === 'running');
  // In a pod without infra the one container there is holds the network.
  const holder = needsInfra(pod) || !isEphemeral ? infra : runs(pod.spec.containers[0]?.name ?? '');
  const target = 'targetContainerName' in container ? container.targetContainerName : undefined;
  const process = shareProcessNamespace ? infra : target && !hostPID ? runs(target) : undefined;
  if ((isEphemeral && !hostNetwork && !holder) || (target && !hostPID && !process)) return undefined;
  return {
    ...(holder && !hostNetwork && { network: holder.id }),
    ...(process && { processes: process.id }),
  };
}

/** When an ended container may run again, and how many crashes that makes. */
export function restartOf(ended: ObservedContainer): { atMs: number; crashes: number } {
  const ranMs = Math.max(0, (ended.finishedAtMs ?? 0) - (ended.startedAtMs ?? 0));
  const crashes = crashesAfter(ended.crashes, ranMs);
  return { atMs: (ended.exitedAtMs ?? 0) + restartDelayMs(crashes), crashes };
}
