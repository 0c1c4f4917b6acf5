import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent } from '../../agent/agent.ts';
import { type Config, SETTINGS } from '../../agent/config.ts';
import { type Device, linksOf } from '../../agent/device.ts';
import type { UpMessage } from '../../agent/link/link.ts';
import type { Logger } from '../../agent/log.ts';
import { type ObservedContainer, RuntimeError } from '../../agent/runtime/runtime.ts';
import { AgentState, type Identity } from '../../agent/state/agent-state.ts';
import type { ConnectResponse, Version } from '../../proto/gen/holdfast/v1/link_pb.ts';
import { within } from './draw.ts';
import { Network } from './network.ts';
import { networkProbes } from './network-probes.ts';
import { behaviourOfImage, type DevicePlan, matches, type Reboot, type Scenario } from './scenario.ts';
import { SimulatedRuntime } from './simulated-runtime.ts';
import { type Step, stepsOf } from './timeline.ts';

export interface SimulatedDeviceOptions {
  readonly identity: Identity;
  readonly plan: DevicePlan;
  readonly scenario: Scenario;
  readonly transport: 'mqtt' | 'grpc';
  /** Where its files go: its volumes, and its state unless that is in memory. */
  readonly dir: string;
  readonly stateInMemory: boolean;
  readonly elapsedMs: () => number;
  readonly log: Logger;
  /** Its agent ended by itself: a bug. */
  readonly onFailure: (device: SimulatedDevice, error: Error) => void;
}

/** How long a device is away that is asked to start anew. */
const REBOOT_MS = [200, 600] as const;

/** How a device is: it has no agent while it is off, and never again once it is lost. */
export type DeviceState = 'off' | 'disconnected' | 'connected' | 'lost';

const FACTS = {
  osImage: 'Holdfast fleet simulator',
  machineId: '',
  systemUuid: '',
  model: 'simulated',
  diskBytes: 16 * 1024 ** 3,
};

/** One device of the fleet: a real agent on a simulated engine, behind a network that can be cut. */
export class SimulatedDevice {
  readonly name: string;
  readonly plan: DevicePlan;
  readonly #options: SimulatedDeviceOptions;
  readonly #network: Network;
  readonly #runtime: SimulatedRuntime;
  readonly #steps: Generator<Step>;
  readonly #waiting = new Set<() => void>();
  readonly #closing = new AbortController();
  #refusals: ReadonlyMap<string, string> = new Map();
  #state: AgentState | undefined;
  #agent: Agent | undefined;
  #isWelcome = false;
  #isLost = false;
  #held: Version | undefined;
  #boots = 1;
  #timer: NodeJS.Timeout | undefined;
  #rebooting: Promise<void> = Promise.resolve();

  constructor(options: SimulatedDeviceOptions) {
    const { identity, plan, scenario } = options;
    this.#options = options;
    this.name = identity.node;
    this.plan = plan;
    this.#network = new Network({
      onSent: (message) => this.#sent(message),
      onReceived: (message) => this.#received(message),
      onClosed: () => this.#disconnected(),
    });
    this.#runtime = new SimulatedRuntime({
      node: identity.node,
      index: plan.index,
      behaviour: plan.behaviour,
      image: (name) => behaviourOfImage(scenario, name),
      draw: plan.draw,
      elapsedMs: options.elapsedMs,
      now: () => this.#now(),
      refusal: ({ podUid, container }) => this.#refusals.get(`${podUid}/${container}`),
      onCreate: (image) => this.#vanishFor(image),
      onChange: () => this.#happened(),
    });
    this.#steps = stepsOf(plan.behaviour, plan.draw);
  }

  get state(): DeviceState {
    if (this.#isLost) return 'lost';
    if (!this.#agent) return 'off';
    return this.#isWelcome ? 'connected' : 'disconnected';
  }

  get isCut(): boolean {
    return this.#network.isCut;
  }

  /** The newest desired state that it has told the hub it stored. */
  get held(): Version | undefined {
    return this.#held;
  }

  /** Pods' containers, the ended ones as well. */
  get containers(): ObservedContainer[] {
    return this.#runtime.containers().filter(({ role }) => role === 'container');
  }

  /** The containers that run, by `namespace/name` of their pods. */
  get running(): Map<string, ObservedContainer[]> {
    const running = this.containers.filter(({ state }) => state === 'running');
    return Map.groupBy(running, ({ podNamespace, podName }) => `${podNamespace}/${podName}`);
  }

  /** Switches it on. From here on the scenario happens to it. */
  start(): void {
    this.#open();
    this.#next();
  }

  /** Resolves as soon as `check` holds, which may be now; it is asked again whenever something happened to the device. */
  when(check: (device: SimulatedDevice) => boolean): Promise<void> {
    if (check(this)) return Promise.resolve();
    return new Promise((resolve) => {
      const ask = () => {
        if (!check(this)) return;
        this.#waiting.delete(ask);
        resolve();
      };
      this.#waiting.add(ask);
    });
  }

  connected(): Promise<void> {
    return this.when(({ state }) => state === 'connected');
  }

  disconnected(): Promise<void> {
    return this.when(({ state }) => state !== 'connected');
  }

  /** Resolves when a container of the image (`*` stands for anything) runs. */
  runs(image: string): Promise<void> {
    return this.when(({ containers }) =>
      containers.some((container) => container.state === 'running' && matches(image, container.image)),
    );
  }

  /** Cuts its network, without a good-bye, until `comeBack`. */
  goDark(): void {
    this.#network.cut('asked');
  }

  comeBack(): void {
    this.#network.restore('asked');
  }

  /** Gone for ever, with its containers. The hub is told nothing but that the connection broke. */
  async vanish(): Promise<void> {
    this.#isLost = true;
    clearTimeout(this.#timer);
    this.#network.cut('off');
    this.#happened();
    await this.#stop();
    this.#runtime.forgetAll();
  }

  /** Resolves when the agent has been started again, on the state that it had. */
  reboot(reboot: Reboot = {}): Promise<void> {
    this.#rebooting = this.#rebooting.then(() => this.#reboot(reboot));
    return this.#rebooting;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    clearTimeout(this.#timer);
    this.#runtime.close();
    await this.#stop();
    await this.#rebooting;
    this.#state?.close();
    this.#state = undefined;
  }

  #open(): void {
    const { identity, log, dir, stateInMemory } = this.#options;
    this.#state ??= stateInMemory ? AgentState.inMemory() : AgentState.open(dir, log);
    const agent = new Agent(this.#config(), this.#state, identity, log, this.#device());
    this.#agent = agent;
    agent.run().catch((error: Error) => this.#options.onFailure(this, error));
  }

  async #stop(): Promise<void> {
    const agent = this.#agent;
    this.#agent = undefined;
    await agent?.close();
    this.#isWelcome = false;
    this.#happened();
    if (this.#options.stateInMemory) return;
    this.#state?.close();
    this.#state = undefined;
  }

  async #reboot({ downMs = 0, containers = 'running' }: Reboot): Promise<void> {
    if (!this.#agent) return;
    // An agent that is only restarted says good-bye; a device that loses its power does not.
    if (containers !== 'running') this.#network.cut('off');
    await this.#stop();
    if (containers === 'ended') this.#runtime.endAll();
    if (containers === 'gone') this.#runtime.forgetAll();
    const { signal } = this.#closing;
    if (containers !== 'running') this.#boots += 1;
    await sleep(within(downMs, this.plan.draw('down')), undefined, { signal }).catch(() => {});
    if (this.#isLost || signal.aborted) return;
    this.#network.restore('off');
    this.#open();
  }

  /** Only the step that comes next has a timer. */
  #next(): void {
    const step = this.#steps.next().value as Step | undefined;
    if (!step) return;
    const delayMs = step.atMs - this.#options.elapsedMs();
    const take = () => {
      this.#take(step);
      if (!this.#isLost) this.#next();
    };
    if (delayMs <= 0) take();
    else this.#timer = setTimeout(take, delayMs);
  }

  #take(step: Step): void {
    switch (step.type) {
      case 'cut':
        this.#network.cut(step.reason);
        return;
      case 'restore':
        this.#network.restore(step.reason);
        return;
      case 'reboot':
        this.#tolerated(this.reboot(step.reboot));
        return;
      case 'vanish':
        this.#tolerated(this.vanish());
    }
  }

  #tolerated(task: Promise<void>): void {
    task.catch((error: Error) => this.#options.onFailure(this, error));
  }

  #vanishFor(image: string): void {
    const { lost } = this.plan.behaviour;
    if (!this.#isLost && lost?.image !== undefined && matches(lost.image, image))
      this.#tolerated(this.vanish());
    if (this.#isLost) throw new RuntimeError('engine-down', 'the device is lost');
  }

  #sent({ case: what, value }: UpMessage): void {
    if (what !== 'snapshotResult' || value.refusal) return;
    this.#held = value.held as Version;
    this.#happened();
  }

  #received({ body }: ConnectResponse): void {
    if (body.case === 'snapshot') this.#refusals = networkProbes(body.value);
    if (body.case !== 'welcome') return;
    this.#isWelcome = true;
    this.#happened();
  }

  #disconnected(): void {
    if (!this.#isWelcome) return;
    this.#isWelcome = false;
    this.#happened();
  }

  #happened(): void {
    for (const ask of [...this.#waiting]) ask();
  }

  #now(): number {
    const { behaviour, draw } = this.plan;
    return Date.now() + within(behaviour.clockOffsetMs ?? 0, draw('clock'));
  }

  #device(): Device {
    const { identity, transport, plan } = this.#options;
    return {
      runtime: this.#runtime,
      network: undefined, // there is nobody who would look its containers up
      links: linksOf(transport, identity).map((load) => async () => this.#network.through(await load())),
      hostIp: addressOf(plan.index),
      bootId: `${this.name}-${this.#boots}`,
      reboot: async () => {
        this.#tolerated(this.reboot({ downMs: REBOOT_MS, containers: 'ended' }));
        return undefined;
      },
      installation: undefined,
      end: () => {},
      now: () => this.#now(),
      facts: async () => FACTS,
      readings: undefined,
      serve: async () => () => {}, // nobody asks a simulated device on its own socket
    };
  }

  #config(): Config {
    const { dir, transport } = this.#options;
    return {
      dataDir: dir,
      runDir: join(dir, 'run'),
      nodeName: this.name,
      hub: undefined,
      token: undefined,
      tokenFile: undefined,
      joinFile: '',
      transport,
      dockerHost: '',
      registry: 'engine',
      imagePuller: 'engine',
      maxParallelImagePulls: SETTINGS.maxParallelImagePulls.fallback,
      imageGCHighThresholdPercent: SETTINGS.imageGCHighThresholdPercent.fallback,
      imageGCLowThresholdPercent: SETTINGS.imageGCLowThresholdPercent.fallback,
      imageMinimumGCAge: SETTINGS.imageMinimumGCAge.fallback,
      imagePaths: undefined,
      podSubnet: undefined,
      allowPrivileged: 'true',
      allowHostNetwork: 'true',
      allowedHostPaths: undefined,
      allowedDevices: undefined,
      devices: undefined,
      systemReserved: '',
      podPidsLimit: undefined,
      evictionHard: '',
      evictionPressureTransitionPeriod: SETTINGS.evictionPressureTransitionPeriod.fallback,
      allowedRegistries: undefined,
      allowedUnsafeSysctls: undefined,
      requireDigest: 'false',
      peerPort: undefined,
      bundlePaths: undefined,
      logLevel: '',
      output: 'text',
      rebootCommand: undefined,
      bootIdFile: '',
      staticPodPath: '',
    };
  }
}

/** Of the loopback, so that nothing ever leaves this machine; the devices' are others than the containers'. */
function addressOf(index: number): string {
  const number = index + 1;
  return `127.${64 + ((number >> 16) & 63)}.${(number >> 8) & 255}.${number & 255}`;
}
