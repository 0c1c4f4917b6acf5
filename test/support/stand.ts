import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { unmountBelow } from '../../agent/pod/mount-points.ts';
import { ApiClient } from '../../hub/cli/api-client.ts';
import { kubectlPath } from '../../scripts/kubectl.ts';
import { removeBareNetworks } from './bare-networks.ts';
import type { Engine } from './engine.ts';
import { Wire } from './link-cut.ts';
import { Program } from './program.ts';

const HUB_ADDRESS = '127.0.0.1';
/** Devices reach the hub by this address, behind which is the wire that can be cut. */
const WIRE_ADDRESS = '127.0.0.2';

const FAULT_AT = join(import.meta.dirname, 'fault-at.ts');
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

interface Device {
  readonly node: string;
  readonly dir: string;
  readonly runDir: string;
}

export interface Ports {
  readonly api: number;
  readonly grpc: number;
  readonly mqtt: number;
}

/** A hub and a device as real processes, with a wire between them and a real engine below. */
export class Stand {
  readonly dir = mkdtempSync(join(tmpdir(), 'hf-stand-'));
  readonly node: string;
  readonly engine: Engine;
  readonly transport: 'mqtt' | 'grpc' | 'auto';
  #hub: Program | undefined;
  #agent: Program | undefined;
  #ports: Ports = { api: 0, grpc: 0, mqtt: 0 };
  #wires: Record<'grpc' | 'mqtt', Wire> | undefined;
  #api: ApiClient | undefined;
  readonly #hubFlags: readonly string[];
  /** Of agents that are started from now on, the environment that fault-at.ts reads. */
  faults: Readonly<Record<string, string>> | undefined;
  readonly #others = new Map<string, Program>(); // by node

  constructor(
    engine: Engine,
    transport: 'mqtt' | 'grpc' | 'auto',
    node: string,
    hubFlags: readonly string[] = [],
  ) {
    this.engine = engine;
    this.transport = transport;
    // Bridges, and who has which address, go by the names of nodes; engines share the machine's network.
    this.node = engine.kind === 'docker' ? node : `${node}-${engine.kind}-${process.pid}`;
    this.#hubFlags = hubFlags;
  }

  /** Hub up, device joined and connected. The flags are the agent's. */
  async start(...flags: string[]): Promise<void> {
    await this.startHub();
    const { grpc, mqtt } = this.#ports;
    this.#wires = {
      grpc: new Wire(WIRE_ADDRESS, HUB_ADDRESS, grpc),
      mqtt: new Wire(WIRE_ADDRESS, HUB_ADDRESS, mqtt),
    };
    await this.restoreLink();
    await this.#join(this.#device);
    await this.startAgent(...flags);
    await this.agent.line(/connected to the hub/);
  }

  /** On the ports that it had before, if it ran before. */
  async startHub(): Promise<void> {
    const { api, grpc, mqtt } = this.#ports;
    this.#hub = new Program('hub/main.ts', [
      'hub',
      ...['--data-dir', join(this.dir, 'hub'), '--bind-address', HUB_ADDRESS, '--tls-san', WIRE_ADDRESS],
      ...['--api-port', `${api}`, '--grpc-port', `${grpc}`, '--mqtt-port', `${mqtt}`],
      ...['--write-kubeconfig', this.kubeconfig, '--log-level', 'debug', ...this.#hubFlags],
    ]);
    const ready = JSON.parse(await this.#hub.line(/the hub is ready/)) as Ports;
    this.#ports = { api: ready.api, grpc: ready.grpc, mqtt: ready.mqtt };
    this.#api = ApiClient.fromKubeconfig(this.kubeconfig);
  }

  async startAgent(...flags: string[]): Promise<void> {
    this.#agent = this.runAgent('run', '--transport', this.transport, ...flags);
    await this.#agent.line(/the agent starts/);
  }

  runAgent(...args: string[]): Program {
    return this.#runAgent(this.#device, ...args);
  }

  /** One more device, with an agent process and data of its own, on the same engine. Resolves when it is connected. */
  async addDevice(node: string, dir = node): Promise<Program> {
    const device = { node, dir: join(this.dir, dir), runDir: join(this.dir, `${dir}-run`) };
    await this.#join(device);
    const agent = this.#runAgent(device, 'run', '--transport', this.transport);
    this.#others.set(node, agent);
    await agent.line(/connected to the hub/);
    return agent;
  }

  async #join(device: Device): Promise<void> {
    const token = `${device.dir}.token`;
    writeFileSync(token, await this.token(), { mode: 0o600 });
    const hub = `${WIRE_ADDRESS}:${this.#ports.grpc}`;
    const joining = this.#runAgent(device, 'join', '--hub', hub, '--token-file', token);
    if ((await joining.exit()) !== 0) throw new Error(`join failed: ${joining.lines.join('\n')}`);
  }

  #runAgent({ node, dir, runDir }: Device, ...args: string[]): Program {
    const settings = ['--data-dir', dir, '--run-dir', runDir, '--node-name', node];
    const all = [...args, ...settings, '--docker-host', this.engine.host];
    return this.faults
      ? new Program('agent/main.ts', all, this.faults, [`--import=${FAULT_AT}`])
      : new Program('agent/main.ts', all);
  }

  get #device(): Device {
    return { node: this.node, dir: this.agentDir, runDir: this.runDir };
  }

  get agentDir(): string {
    return join(this.dir, 'agent');
  }

  get runDir(): string {
    return join(this.dir, 'run');
  }

  get kubeconfig(): string {
    return join(this.dir, 'kubeconfig.yaml');
  }

  get ports(): Ports {
    return this.#ports;
  }

  get hub(): Program {
    if (!this.#hub) throw new Error('the hub was not started');
    return this.#hub;
  }

  get agent(): Program {
    if (!this.#agent) throw new Error('the agent was not started');
    return this.#agent;
  }

  /** As the administrator. */
  get api(): ApiClient {
    if (!this.#api) throw new Error('the hub was not started');
    return this.#api;
  }

  /** All of it, or one transport only. Resolves when both ends know that they are apart. */
  async cutLink(...transports: ('grpc' | 'mqtt')[]): Promise<void> {
    const [agentSaid, hubSaid] = [this.agent.lines.length, this.hub.lines.length];
    await this.#cut(transports);
    await Promise.all([
      this.agent.running ? this.agent.line(/no connection to the hub/, agentSaid) : undefined,
      this.hub.running ? this.hub.line(/node disconnected/, hubSaid) : undefined,
    ]);
  }

  async restoreLink(): Promise<void> {
    await Promise.all(Object.values(this.#wires ?? {}).map((wire) => wire.join()));
  }

  async #cut(transports: ('grpc' | 'mqtt')[]): Promise<void> {
    const wires = Object.entries(this.#wires ?? {});
    const cut = wires.filter(([name]) => transports.length === 0 || transports.some((each) => each === name));
    await Promise.all(cut.map(([, wire]) => wire.cut()));
  }

  /** The real kubectl. Resolves with what it printed; rejects with what it complained of. */
  async kubectl(...args: string[]): Promise<string> {
    const run = promisify(execFile);
    const env = { ...process.env, KUBECONFIG: this.kubeconfig };
    const { stdout } = await run(await kubectlPath(), args, {
      env,
      timeout: 90_000,
      maxBuffer: MAX_OUTPUT_BYTES,
    });
    return stdout;
  }

  async apply(manifest: object): Promise<void> {
    const file = join(this.dir, 'manifest.json');
    writeFileSync(file, JSON.stringify(manifest));
    await this.kubectl('apply', '-f', file);
  }

  /** A new join token. */
  async token(...args: string[]): Promise<string> {
    const program = new Program('hub/main.ts', ['token', 'create', '--kubeconfig', this.kubeconfig, ...args]);
    if ((await program.exit()) !== 0) throw new Error(program.lines.join('\n'));
    return program.lines.join('').trim();
  }

  async close(): Promise<void> {
    const agents = [this.#agent, ...this.#others.values()];
    await Promise.all(agents.map((agent) => agent?.end('SIGKILL')));
    await this.#hub?.end('SIGKILL');
    await this.#cut([]);
    if (await this.engine.answers()) {
      for (const node of new Set([this.node, ...this.#others.keys()])) await this.engine.removeAllOf(node);
    }
    await removeBareNetworks(this.dir);
    await unmountBelow([this.dir]); // of devices whose agents were killed
    rmSync(this.dir, { recursive: true, force: true });
  }
}
