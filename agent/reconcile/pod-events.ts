import { DENIED, denialOf } from '../pod/guard-rails.ts';
import { attemptsOf, type PodInput, restartOf, restarts } from '../pod/observation.ts';
import { fieldPathOf, isDeleted, ownContainersOf, type Pod } from '../pod/pod.ts';
import type { ProbeKind } from '../pod/probes.ts';
import type { ObservedContainer } from '../runtime/runtime.ts';
import type { EventRecorder } from './event-recorder.ts';

/** What was told of a pod, so that it is told once. */
interface Told {
  denial: string | undefined;
  /** By container: the ended one that waits before it may run again. */
  readonly backOff: Map<string, string>;
}

/** Events about what a pod is waiting for, and what is wrong with it; those about what is done with it are the executor's. */
export class PodEvents {
  readonly #events: EventRecorder;
  readonly #podOf: (uid: string) => Pod | undefined;
  readonly #told = new Map<string, Told>();

  constructor(events: EventRecorder, podOf: (uid: string) => Pod | undefined) {
    this.#events = events;
    this.#podOf = podOf;
  }

  /** Tells what is new. */
  look(input: PodInput): void {
    const { pod, finished } = input;
    if (!pod || finished || isDeleted(pod)) return;
    this.#lookForDenial(pod, input);
    for (const { name } of ownContainersOf(pod)) this.#lookForBackOff(pod, name, input);
  }

  probeFailed(container: ObservedContainer | undefined, kind: ProbeKind, why: string): void {
    const pod = container && this.#podOf(container.podUid);
    if (!pod) return;
    const word = `${kind.charAt(0).toUpperCase()}${kind.slice(1)}`;
    this.#warn(pod, container.container, 'Unhealthy', `${word} probe failed: ${why}`);
  }

  forget(uid: string): void {
    this.#told.delete(uid);
  }

  #lookForDenial(pod: Pod, { rails }: PodInput): void {
    const denial = denialOf(pod, rails);
    const told = this.#toldOf(pod);
    if (denial && denial !== told.denial) this.#warn(pod, '', DENIED, denial);
    told.denial = denial;
  }

  #lookForBackOff(pod: Pod, container: string, { containers, nowMs }: PodInput): void {
    const [newest] = attemptsOf(containers, container);
    if (newest?.state !== 'exited' || !restarts(pod, container, newest.exitCode)) return;
    const told = this.#toldOf(pod);
    if (restartOf(newest).atMs <= nowMs || told.backOff.get(container) === newest.id) return;
    told.backOff.set(container, newest.id);
    const { namespace, name, uid } = pod.metadata;
    const text = `Back-off restarting failed container ${container} in pod ${name}_${namespace}(${uid})`;
    this.#warn(pod, container, 'BackOff', text);
  }

  #warn(pod: Pod, container: string, reason: string, message: string): void {
    const { namespace, name, uid } = pod.metadata;
    const fieldPath = container ? fieldPathOf(pod, container) : '';
    this.#events.record({ kind: 'Pod', namespace, name, uid, fieldPath }, 'Warning', reason, message);
  }

  #toldOf({ metadata }: Pod): Told {
    const told = this.#told.get(metadata.uid) ?? { denial: undefined, backOff: new Map() };
    this.#told.set(metadata.uid, told);
    return told;
  }
}
