import { uptime } from 'node:os';
import { join } from 'node:path';
import type { StreamOpen } from '../proto/gen/holdfast/v1/link_pb.ts';
import { formatVersion } from '../proto/snapshot.ts';
import { type Config, durationMs, evictionOf, guardRailsOf } from './config.ts';
import type { Device } from './device.ts';
import { ServiceNames } from './dns/service-names.ts';
import { Eviction, type EvictionSettings } from './eviction/eviction.ts';
import type { Pressure, Readings } from './eviction/thresholds.ts';
import { Reporter } from './link/reporter.ts';
import { Session, type SessionState } from './link/session.ts';
import { Streams } from './link/streams.ts';
import type { LocalApi } from './local/server.ts';
import type { LocalStatus } from './local/status.ts';
import type { Logger } from './log.ts';
import { monotonicMs } from './monotonic.ts';
import { goArchitecture } from './node/facts.ts';
import { collectGarbageWhenQuiet } from './node/memory.ts';
import { NodeStatus } from './node/node-status.ts';
import type { Reboots } from './node/reboot.ts';
import type { GuardRails } from './pod/guard-rails.ts';
import type { PodStatus } from './pod/pod.ts';
import type { ApiAddress } from './pod/service-variables.ts';
import type { VolumeRoots } from './pod/volumes.ts';
import { AccountTokens } from './reconcile/account-tokens.ts';
import { EventRecorder } from './reconcile/event-recorder.ts';
import { Leases } from './reconcile/leases.ts';
import { type ImageOptions, Reconciler } from './reconcile/reconciler.ts';
import { VolumeRemoval } from './reconcile/volume-removal.ts';
import { Reports, reportedVolume } from './reports.ts';
import { type DeviceSources, parseDevices } from './resources/device-sources.ts';
import { parseReserve } from './resources/reserve.ts';
import { EngineWatch } from './runtime/engine-watch.ts';
import type { AgentState, Identity } from './state/agent-state.ts';
import { DesiredState } from './state/desired-state.ts';
import { StaticPods } from './static-pods/static-pods.ts';
import type { StreamSource } from './streams/source.ts';
import { VersionWatch } from './update/version-watch.ts';
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
  readonly #staticPods: StaticPods;
  readonly #node: NodeStatus;
  readonly #engineWatch: EngineWatch;
  readonly #reconciler: Reconciler;
  readonly #session: Session;
  readonly #serviceNames: ServiceNames;
  readonly #reports: Reports;
  readonly #version: VersionWatch;
  #link: SessionState = { connected: false, transport: undefined, error: undefined };
  #meter: Promise<UsageMeter> | undefined;
  #reboots: Promise<Reboots> | undefined;
  readonly #eviction: Eviction | undefined;
  readonly #sources: DeviceSources;
  #closeLocal: () => void = () => {};

  constructor(config: Config, state: AgentState, identity: Identity, log: Logger, device: Device) {
    this.#identity = identity;
    this.#state = state;
    this.#log = log;
    this.#device = device;
    this.#desired = DesiredState.load(state, identity, log);
    this.#events = new EventRecorder(device.now, () => this.#reporter.eventsWaiting());
    this.#reporter = new Reporter({ everything: () => this.#reports.everything(), events: this.#events });
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
      monotonicMs,
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
    this.#sources = parseDevices(config.devices);
    this.#staticPods = new StaticPods({
      path: config.staticPodPath || undefined,
      node: identity.node,
      ...{ desired: this.#desired, state, events: this.#events, now: device.now },
      onChange: (uids) => this.#wantedOtherwise(uids),
      log: log.child({ part: 'static-pods' }),
    });
    this.#node = new NodeStatus({
      node: identity.node,
      certificate: identity.certificate,
      agentVersion: agentVersion(),
      ...{ hostIp: device.hostIp, bootId: device.bootId, now: device.now, runtime: device.runtime },
      facts: () => device.facts(),
      reserve: parseReserve(config.systemReserved),
      thresholds: evictionOf(config).thresholds,
      pressures: () => this.#pressures,
      onChange: () => this.#nodeChanged(),
      log,
    });
    this.#engineWatch = new EngineWatch({
      ping: (signal) => device.runtime.ping(signal),
      onChange: (error) => void this.#engineChanged(error),
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
      allocatable: () => this.#node.allocatable,
      devices: { resources: new Set(this.#sources.keys()), stock: () => this.#node.devices },
      pressures: () => this.#pressures,
      podPidsLimit: config.podPidsLimit === undefined ? undefined : Number(config.podPidsLimit),
      api: () => this.#api,
      events: this.#events,
      log: log.child({ part: 'reconciler' }),
      monotonicMs,
      now: device.now,
      moment,
      images: imageOptions(config),
      onStatus: (uid, status) => this.#podChanged(uid, status),
      onImages: () => this.#node.images.changed(),
      onEngine: (error) => this.#engineWatch.followed(error),
    });
    this.#eviction = device.readings && this.#watchPressure(evictionOf(config), device.readings, roots);
    this.#reports = new Reports({
      node: identity.node,
      nodeStatus: this.#node,
      desired: this.#desired,
      reconciler: this.#reconciler,
      staticPods: this.#staticPods,
      volumes: this.#volumes,
    });
    this.#serviceNames = new ServiceNames({
      services: () => this.#desired.services,
      pods: () => this.#localPods(),
      address: async () => device.network?.gateway(),
      log: log.child({ part: 'dns' }),
    });
    this.#version = new VersionWatch({
      ...{ now: device.now, installation: device.installation, end: device.end },
      monotonicMs,
      node: identity.node,
      hub: identity,
      arch: goArchitecture(),
      version: agentVersion().replace(/^v/, ''),
      state,
      asked: () => this.#desired.node,
      events: this.#events,
      told: () => this.#reporter.told(),
      isConnected: () => this.#link.connected,
      hasEngine: () => this.#node.engineError === undefined,
      hasLooked: () => this.#reconciler.hasLooked,
      onConditions: (conditions) => this.#node.setUpdateConditions(conditions),
      log: log.child({ part: 'update' }),
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
        this.#wantedOtherwise(uids);
        void this.#rebootIfAsked();
        void this.#version.look();
      },
      onState: (link) => {
        this.#link = link;
        if (link.connected) collectGarbageWhenQuiet();
        void this.#version.look();
      },
    });
  }

  /** Runs until `close`. Rejects when a part of it cannot work at all. */
  async run(): Promise<void> {
    this.#closeLocal = await this.#device.serve(this.#localApi());
    await this.#staticPods.start(); // what it runs already must not look unwanted
    this.#eviction?.start();
    this.#engineWatch.start();
    await Promise.all([
      this.#reconciler.run(),
      this.#session.run(),
      this.#node.gatherFacts(),
      this.#followDevices(),
      this.#rebootIfAsked(), // an agent may have ended before it could
      this.#version.look(),
      this.#volumes.look(),
    ]);
  }

  /** What pods may do here is something else from now on. */
  setGuardRails(rails: GuardRails): void {
    this.#reconciler.setGuardRails(rails);
  }

  /** Pods are ended for want of other things from now on; what pods are told that there is for them stays. */
  setEviction(settings: EvictionSettings): void {
    this.#eviction?.setSettings(settings);
  }

  /** Lets go of everything but the containers, and of the state that was handed in. */
  async close(): Promise<void> {
    this.#closeLocal();
    this.#eviction?.close();
    this.#engineWatch.close();
    this.#node.devices?.close();
    await this.#version.close();
    this.#serviceNames.close();
    this.#staticPods.close();
    this.#node.close();
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

  #wantedOtherwise(uids: Iterable<string>): void {
    this.#reconciler.desiredChanged(uids);
    this.#serviceNames.changed();
  }

  #nodeChanged(): void {
    this.#reporter.update(this.#reports.node());
  }

  #podChanged(uid: string, status: PodStatus | undefined): void {
    const reported = this.#reports.pod(uid, status);
    if (reported) this.#reporter.update(reported);
    collectGarbageWhenQuiet();
    if (!status) this.#staticPods.ended(uid);
  }

  get #pressures(): ReadonlySet<Pressure> {
    return this.#eviction?.pressures ?? NO_PRESSURES;
  }

  #watchPressure(settings: EvictionSettings, read: () => Promise<Readings>, roots: VolumeRoots): Eviction {
    const subject = { kind: 'Node', namespace: '', name: this.#identity.node, uid: '', fieldPath: '' };
    return new Eviction({
      ...{ settings, read, roots, runtime: this.#device.runtime, pods: this.#reconciler.fates },
      monotonicMs,
      onPressures: () => this.#nodeChanged(),
      onEvent: (reason, message) => this.#events.record(subject, 'Warning', reason, message),
      log: this.#log.child({ part: 'eviction' }),
    });
  }

  /** Loaded only where there are some for pods. */
  async #followDevices(): Promise<void> {
    const sources = this.#sources;
    if (sources.size === 0) return;
    const { DeviceInventory } = await import('./resources/device-inventory.ts');
    const inventory = new DeviceInventory({
      sources,
      onChange: () => {
        this.#node.devices = inventory;
        this.#nodeChanged();
        this.#reconciler.fates.devicesChanged();
      },
      onError: (error) => this.#log.warn({ err: error }, 'the devices for pods could not be looked at'),
    });
    await inventory.look();
  }

  async #engineChanged(error: Error | undefined): Promise<void> {
    if (!error) this.#serviceNames.changed();
    void this.#version.look();
    await this.#node.engineChanged(error);
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

  async #openStream(request: StreamOpen['request'], signal: AbortSignal): Promise<StreamSource> {
    const { openStream } = await import('./streams/open-stream.ts'); // most devices never need it
    const targets = {
      runtime: this.#device.runtime,
      containersOf: (uid: string, container: string) => this.#reconciler.containersOf(uid, container),
      addressOf: (uid: string) => this.#reconciler.addressOf(uid),
      now: this.#device.now,
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
          monotonicMs,
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
      engineError: this.#node.engineError,
      desired: formatVersion(this.#desired.version),
      staticPodProblems: this.#staticPods.problems,
      pods,
    };
  }
}

const NO_PRESSURES: ReadonlySet<Pressure> = new Set();

function imageOptions(config: Config): ImageOptions {
  const high = Number(config.imageGCHighThresholdPercent);
  return {
    pullsAtOnce: Number(config.maxParallelImagePulls),
    thresholds: {
      high,
      low: Math.min(high, Number(config.imageGCLowThresholdPercent)),
      minAgeMs: durationMs(config.imageMinimumGCAge),
    },
    imported: async () => (await import('./images/imported.ts')).importedImages(config.dataDir),
  };
}
