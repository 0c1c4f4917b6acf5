import { uptime } from 'node:os';
import { join } from 'node:path';
import type { NodeCondition } from 'kubernetes-types/core/v1.d.ts';
import { AGENT_RELEASE_ANNOTATION } from '../proto/agent-release.ts';
import type { StreamOpen } from '../proto/gen/holdfast/v1/link_pb.ts';
import { formatVersion } from '../proto/snapshot.ts';
import { type Config, guardRailsOf } from './config.ts';
import type { Device } from './device.ts';
import { ServiceNames } from './dns/service-names.ts';
import { type Reported, Reporter } from './link/reporter.ts';
import { Session, type SessionState } from './link/session.ts';
import { Streams } from './link/streams.ts';
import type { LocalApi } from './local/server.ts';
import type { LocalStatus } from './local/status.ts';
import type { Logger } from './log.ts';
import { capacityOf, goArchitecture, nodeReport, type SlowFacts } from './node/facts.ts';
import { collectStartUpGarbage } from './node/memory.ts';
import type { Reboots } from './node/reboot.ts';
import type { GuardRails } from './pod/guard-rails.ts';
import type { ClaimedVolume, PodStatus } from './pod/pod.ts';
import type { ApiAddress } from './pod/service-variables.ts';
import { AccountTokens } from './reconcile/account-tokens.ts';
import { EventRecorder } from './reconcile/event-recorder.ts';
import { Leases } from './reconcile/leases.ts';
import { Reconciler } from './reconcile/reconciler.ts';
import { VolumeRemoval } from './reconcile/volume-removal.ts';
import type { EngineInfo } from './runtime/runtime.ts';
import type { AgentState, Identity } from './state/agent-state.ts';
import { DesiredState } from './state/desired-state.ts';
import type { StreamSource } from './streams/source.ts';
import { isTrialOpen, proveStart } from './update/installation.ts';
import type { SelfUpdate } from './update/self-update.ts';
import type { DeviceUsage, UsageMeter } from './usage/usage-meter.ts';
import { agentVersion } from './version.ts';

/** The agent of one device: builds its parts and joins them. */
export class Agent {
  readonly #identity: Identity;
  readonly #state: AgentState;
  readonly #log: Logger;
  readonly #device: Device;
  readonly #desired: DesiredState;
  readonly #events: EventRecorder;
  readonly #reporter: Reporter;
  readonly #leases: Leases;
  readonly #tokens: AccountTokens;
  readonly #volumes: VolumeRemoval;
  readonly #reconciler: Reconciler;
  readonly #session: Session;
  readonly #serviceNames: ServiceNames;
  #link: SessionState = { connected: false, transport: undefined, error: undefined };
  #engine: EngineInfo | undefined;
  #engineError: string | undefined = 'not asked yet';
  #slowFacts: SlowFacts | undefined;
  #meter: Promise<UsageMeter> | undefined;
  #reboots: Promise<Reboots> | undefined;
  #selfUpdate: Promise<SelfUpdate> | undefined;
  #updateConditions: readonly NodeCondition[] = [];
  #isProven = false;
  #closeLocal: () => void = () => {};

  constructor(config: Config, state: AgentState, identity: Identity, log: Logger, device: Device) {
    this.#identity = identity;
    this.#state = state;
    this.#log = log;
    this.#device = device;
    this.#desired = DesiredState.load(state, identity, log);
    this.#events = new EventRecorder(device.now, () => this.#reporter.eventsWaiting());
    this.#reporter = new Reporter({ everything: () => this.#everything(), events: this.#events });
    const moment = () => ({ bootId: device.bootId, uptimeMs: uptime() * 1000, wallMs: device.now() });
    this.#leases = new Leases({
      state,
      moment,
      log: log.child({ part: 'leases' }),
      onChange: () => this.#reconciler.leasesChanged(),
    });
    const roots = { data: config.dataDir, memory: join(config.runDir, 'memory') };
    this.#tokens = new AccountTokens({
      ...{ desired: this.#desired, state, roots, moment },
      monotonicMs: () => performance.now(),
      random: Math.random,
      isFinished: (uid) => this.#reconciler.isFinished(uid),
      onToken: (uid) => this.#reconciler.desiredChanged([uid]),
      log: log.child({ part: 'tokens' }),
    });
    this.#volumes = new VolumeRemoval({
      ...{ desired: this.#desired, roots },
      onRemoved: (volume) => this.#reporter.update(reportedVolume(volume)),
      log: log.child({ part: 'volumes' }),
    });
    this.#reconciler = new Reconciler({
      node: identity.node,
      hostIp: device.hostIp,
      runtime: device.runtime,
      network: device.network,
      rails: guardRailsOf(config),
      desired: this.#desired,
      state,
      leases: this.#leases,
      tokens: this.#tokens,
      roots,
      allocatable: () => capacityOf(this.#slowFacts),
      api: () => this.#api,
      events: this.#events,
      log: log.child({ part: 'reconciler' }),
      monotonicMs: () => performance.now(),
      now: device.now,
      moment,
      onStatus: (uid, status) => this.#podChanged(uid, status),
      onEngine: (error) => void this.#engineChanged(error),
    });
    this.#serviceNames = new ServiceNames({
      services: () => this.#desired.services,
      pods: () => this.#localPods(),
      address: async () => device.network?.gateway(),
      log: log.child({ part: 'dns' }),
    });
    this.#session = new Session({
      links: device.links,
      desired: this.#desired,
      reporter: this.#reporter,
      streams: new Streams({ open: (request, signal) => this.#openStream(request, signal) }),
      tokens: this.#tokens,
      agentVersion: agentVersion(),
      log: log.child({ part: 'link' }),
      onDesired: (uids) => {
        void this.#volumes.look();
        this.#tokens.wanted(uids); // a pod may have to wait for its turn, and for the hub by then
        this.#reconciler.desiredChanged(uids);
        this.#serviceNames.changed();
        void this.#rebootIfAsked();
        void this.#lookAtVersion();
      },
      onState: (link) => {
        this.#link = link;
        if (link.connected) collectStartUpGarbage();
        void this.#lookAtVersion();
      },
    });
  }

  /** Runs until `close`. Rejects when a part of it cannot work at all. */
  async run(): Promise<void> {
    this.#closeLocal = await this.#device.serve(this.#localApi());
    await Promise.all([
      this.#reconciler.run(),
      this.#session.run(),
      this.#gatherFacts(),
      this.#rebootIfAsked(), // an agent may have ended before it could
      this.#lookAtVersion(),
      this.#volumes.look(),
    ]);
  }

  /** What pods may do here is something else from now on. */
  setGuardRails(rails: GuardRails): void {
    this.#reconciler.setGuardRails(rails);
  }

  /** Lets go of everything but the containers, and of the state that was handed in. */
  async close(): Promise<void> {
    this.#closeLocal();
    (await this.#selfUpdate)?.close();
    this.#serviceNames.close();
    await this.#session.close();
    this.#tokens.close();
    this.#volumes.close();
    await this.#reconciler.close();
  }

  /** By the name that this device knows the hub by. */
  get #api(): ApiAddress | undefined {
    const { apiPort } = this.#desired;
    return apiPort === undefined ? undefined : { host: this.#identity.hub.host, port: apiPort };
  }

  *#localPods() {
    const statuses = this.#reconciler.statuses();
    for (const [uid, pod] of this.#desired.pods) yield { pod, status: statuses.get(uid) };
  }

  #podChanged(uid: string, status: PodStatus | undefined): void {
    const reported = this.#reportedPod(uid, status);
    if (reported) this.#reporter.update(reported);
  }

  /** Undefined for a pod that the hub does not know of any more. */
  #reportedPod(uid: string, status: PodStatus | undefined): Reported | undefined {
    const pod = this.#desired.pods.get(uid);
    if (!pod) return undefined;
    const { namespace, name } = pod.metadata;
    return { kind: 'Pod', namespace, name, uid, status };
  }

  /** Of pods nothing before the engine was asked: what the hub knows of them is better than a guess. */
  #everything(): Reported[] {
    if (!this.#reconciler.hasLooked) return [this.#reportedNode()];
    const pods = [...this.#reconciler.statuses()].map(([uid, status]) => this.#reportedPod(uid, status));
    const volumes = this.#volumes.removed.map(reportedVolume);
    return [this.#reportedNode(), ...pods.filter((pod) => pod !== undefined), ...volumes];
  }

  #reportedNode(): Reported {
    const { node } = this.#identity;
    const report = nodeReport({
      node,
      hostIp: this.#device.hostIp,
      agentVersion: agentVersion(),
      engine: this.#engine,
      engineError: this.#engineError,
      slow: this.#slowFacts,
      bootId: this.#device.bootId,
      conditions: this.#updateConditions,
      now: `${new Date(this.#device.now()).toISOString().slice(0, 19)}Z`,
    });
    return { kind: 'Node', namespace: '', name: node, uid: '', status: report };
  }

  async #engineChanged(error: Error | undefined): Promise<void> {
    if (!error) this.#serviceNames.changed();
    void this.#lookAtVersion();
    const message = error?.message;
    if (message === this.#engineError) return;
    this.#engineError = message;
    if (!error) this.#engine = await this.#device.runtime.info().catch(() => this.#engine);
    this.#reporter.update(this.#reportedNode());
  }

  /** Not before the work is done: nothing waits for these facts. */
  async #gatherFacts(): Promise<void> {
    try {
      this.#slowFacts = await this.#device.facts();
      this.#reporter.update(this.#reportedNode());
    } catch (error) {
      this.#log.warn({ err: error }, 'some facts of this device could not be found out');
    }
  }

  /** What it needs is loaded when somebody asks: most devices are never asked. */
  async #rebootIfAsked(): Promise<void> {
    if (!this.#desired.node) return;
    this.#reboots ??= import('./node/reboot.ts').then(
      ({ Reboots }) =>
        new Reboots({
          state: this.#state,
          events: this.#events,
          told: () => this.#reporter.told(),
          reboot: this.#device.reboot,
          bootId: this.#device.bootId,
          now: this.#device.now,
          log: this.#log.child({ part: 'reboot' }),
        }),
    );
    try {
      const reboots = await this.#reboots;
      if (this.#desired.node) await reboots.take(this.#desired.node);
    } catch (error) {
      this.#log.error({ err: error }, 'what the hub asks of this device itself could not be looked at');
    }
  }

  /** Loaded when another version is asked for, or while this one is tried: most of the time neither is. */
  async #lookAtVersion(): Promise<void> {
    this.#prove();
    const { installation } = this.#device;
    const isAsked = this.#desired.node?.metadata.annotations?.[AGENT_RELEASE_ANNOTATION] !== undefined;
    if (!this.#selfUpdate && !isAsked && !(installation && isTrialOpen(installation))) return;
    this.#selfUpdate ??= this.#loadSelfUpdate();
    try {
      (await this.#selfUpdate).changed(this.#desired.node);
    } catch (error) {
      this.#log.error({ err: error }, 'what is asked of the version of this agent could not be looked at');
    }
  }

  async #loadSelfUpdate(): Promise<SelfUpdate> {
    const { SelfUpdate } = await import('./update/self-update.ts');
    const { now, installation, end } = this.#device;
    return new SelfUpdate({
      ...{ now, installation, end },
      monotonicMs: () => performance.now(),
      node: this.#identity.node,
      hub: this.#identity,
      arch: goArchitecture(),
      version: agentVersion().replace(/^v/, ''),
      state: this.#state,
      events: this.#events,
      told: () => this.#reporter.told(),
      isConnected: () => this.#link.connected,
      hasEngine: () => this.#engineError === undefined,
      hasLooked: () => this.#engineError === undefined && this.#reconciler.hasLooked,
      onConditions: (conditions) => {
        this.#updateConditions = conditions;
        this.#reporter.update(this.#reportedNode());
      },
      log: this.#log.child({ part: 'update' }),
    });
  }

  /** Once it does anything that it is for. */
  #prove(): void {
    const { installation } = this.#device;
    if (this.#isProven || !installation || !(this.#link.connected || this.#reconciler.hasLooked)) return;
    this.#isProven = true;
    if (!proveStart(installation)) return;
    const text =
      'the version that should run ended again and again at its start: the one that was installed runs';
    this.#log.error(text);
    const subject = { kind: 'Node', namespace: '', name: this.#identity.node, uid: '', fieldPath: '' };
    this.#events.record(subject, 'Warning', 'AgentFellBack', text);
  }

  async #openStream(request: StreamOpen['request'], signal: AbortSignal): Promise<StreamSource> {
    const { openStream } = await import('./streams/open-stream.ts'); // most devices never need it
    const targets = {
      runtime: this.#device.runtime,
      containersOf: (uid: string, container: string) => this.#reconciler.containersOf(uid, container),
      addressOf: (uid: string) => this.#reconciler.addressOf(uid),
      usage: (signal: AbortSignal) => this.#usage(signal),
    };
    return openStream(targets, request, signal);
  }

  async #usage(signal: AbortSignal): Promise<DeviceUsage> {
    this.#meter ??= import('./usage/usage-meter.ts').then(
      ({ UsageMeter }) =>
        new UsageMeter({
          runtime: this.#device.runtime,
          running: () => this.#reconciler.running(),
          monotonicMs: () => performance.now(),
        }),
    );
    return (await this.#meter).measure(signal);
  }

  #localApi(): LocalApi {
    const pods = () => [...this.#desired.pods.values()];
    return {
      status: () => this.#localStatus(),
      leases: {
        hold: (request) => this.#leases.hold(request),
        release: (name) => this.#leases.release(name),
        list: () => this.#leases.list(),
        hasPod: (pod) => pods().some(({ metadata }) => `${metadata.namespace}/${metadata.name}` === pod),
      },
    };
  }

  #localStatus(): LocalStatus {
    const { cluster, node, hub } = this.#identity;
    const pods = [...this.#reconciler.statuses()].flatMap(([uid, status]) => {
      const pod = this.#desired.pods.get(uid);
      return pod && status ? [{ namespace: pod.metadata.namespace, name: pod.metadata.name, status }] : [];
    });
    return {
      node,
      cluster,
      hub: hub.host,
      connected: this.#link.connected,
      transport: this.#link.transport,
      connectionError: this.#link.error,
      engineError: this.#engineError,
      desired: formatVersion(this.#desired.version),
      pods,
    };
  }
}

function reportedVolume({ metadata: { name, uid } }: ClaimedVolume): Reported {
  return { kind: 'PersistentVolume', namespace: '', name, uid, status: undefined };
}
