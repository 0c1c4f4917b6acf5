import type { Logger } from 'pino';
import { INSUFFICIENT_DISK } from '../../proto/pod-update.ts';
import type { PodNetwork } from '../network/pod-network.ts';
import type { GuardRails } from '../pod/guard-rails.ts';
import type { Moment } from '../pod/moment.ts';
import { addressOf, attemptsOf, type Health, type PodInput } from '../pod/observation.ts';
import { imagesOf, isDeleted, ownContainersOf, type Pod, type PodStatus } from '../pod/pod.ts';
import type { ProbeTarget } from '../pod/probe-attempt.ts';
import { Probes } from '../pod/probes.ts';
import { pullerOf } from '../pod/references.ts';
import type { ApiAddress } from '../pod/service-variables.ts';
import { FRESH_FAILURE_MS, podIpOf, podStatus } from '../pod/status.ts';
import { readMessage } from '../pod/termination-message.ts';
import type { Turn } from '../pod/turn.ts';
import { podsWithDirectories } from '../pod/volume-files.ts';
import type { ObservedContainer, Runtime } from '../runtime/runtime.ts';
import type { AgentState } from '../state/agent-state.ts';
import type { DesiredState } from '../state/desired-state.ts';
import { timeText } from '../time-text.ts';
import type { AccountTokens } from './account-tokens.ts';
import { ContainerCache } from './container-cache.ts';
import { EngineFollower } from './engine-follower.ts';
import type { EventRecorder } from './event-recorder.ts';
import { type Executor, makeExecutor } from './execute.ts';
import { Hooks } from './hooks.ts';
import type { Thresholds } from './image-gc-plan.ts';
import { Images, type PullEnd } from './images.ts';
import { LazyImageGc } from './lazy-image-gc.ts';
import type { Leases } from './leases.ts';
import { planPod } from './plan.ts';
import { PodEvents } from './pod-events.ts';
import { PodFates, type PodFatesOptions } from './pod-fates.ts';
import { PodMemory } from './pod-memory.ts';
import { PodWorkers } from './pod-workers.ts';
import { imagesOfOthers } from './update-downloads.ts';
import { Updates } from './updates.ts';

export interface ReconcilerOptions {
  readonly node: string;
  readonly hostIp: string;
  readonly runtime: Runtime;
  readonly network: PodNetwork | undefined;
  /** What the device's owner allows, at first. */
  readonly rails: GuardRails;
  readonly desired: DesiredState;
  readonly state: AgentState;
  readonly leases: Leases;
  readonly tokens: Pick<AccountTokens, 'of' | 'forget'>;
  readonly roots: { readonly data: string; readonly memory: string };
  readonly devices: PodFatesOptions['devices'];
  readonly pressures: PodFatesOptions['pressures'];
  readonly podPidsLimit: number | undefined;
  /** What the node has for pods, by resource. */
  readonly allocatable: () => Readonly<Record<string, string>>;
  /** Where pods find the hub's API; undefined while that is not known. */
  readonly api: () => ApiAddress | undefined;
  readonly events: EventRecorder;
  readonly log: Logger;
  readonly monotonicMs: () => number;
  /** Ms of the wall clock. */
  readonly now: () => number;
  readonly moment: () => Moment;
  readonly images: ImageOptions;
  /** A pod's status may be another; undefined: nothing is left of it. */
  readonly onStatus: (uid: string, status: PodStatus | undefined) => void;
  /** The engine has other images than before, or may have. */
  readonly onImages: () => void;
  /** Whether the engine answers has changed. */
  readonly onEngine: (error: Error | undefined) => void;
}

export interface ImageOptions {
  readonly pullsAtOnce: number;
  /** When images that nobody needs are removed. */
  readonly thresholds: Thresholds;
  /** What came from files, by name. */
  readonly imported: () => Promise<readonly string[]>;
}

const NO_IMAGES: ReadonlySet<string> = new Set();

/** After an action failed; what failed for a reason in the pod itself waits for its back-off besides. */
const FAILED_ACTION_RETRY_MS = 1_000;
/**
 * Makes the device's containers what the desired state says, for ever: looks at what is there, plans, acts, looks again.
 * It needs nothing but the engine and the stored state.
 */
export class Reconciler {
  readonly fates: PodFates;
  readonly #options: ReconcilerOptions;
  readonly #containers: ContainerCache;
  readonly #images: Images;
  readonly #probes: Probes;
  readonly #hooks: Hooks;
  readonly #podEvents: PodEvents;
  readonly #workers: PodWorkers;
  readonly #executor: Executor;
  readonly #updates: Updates;
  readonly #gc: LazyImageGc;
  readonly #engine: EngineFollower;
  readonly #memory = new Map<string, PodMemory>();
  /** Of the wall clock, as what engines tell of containers. */
  readonly #bornAtMs: number;
  #rails: GuardRails;

  constructor(options: ReconcilerOptions) {
    const { runtime, monotonicMs, log } = options;
    this.#options = options;
    this.#rails = options.rails;
    this.#bornAtMs = options.now();
    this.#containers = new ContainerCache(runtime, (ended) =>
      readMessage(ended, options.desired.pods.get(ended.podUid), runtime, options.roots),
    );
    this.fates = new PodFates({
      ...options,
      containers: () => this.#containers.all(),
      rails: () => this.#rails,
      turnOf: (uid) => this.#updates.turnOf(uid).turn,
      hasDiscarded: (uid) => this.#memoryOf(uid).discarded,
      freeImages: () => this.#gc.freeAll(),
      poke: (uid) => this.#workers.poke(uid),
    });
    this.#images = new Images({
      runtime,
      pullsAtOnce: options.images.pullsAtOnce,
      monotonicMs,
      onPulled: (image, end) => this.#imagePulled(image, end),
      onProgress: (image, done, total) => this.#podEvents.imageProgress(image, done, total),
      onNew: (name, id) => options.state.savePulledImage({ id, name, atMs: options.now() }),
    });
    this.#updates = new Updates({
      ...options,
      images: this.#images,
      probeTargetOf: (pod, container) => this.#probeTargetOf(pod, container),
      containersOf: (uid) => this.#containers.ofPod(uid),
      isBusy: (container) => this.#containers.isBusy(container),
      statusOf: (pod) => this.#observedStatus(pod),
      firstSeenAtMs: (uid) => this.#memoryOf(uid).firstSeenAtMs,
      onTurn: (uid) => this.#workers.poke(uid),
      onLoaded: () => {
        for (const uid of options.desired.pods.keys()) this.#workers.poke(uid);
      },
    });
    this.#probes = new Probes({
      ...{ runtime, monotonicMs },
      onChange: (id) => this.#onHealth(id),
      onFailure: (id, kind, why) => this.#podEvents.probeFailed(this.#containers.get(id), kind, why),
      onWarning: (id, kind, text) => this.#podEvents.probeWarned(this.#containers.get(id), kind, text),
    });
    this.#hooks = new Hooks(runtime);
    this.#podEvents = new PodEvents(options.events, options.desired);
    this.#executor = makeExecutor({
      ...options,
      containers: this.#containers,
      admission: this.fates.admission,
      images: this.#images,
      hooks: this.#hooks,
      rails: () => this.#rails,
      replace: (id) => this.#probes.replace(id),
      poke: (uid) => this.#workers.poke(uid),
      onRemoved: ({ imageId }) => this.#gc.released(imageId),
    });
    this.#workers = new PodWorkers({
      pass: (uid) => this.#pass(uid),
      monotonicMs,
      onBug: (uid, error) => log.fatal({ err: error, pod: uid }, 'reconciling a pod threw'),
    });
    this.#gc = new LazyImageGc({
      ...options,
      thresholds: options.images.thresholds,
      imported: options.images.imported,
      onRemoved: (image) => this.#images.markAbsent(image),
      onEvent: (reason, message) => {
        const subject = { kind: 'Node', namespace: '', name: options.node, uid: '', fieldPath: '' };
        options.events.record(subject, 'Warning', reason, message);
      },
      log: log.child({ part: 'images' }),
    });
    this.#engine = new EngineFollower({
      ...options,
      containers: this.#containers,
      onUp: (uids) => this.#lookAtEverything(uids),
      onDown: options.onEngine,
      onNetworkLost: () => this.#networkLost(),
      poke: (uid) => this.#workers.poke(uid),
    });
  }

  /** Runs until `close`. */
  run(): Promise<void> {
    return this.#engine.run();
  }

  /** These pods are wanted otherwise than before. */
  desiredChanged(uids: Iterable<string>): void {
    for (const uid of uids) {
      this.#memory.get(uid)?.startOver();
      const pod = this.#options.desired.pods.get(uid);
      for (const { image } of pod ? imagesOf(pod) : []) this.#images.forgetFailure(image);
      this.#workers.poke(uid);
    }
    this.#gc.desiredChanged();
  }

  /** What runs and may no more is ended; what might not and now may is run. */
  setGuardRails(rails: GuardRails): void {
    this.#rails = rails;
    for (const uid of this.#options.desired.pods.keys()) this.#workers.poke(uid);
  }

  /** Somebody on the device has asked to be left alone, or does so no more. */
  leasesChanged(): void {
    this.#updates.leasesChanged();
  }

  /** The containers of a pod, the newest attempt of each first. */
  containersOf(uid: string, container: string): ObservedContainer[] {
    return attemptsOf(this.#containers.ofPod(uid), container);
  }

  /** The pods' containers that run now. */
  running(): ObservedContainer[] {
    return this.fates.running();
  }

  /** Where the pod's ports are; empty while it has no address. */
  addressOf(uid: string): string {
    const { desired, hostIp } = this.#options;
    const pod = desired.pods.get(uid);
    return pod ? podIpOf(pod, this.#containers.ofPod(uid), hostIp) : '';
  }

  /** Whether its containers have ended for good. */
  isFinished(uid: string): boolean {
    return this.fates.endings.isFinished(uid);
  }

  /** Whether the engine has been asked once: before it, a pod whose containers run would look as if it had none. */
  get hasLooked(): boolean {
    return this.#engine.hasLooked;
  }

  /** Every pod that is wanted or of which something is left, with its status: what a complete report says. */
  statuses(): Map<string, PodStatus | undefined> {
    const uids = new Set([...this.#options.desired.pods.keys(), ...this.#containers.podUids()]);
    return new Map([...uids].map((uid) => [uid, this.#statusOf(uid)]));
  }

  async close(): Promise<void> {
    this.#engine.close();
    this.#probes.close();
    this.#hooks.close();
    this.#updates.close();
    await this.#gc.close();
    await this.#workers.close();
  }

  /** The engine answers: all that there is of pods, is wanted or is left is looked at. */
  async #lookAtEverything(uids: ReadonlySet<string>): Promise<void> {
    // What failed may have failed because the engine was going.
    for (const memory of this.#memory.values()) memory.failures.clear();
    this.#options.onEngine(undefined);
    this.#options.onImages();
    void this.#gc.lookAtDisk();
    const known = [
      uids,
      this.#options.desired.pods.keys(),
      this.fates.endings.finished(),
      await podsWithDirectories(this.#options.roots),
    ];
    for (const uid of new Set(known.flatMap((some) => [...some]))) this.#workers.poke(uid);
  }

  #networkLost(): void {
    this.#executor.disconnected();
    for (const uid of this.#containers.podUids()) this.#workers.poke(uid);
  }

  async #pass(uid: string): Promise<number> {
    // Without a desired state nothing is known to be unwanted: what runs is kept.
    if (!this.#engine.isUp || !this.#options.desired.decides(uid)) return Number.POSITIVE_INFINITY;
    const { turn, wakeAtMs: turnEndsAtMs } = this.#updates.turnOf(uid);
    this.fates.look(uid, turn);
    const input = this.#inputOf(uid, turn);
    this.#probe(input);
    this.#podEvents.look(input);
    const { actions, wakeAtMs } = planPod(input);
    const memory = this.#memoryOf(uid);
    const context = { uid, pod: input.pod, memory, containers: input.containers };
    const done = await Promise.all(actions.map((action) => this.#executor.run(action, context)));
    this.fates.looked(uid);
    if (actions.some(({ type }) => type === 'clean-up')) {
      this.#forget(uid);
      return Number.POSITIVE_INFINITY;
    }
    this.#publish(uid);
    if (done.includes(false)) return this.#options.monotonicMs() + FAILED_ACTION_RETRY_MS;
    if (actions.length > 0) this.#workers.poke(uid);
    return Math.min(wakeAtMs, turnEndsAtMs, this.#freshFailureEndsAtMs(input));
  }

  #inputOf(uid: string, turn: Turn = this.#updates.turnOf(uid).turn): PodInput {
    const memory = this.#memoryOf(uid);
    const containers = this.#containers.ofPod(uid);
    for (const { role, container, attempt, podSinceMs } of containers) {
      const name = role === 'infra' ? '' : container;
      memory.lastAttempt.set(name, Math.max(attempt, memory.lastAttempt.get(name) ?? 0));
      memory.metBefore(podSinceMs);
    }
    const pod = this.#options.desired.pods.get(uid);
    return {
      pod,
      containers,
      firstSeenAtMs: memory.firstSeenAtMs,
      image: (name) => this.#images.get(name, pod && pullerOf(pod)),
      prepared: memory.prepared,
      failures: memory.failures,
      killAtMs: memory.killAtMs,
      stopByMs: memory.stopByMs,
      unhealthy: this.#probes.unhealthy,
      health: (id) => this.#healthOf(id),
      hooks: this.#hooks.starting,
      startedAtMs: memory.startedAtMs,
      finished: this.fates.endings.isFinished(uid),
      verdict: this.fates.endings.verdictOf(uid),
      waitsFor: this.fates.admission.waitsFor(uid),
      discarded: memory.discarded,
      lastAttempt: memory.lastAttempt,
      turn,
      rails: this.#rails,
      hasNetwork: this.#options.network !== undefined,
      connected: this.#executor.connected,
      keptImages: turn === 'clear' ? imagesOfOthers(this.#options, uid) : NO_IMAGES,
      nowMs: this.#options.monotonicMs(),
    };
  }

  #probe({ pod, containers }: PodInput): void {
    for (const { id, state, role, container, startedAtMs = 0 } of containers) {
      if (role !== 'container') continue;
      const spec = pod && ownContainersOf(pod).find(({ name }) => name === container);
      if (state !== 'running') this.#hooks.forget(id);
      if (!pod || !spec || state !== 'running') this.#probes.forget(id);
      else if (!this.#hooks.starting.has(id))
        this.#probes.watch(
          { id, container: spec, ip: addressOf(pod, containers, id) },
          startedAtMs < this.#bornAtMs,
        );
    }
  }

  #healthOf(id: string): Health {
    return this.#hooks.starting.has(id) ? { started: false, ready: false } : this.#probes.health(id);
  }

  #probeTargetOf(pod: Pod, name: string): ProbeTarget | undefined {
    const containers = this.#containers.ofPod(pod.metadata.uid);
    const spec = pod.spec.containers.find((container) => container.name === name);
    const running = attemptsOf(containers, name).find(({ state }) => state === 'running');
    if (!spec || !running) return undefined;
    return { id: running.id, container: spec, ip: addressOf(pod, containers, running.id) };
  }

  #onHealth(id: string): void {
    const container = this.#containers.get(id);
    if (container) this.#workers.poke(container.podUid);
  }

  #publish(uid: string): void {
    const status = this.#statusOf(uid);
    const isOver = status?.phase === 'Succeeded' || status?.phase === 'Failed';
    // The engine has told that it ended, and not yet how: of what is over for good nothing half is told.
    if (isOver && this.#containers.isEnding(uid)) return;
    if (status && isOver) this.#rememberFinished(uid, status);
    this.#options.onStatus(uid, status);
  }

  #statusOf(uid: string): PodStatus | undefined {
    const pod = this.#options.desired.pods.get(uid);
    if (!pod || (isDeleted(pod) && this.#engine.isUp && this.#containers.ofPod(uid).length === 0))
      return undefined;
    const saved = this.fates.endings.statusOf(uid);
    if (saved) return saved;
    const status = this.#observedStatus(pod, this.#updates.turnOf(uid).turn);
    const more = this.#updates.conditionsOf(pod);
    return more.length === 0 ? status : { ...status, conditions: [...(status.conditions ?? []), ...more] };
  }

  /** What its containers say of a pod. */
  #observedStatus(pod: Pod, turn: Turn = 'run'): PodStatus {
    const { uid } = pod.metadata;
    return podStatus({
      ...this.#inputOf(uid, turn),
      pod,
      health: (id) => this.#probes.health(id),
      hostIp: this.#options.hostIp,
      startTime: timeText(this.#memoryOf(uid).sinceMs),
    });
  }

  #rememberFinished(uid: string, status: PodStatus): void {
    const works = this.#containers
      .ofPod(uid)
      .some(({ role, state }) => role === 'container' && state === 'running');
    if (works || this.fates.endings.isFinished(uid)) return;
    this.fates.endings.finish(uid, status);
    this.#workers.poke(uid); // its network is not needed any more
  }

  #forget(uid: string): void {
    this.#memory.delete(uid);
    this.#podEvents.forget(uid);
    this.#options.network?.release(uid);
    this.#updates.forget(uid);
    this.#options.tokens.forget(uid);
    this.fates.forget(uid);
    this.#options.onStatus(uid, undefined);
  }

  #memoryOf(uid: string): PodMemory {
    const memory = this.#memory.get(uid) ?? new PodMemory(this.#options.monotonicMs(), Date.now());
    this.#memory.set(uid, memory);
    return memory;
  }

  #imagePulled(image: string, end: PullEnd): void {
    this.#podEvents.imagePulled(image, end);
    for (const [uid, pod] of this.#options.desired.pods)
      if (imagesOf(pod).some((needed) => needed.image === image)) this.#workers.poke(uid);
    this.#gc.changed(end.failure?.reason === INSUFFICIENT_DISK);
  }

  /** When `ErrImagePull` becomes `ImagePullBackOff`, the status is another though nothing happened. */
  #freshFailureEndsAtMs({ pod, nowMs }: PodInput): number {
    const ends = (pod ? imagesOf(pod) : [])
      .map(
        ({ image }) => (this.#images.get(image).failure?.atMs ?? Number.NEGATIVE_INFINITY) + FRESH_FAILURE_MS,
      )
      .filter((atMs) => atMs > nowMs);
    return Math.min(...ends, Number.POSITIVE_INFINITY);
  }
}
