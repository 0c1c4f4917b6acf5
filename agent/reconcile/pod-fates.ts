import type { Logger } from 'pino';
import { denialOf, type GuardRails } from '../pod/guard-rails.ts';
import type { Verdict } from '../pod/observation.ts';
import { isDeleted, type Pod } from '../pod/pod.ts';
import type { Turn } from '../pod/turn.ts';
import type { ObservedContainer } from '../runtime/runtime.ts';
import type { AgentState } from '../state/agent-state.ts';
import type { DesiredState } from '../state/desired-state.ts';
import { Admission, type AdmissionOptions } from './admission.ts';
import { Endings } from './endings.ts';
import type { EventRecorder } from './event-recorder.ts';

export interface PodFatesOptions {
  readonly desired: Pick<DesiredState, 'pods'>;
  readonly state: AgentState;
  readonly events: EventRecorder;
  readonly log: Logger;
  /** Resources that the device's owner gives to pods, and what there is of them as far as somebody has looked. */
  readonly devices: Pick<AdmissionOptions, 'resources' | 'stock'>;
  readonly pressures: AdmissionOptions['pressures'];
  readonly allocatable: AdmissionOptions['allocatable'];
  readonly containers: () => readonly ObservedContainer[];
  readonly rails: () => GuardRails;
  readonly turnOf: (uid: string) => Turn;
  /** Whether what the pod wrote has been removed. */
  readonly hasDiscarded: (uid: string) => boolean;
  readonly freeImages: () => Promise<void>;
  /** The pod is to be looked at. */
  readonly poke: (uid: string) => void;
}

/** Which pods are taken on, with what, and which must end although nobody deleted them. */
export class PodFates {
  readonly endings: Endings;
  readonly admission: Admission;
  readonly #options: PodFatesOptions;

  constructor(options: PodFatesOptions) {
    this.#options = options;
    this.endings = new Endings(options.state, options.log);
    this.admission = new Admission({
      ...options.devices,
      pressures: options.pressures,
      allocatable: options.allocatable,
      pods: () => options.desired.pods.values(),
      containers: options.containers,
      isLive: (uid) => this.#isLive(uid) && options.turnOf(uid) === 'run',
    });
  }

  /** Before each step of a pod. */
  look(uid: string, turn: Turn): void {
    this.endings.retry();
    const pod = this.#options.desired.pods.get(uid);
    const isWanted = turn === 'run' && this.#isLive(uid);
    if (!pod || !isWanted || denialOf(pod, this.#options.rails())) {
      this.admission.stopWaiting(uid);
      return;
    }
    const verdict = this.admission.admit(pod);
    if (verdict) this.#condemn(uid, verdict);
  }

  /** After each step: who waits may have waited for this pod. Those that wait do not wake each other. */
  looked(uid: string): void {
    if (this.admission.waitsFor(uid) === undefined) this.devicesChanged();
  }

  /** Those that wait for devices, or for room, are to be looked at. */
  devicesChanged(): void {
    for (const uid of this.admission.waiting) this.#options.poke(uid);
  }

  /** Pods that run, or would if they could. */
  livePods(): Pod[] {
    return [...this.#options.desired.pods.values()].filter(({ metadata }) => this.#isLive(metadata.uid));
  }

  /** The pods' containers that run now. */
  running(): ObservedContainer[] {
    return this.#options
      .containers()
      .filter(({ role, state }) => role === 'container' && state === 'running');
  }

  /** Whether a pod that must end for want of something still has what it was ended for. */
  isEvicting(): boolean {
    const { desired, hasDiscarded } = this.#options;
    const holdsDisk = (uid: string) => this.endings.verdictOf(uid)?.freesDisk && !hasDiscarded(uid);
    const isRunning = this.running().some(({ podUid }) => this.endings.verdictOf(podUid));
    return isRunning || [...desired.pods.keys()].some(holdsDisk);
  }

  freeImages(): Promise<void> {
    return this.#options.freeImages();
  }

  /** Ends a pod for good. */
  evict(uid: string, verdict: Verdict): void {
    this.#condemn(uid, verdict);
    this.#options.poke(uid);
  }

  /** Nothing of the pod is left. */
  forget(uid: string): void {
    this.endings.forget(uid);
    this.admission.forget(uid);
    this.devicesChanged();
  }

  #isLive(uid: string): boolean {
    const pod = this.#options.desired.pods.get(uid);
    const isOver = this.endings.isFinished(uid) || this.endings.verdictOf(uid) !== undefined;
    return pod !== undefined && !isDeleted(pod) && !isOver;
  }

  #condemn(uid: string, verdict: Verdict): void {
    const pod = this.#options.desired.pods.get(uid);
    if (!pod) return;
    this.endings.condemn(uid, verdict);
    const { namespace, name } = pod.metadata;
    const subject = { kind: 'Pod', namespace, name, uid, fieldPath: '' };
    this.#options.events.record(subject, 'Warning', verdict.reason, verdict.message);
  }
}
