import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { PodNetwork } from '../network/pod-network.ts';
import type { GuardRails } from '../pod/guard-rails.ts';
import type { Moment } from '../pod/moment.ts';
import { addressOf, attemptsOf, type Failure, type Health, type PodInput } from '../pod/observation.ts';
import { allContainersOf, isDeleted, ownContainersOf, type Pod, type PodStatus } from '../pod/pod.ts';
import type { ProbeTarget } from '../pod/probe-attempt.ts';
import { Probes } from '../pod/probes.ts';
import type { ApiAddress } from '../pod/service-variables.ts';
import { FRESH_FAILURE_MS, podIpOf, podStatus } from '../pod/status.ts';
import { readMessage } from '../pod/termination-message.ts';
import type { Turn } from '../pod/turn.ts';
import {
  type ContainerChange,
  type ObservedContainer,
  type Runtime,
  RuntimeError,
} from '../runtime/runtime.ts';
import type { AgentState } from '../state/agent-state.ts';
import type { DesiredState } from '../state/desired-state.ts';
import type { AccountTokens } from './account-tokens.ts';
import { ContainerCache } from './container-cache.ts';
import type { EventRecorder } from './event-recorder.ts';
import { type Executor, makeExecutor } from './execute.ts';
import { Hooks } from './hooks.ts';
import { Images } from './images.ts';
import type { Leases } from './leases.ts';
import { planPod } from './plan.ts';
import { PodEvents } from './pod-events.ts';
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
  /** A pod's status may be another; undefined: nothing is left of it. */
  readonly onStatus: (uid: string, status: PodStatus | undefined) => void;
  /** Whether the engine answers has changed. */
  readonly onEngine: (error: Error | undefined) => void;
}

const NO_IMAGES: ReadonlySet<string> = new Set();

/** After an action failed; what failed for a reason in the pod itself waits for its back-off besides. */
const FAILED_ACTION_RETRY_MS = 1_000;
/** How soon the engine is asked again after it went away: it is a local socket, so asking is cheap. */
const ENGINE_RETRY_MS = { first: 100, longest: 5_000 };

/**
 * Makes the device's containers what the desired state says, for ever: looks at what is there, plans, acts, looks again.
 * It needs nothing but the engine and the stored state.
 */
export class Reconciler {
  readonly #options: ReconcilerOptions;
  readonly #containers: ContainerCache;
  readonly #images: Images;
  readonly #probes: Probes;
  readonly #hooks: Hooks;
  readonly #podEvents: PodEvents;
  readonly #workers: PodWorkers;
  readonly #executor: Executor;
  readonly #updates: Updates;
  readonly #memory = new Map<string, PodMemory>();
  readonly #finished: Map<string, string>;
  readonly #abort = new AbortController();
  #rails: GuardRails;
  #engineUp = false;
  #hasLooked = false;

  constructor(options: ReconcilerOptions) {
    const { runtime, monotonicMs, log } = options;
    this.#options = options;
    this.#rails = options.rails;
    this.#finished = options.state.finishedPods();
    this.#containers = new ContainerCache(runtime, (ended) =>
      readMessage(ended, options.desired.pods.get(ended.podUid), runtime, options.roots),
    );
    this.#images = new Images({
      runtime,
      monotonicMs,
      onPulled: (image, failure) => this.#imagePulled(image, failure),
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
      runtime,
      onChange: (id) => this.#onHealth(id),
      onFailure: (id, kind, why) => this.#podEvents.probeFailed(this.#containers.get(id), kind, why),
    });
    this.#hooks = new Hooks(runtime);
    this.#podEvents = new PodEvents(options.events, (uid) => options.desired.pods.get(uid));
    this.#executor = makeExecutor({
      ...options,
      containers: this.#containers,
      images: this.#images,
      hooks: this.#hooks,
      rails: () => this.#rails,
      replace: (id) => this.#probes.replace(id),
      poke: (uid) => this.#workers.poke(uid),
    });
    this.#workers = new PodWorkers({
      pass: (uid) => this.#pass(uid),
      monotonicMs,
      onBug: (uid, error) => log.fatal({ err: error, pod: uid }, 'reconciling a pod threw'),
    });
  }

  /** Runs until `close`. */
  async run(): Promise<void> {
    const { signal } = this.#abort;
    let delayMs = ENGINE_RETRY_MS.first;
    while (!signal.aborted) {
      try {
        await this.#follow(signal, () => {
          delayMs = ENGINE_RETRY_MS.first;
        });
      } catch (error) {
        if (!signal.aborted) this.#engineLost(error as Error);
      }
      await sleep(delayMs, undefined, { signal }).catch(() => {});
      delayMs = Math.min(delayMs * 2, ENGINE_RETRY_MS.longest);
    }
  }

  /** These pods are wanted otherwise than before. */
  desiredChanged(uids: Iterable<string>): void {
    for (const uid of uids) {
      this.#memory.get(uid)?.startOver();
      this.#workers.poke(uid);
    }
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
    return this.#containers.all().filter(({ role, state }) => role === 'container' && state === 'running');
  }

  /** Where the pod's ports are; empty while it has no address. */
  addressOf(uid: string): string {
    const { desired, hostIp } = this.#options;
    const pod = desired.pods.get(uid);
    return pod ? podIpOf(pod, this.#containers.ofPod(uid), hostIp) : '';
  }

  /** Whether its containers have ended for good. */
  isFinished(uid: string): boolean {
    return this.#finished.has(uid);
  }

  /** Whether the engine has been asked once: before it, a pod whose containers run would look as if it had none. */
  get hasLooked(): boolean {
    return this.#hasLooked;
  }

  /** Every pod that is wanted or of which something is left, with its status: what a complete report says. */
  statuses(): Map<string, PodStatus | undefined> {
    const uids = new Set([...this.#options.desired.pods.keys(), ...this.#containers.podUids()]);
    return new Map([...uids].map((uid) => [uid, this.#statusOf(uid)]));
  }

  async close(): Promise<void> {
    this.#abort.abort();
    this.#probes.close();
    this.#hooks.close();
    this.#updates.close();
    await this.#workers.close();
  }

  /** Listens first, then looks at everything: so nothing that happens in between is missed. */
  async #follow(signal: AbortSignal, onUp: () => void): Promise<void> {
    const changes = await this.#options.runtime.changes(signal);
    this.#options.network?.forget();
    const uids = await this.#containers.refreshAfterAbsence();
    for (const { podUid, podIp } of this.#containers.all()) this.#options.network?.seen(podUid, podIp);
    // What failed may have failed because the engine was going.
    for (const memory of this.#memory.values()) memory.failures.clear();
    onUp();
    this.#engineUp = true;
    this.#hasLooked = true;
    this.#options.log.info({ pods: uids.size }, 'the container engine answers');
    this.#options.onEngine(undefined);
    const known = [
      uids,
      this.#options.desired.pods.keys(),
      this.#finished.keys(),
      await this.#podsWithFiles(),
    ];
    for (const uid of new Set(known.flatMap((some) => [...some]))) this.#workers.poke(uid);
    for await (const change of changes) {
      if ('lostNetwork' in change) this.#networkLost(change.lostNetwork);
      else await this.#look(change);
    }
    throw new RuntimeError('engine-down', 'the engine ended its event stream');
  }

  /** Somebody has removed it, which the engine allows: what it knows of is not in it. */
  #networkLost(name: string): void {
    if (name !== this.#options.network?.name) return;
    this.#options.log.warn({ network: name }, 'the network of the pods was removed: it is made again');
    this.#options.network.forget();
    this.#executor.disconnected();
    for (const uid of this.#containers.podUids()) this.#workers.poke(uid);
  }

  /** A container that ended is restarted on the engine's word; how exactly it ended is looked up meanwhile. */
  async #look({ id, ended }: ContainerChange): Promise<void> {
    const now = this.#options.monotonicMs();
    const early = ended && this.#containers.markEnded(id, ended.exitCode, ended.atMs, now);
    if (early) this.#workers.poke(early);
    const uid = await this.#containers.refresh(id);
    if (uid) this.#workers.poke(uid);
  }

  /** Pods whose directories are there: the agent may have ended between removing a container and its files. */
  async #podsWithFiles(): Promise<string[]> {
    return readdir(join(this.#options.roots.data, 'pods')).catch(() => []);
  }

  #engineLost(error: Error): void {
    if (this.#engineUp)
      this.#options.log.warn({ err: error }, 'the container engine is gone: waiting for it');
    this.#engineUp = false;
    this.#options.onEngine(error);
  }

  async #pass(uid: string): Promise<number> {
    // Without a desired state nothing is known to be unwanted: what runs is kept.
    if (!this.#engineUp || !this.#options.desired.version) return Number.POSITIVE_INFINITY;
    const { turn, wakeAtMs: turnEndsAtMs } = this.#updates.turnOf(uid);
    const input = this.#inputOf(uid, turn);
    this.#probe(input);
    this.#podEvents.look(input);
    const { actions, wakeAtMs } = planPod(input);
    const memory = this.#memoryOf(uid);
    const context = { uid, pod: input.pod, memory, containers: input.containers };
    const done = await Promise.all(actions.map((action) => this.#executor.run(action, context)));
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
    return {
      pod: this.#options.desired.pods.get(uid),
      containers,
      firstSeenAtMs: memory.firstSeenAtMs,
      image: (name) => this.#images.get(name),
      prepared: memory.prepared,
      failures: memory.failures,
      killAtMs: memory.killAtMs,
      stopByMs: memory.stopByMs,
      unhealthy: this.#probes.unhealthy,
      health: (id) => this.#healthOf(id),
      hooks: this.#hooks.starting,
      startedAtMs: memory.startedAtMs,
      finished: this.#finished.has(uid),
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
    for (const { id, state, role, container } of containers) {
      if (role !== 'container') continue;
      const spec = pod && ownContainersOf(pod).find(({ name }) => name === container);
      if (state !== 'running') this.#hooks.forget(id);
      if (!pod || !spec || state !== 'running') this.#probes.forget(id);
      else if (!this.#hooks.starting.has(id))
        this.#probes.watch({ id, container: spec, ip: addressOf(pod, containers, id) });
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
    if (!pod || (isDeleted(pod) && this.#engineUp && this.#containers.ofPod(uid).length === 0))
      return undefined;
    const saved = this.#finished.get(uid);
    if (saved) return JSON.parse(saved) as PodStatus;
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
      startTime: `${new Date(this.#memoryOf(uid).sinceMs).toISOString().slice(0, 19)}Z`,
    });
  }

  #rememberFinished(uid: string, status: PodStatus): void {
    const works = this.#containers
      .ofPod(uid)
      .some(({ role, state }) => role === 'container' && state === 'running');
    if (works || this.#finished.has(uid)) return;
    const json = JSON.stringify(status);
    this.#finished.set(uid, json);
    this.#options.state.saveFinishedPod(uid, json);
    this.#workers.poke(uid); // its network is not needed any more
  }

  #forget(uid: string): void {
    this.#memory.delete(uid);
    this.#podEvents.forget(uid);
    this.#options.network?.release(uid);
    this.#updates.forget(uid);
    this.#options.tokens.forget(uid);
    if (this.#finished.delete(uid)) this.#options.state.forgetFinishedPod(uid);
    this.#options.onStatus(uid, undefined);
  }

  #memoryOf(uid: string): PodMemory {
    const memory = this.#memory.get(uid) ?? new PodMemory(this.#options.monotonicMs(), Date.now());
    this.#memory.set(uid, memory);
    return memory;
  }

  #imagePulled(image: string, failure: Failure | undefined): void {
    for (const [uid, pod] of this.#options.desired.pods) {
      if (!allContainersOf(pod).some((container) => container.image === image)) continue;
      const { metadata } = pod;
      const subject = { kind: 'Pod', namespace: metadata.namespace, name: metadata.name, uid, fieldPath: '' };
      const { events } = this.#options;
      if (failure)
        events.record(subject, 'Warning', 'Failed', `Failed to pull image "${image}": ${failure.message}`);
      else events.record(subject, 'Normal', 'Pulled', `Successfully pulled image "${image}"`);
      this.#workers.poke(uid);
    }
  }

  /** When `ErrImagePull` becomes `ImagePullBackOff`, the status is another though nothing happened. */
  #freshFailureEndsAtMs({ pod, nowMs }: PodInput): number {
    const ends = (pod ? allContainersOf(pod) : [])
      .map(
        ({ image = '' }) =>
          (this.#images.get(image).failure?.atMs ?? Number.NEGATIVE_INFINITY) + FRESH_FAILURE_MS,
      )
      .filter((atMs) => atMs > nowMs);
    return Math.min(...ends, Number.POSITIVE_INFINITY);
  }
}
