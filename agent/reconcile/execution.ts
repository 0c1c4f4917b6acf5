import type { Logger } from 'pino';
import type { Limit } from '../../proto/limit.ts';
import type { PodNetwork } from '../network/pod-network.ts';
import type { GuardRails } from '../pod/guard-rails.ts';
import { addressOf } from '../pod/observation.ts';
import { allContainersOf, type Container, fieldPathOf, type Pod } from '../pod/pod.ts';
import type { ProbeTarget } from '../pod/probe-attempt.ts';
import type { ApiAddress } from '../pod/service-variables.ts';
import type { VolumeRoots } from '../pod/volumes.ts';
import type { ObservedContainer, Runtime } from '../runtime/runtime.ts';
import type { DesiredState } from '../state/desired-state.ts';
import type { AccountTokens } from './account-tokens.ts';
import type { Admission } from './admission.ts';
import type { ContainerCache } from './container-cache.ts';
import type { EventRecorder } from './event-recorder.ts';
import type { Hooks } from './hooks.ts';
import type { Images } from './images.ts';
import type { PodMemory } from './pod-memory.ts';

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
  readonly admission: Pick<Admission, 'grantsOf'>;
  /** How many processes a container may have; undefined: any number. */
  readonly podPidsLimit: number | undefined;
  readonly containers: ContainerCache;
  readonly images: Images;
  readonly hooks: Hooks;
  /** What the device's owner allows, now. */
  readonly rails: () => GuardRails;
  /** The container is not what it should be, and is to be replaced. */
  readonly replace: (id: string) => void;
  /** Its image may not be needed any more. */
  readonly onRemoved: (container: ObservedContainer) => void;
  /** The pod is to be looked at. */
  readonly poke: (uid: string) => void;
  readonly events: EventRecorder;
  readonly log: Logger;
  readonly monotonicMs: () => number;
}

/** What all actions are carried out with. */
export interface Execution extends ExecutorOptions {
  /** Starts that are under way. */
  readonly starts: Limit;
  /** Ids of the infra containers whose network is known to be joined to the node's. */
  readonly connected: Set<string>;
}

/** The pod that an action is for. */
export interface ActionContext {
  readonly uid: string;
  readonly pod: Pod | undefined;
  readonly memory: PodMemory;
  readonly containers: readonly ObservedContainer[];
}

/** Tells what is done with the pod, or with one of its containers. */
export function record(
  { events }: Pick<Execution, 'events'>,
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
  events.record(subject, type, reason, message);
}

/** The container of the pod that has the name. */
export function containerOf(pod: Pod | undefined, container: string): Container | undefined {
  return pod && allContainersOf(pod).find(({ name }) => name === container);
}

/** What hooks of the container are run on. */
export function targetOf(
  { containers }: Pick<Execution, 'containers'>,
  id: string,
  name: string,
  { pod, uid }: ActionContext,
): ProbeTarget | undefined {
  const container = containerOf(pod, name);
  return pod && container && { id, container, ip: addressOf(pod, containers.ofPod(uid), id) };
}
