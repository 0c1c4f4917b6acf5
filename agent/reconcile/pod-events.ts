import { DENIED, denialOf } from '../pod/guard-rails.ts';
import { attemptsOf, type PodInput, restartOf, restarts } from '../pod/observation.ts';
import { fieldPathOf, imagesOf, isDeleted, ownContainersOf, type Pod } from '../pod/pod.ts';
import type { ProbeKind } from '../pod/probes.ts';
import type { ObservedContainer } from '../runtime/runtime.ts';
import type { DesiredState } from '../state/desired-state.ts';
import type { EventRecorder } from './event-recorder.ts';
import type { PullEnd } from './images.ts';
import { eventsOfPull, progressMessage } from './pull-events.ts';

/** What was told of a pod, so that it is told once. */
interface Told {
  denial: string | undefined;
  /** By container: the ended one that waits before it may run again. */
  readonly backOff: Map<string, string>;
}

/** Events about what a pod is waiting for, and what is wrong with it; those about what is done with it are the executor's. */
export class PodEvents {
  readonly #events: EventRecorder;
  readonly #desired: Pick<DesiredState, 'pods'>;
  readonly #told = new Map<string, Told>();

  constructor(events: EventRecorder, desired: Pick<DesiredState, 'pods'>) {
    this.#events = events;
    this.#desired = desired;
  }

  /** Tells what is new. */
  look(input: PodInput): void {
    const { pod, finished } = input;
    if (!pod || finished || isDeleted(pod)) return;
    this.#lookForDenial(pod, input);
    for (const { name } of ownContainersOf(pod)) this.#lookForBackOff(pod, name, input);
  }

  probeFailed(container: ObservedContainer | undefined, kind: ProbeKind, why: string): void {
    this.#probeEvent(container, kind, 'Unhealthy', `failed: ${why}`);
  }

  probeWarned(container: ObservedContainer | undefined, kind: ProbeKind, text: string): void {
    this.#probeEvent(container, kind, 'ProbeWarning', `warning: ${text}`);
  }

  #probeEvent(container: ObservedContainer | undefined, kind: ProbeKind, reason: string, text: string): void {
    const pod = container && this.#desired.pods.get(container.podUid);
    if (!pod) return;
    const word = `${kind.charAt(0).toUpperCase()}${kind.slice(1)}`;
    this.#warn(pod, container.container, reason, `${word} probe ${text}`);
  }

  /** How far the pull of an image is. */
  imageProgress(image: string, done: number, total: number): void {
    const message = progressMessage(image, done, total);
    this.#tellOfImage(image, [{ type: 'Normal', reason: 'Pulling', message }]);
  }

  imagePulled(image: string, end: PullEnd): void {
    this.#tellOfImage(image, eventsOfPull(image, end));
  }

  forget(uid: string): void {
    this.#told.delete(uid);
  }

  #tellOfImage(image: string, told: ReturnType<typeof eventsOfPull>): void {
    for (const [uid, pod] of this.#desired.pods) {
      if (!imagesOf(pod).some((needed) => needed.image === image)) continue;
      const { namespace, name } = pod.metadata;
      const subject = { kind: 'Pod', namespace, name, uid, fieldPath: '' };
      for (const { type, reason, message } of told) this.#events.record(subject, type, reason, message);
    }
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
