import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ApiClient } from '../../hub/cli/api-client.ts';
import { kubectlPath } from '../../scripts/kubectl.ts';
import type { Engine } from './engine.ts';
import { Wire } from './link-cut.ts';
import { Program } from './program.ts';

const HUB_ADDRESS = '127.0.0.1';
/** Devices reach the hub by this address, behind which is the wire that can be cut. */
const WIRE_ADDRESS = '127.0.0.2';

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
  #wires: Wire[] = [];
  #api: ApiClient | undefined;

  constructor(engine: Engine, transport: 'mqtt' | 'grpc' | 'auto', node: string) {
    this.engine = engine;
    this.transport = transport;
    this.node = node;
  }

  /** Hub up, device joined and connected. */
  async start(): Promise<void> {
    await this.startHub();
    this.#wires = [this.#ports.grpc, this.#ports.mqtt].map(
      (port) => new Wire(WIRE_ADDRESS, HUB_ADDRESS, port),
    );
    await this.restoreLink();
    writeFileSync(join(this.dir, 'token'), await this.token(), { mode: 0o600 });
    const join_ = this.runAgent(
      'join',
      '--hub',
      `${WIRE_ADDRESS}:${this.#ports.grpc}`,
      '--token-file',
      join(this.dir, 'token'),
    );
    if ((await join_.exit()) !== 0) throw new Error(`join failed: ${join_.lines.join('\n')}`);
    await this.startAgent();
    await this.agent.line(/connected to the hub/);
  }

  /** On the ports that it had before, if it ran before. */
  async startHub(): Promise<void> {
    const { api, grpc, mqtt } = this.#ports;
    this.#hub = new Program('hub/main.ts', [
      'hub',
      ...['--data-dir', join(this.dir, 'hub'), '--bind-address', HUB_ADDRESS, '--tls-san', WIRE_ADDRESS],
      ...['--api-port', `${api}`, '--grpc-port', `${grpc}`, '--mqtt-port', `${mqtt}`],
      ...['--write-kubeconfig', this.kubeconfig, '--log-level', 'debug'],
    ]);
    const ready = JSON.parse(await this.#hub.line(/the hub is ready/)) as Ports;
    this.#ports = { api: ready.api, grpc: ready.grpc, mqtt: ready.mqtt };
    this.#api = ApiClient.fromKubeconfig(this.kubeconfig);
  }

  async startAgent(): Promise<void> {
    this.#agent = this.runAgent('run', '--transport', this.transport);
    await this.#agent.line(/the agent starts/);
  }

  runAgent(...args: string[]): Program {
    const settings = [
      '--data-dir',
      this.agentDir,
      '--run-dir',
      join(this.dir, 'run'),
      '--node-name',
      this.node,
    ];
    return new Program('agent/main.ts', [...args, ...settings, '--docker-host', this.engine.host]);
  }

  get agentDir(): string {
    return join(this.dir, 'agent');
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

  /** Resolves when both ends know that they are apart. */
  async cutLink(): Promise<void> {
    const [agentSaid, hubSaid] = [this.agent.lines.length, this.hub.lines.length];
    await Promise.all(this.#wires.map((wire) => wire.cut()));
    await Promise.all([
      this.agent.running ? this.agent.line(/no connection to the hub/, agentSaid) : undefined,
      this.hub.running ? this.hub.line(/node disconnected/, hubSaid) : undefined,
    ]);
  }

  async restoreLink(): Promise<void> {
    await Promise.all(this.#wires.map((wire) => wire.join()));
  }

  /** The real kubectl. Resolves with what it printed; rejects with what it complained of. */
  async kubectl(...args: string[]): Promise<string> {
    const run = promisify(execFile);
    const env = { ...process.env, KUBECONFIG: this.kubeconfig };
    const { stdout } = await run(await kubectlPath(), args, { env, timeout: 60_000 });
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
    await this.#agent?.end('SIGKILL');
    await this.#hub?.end('SIGKILL');
    await Promise.all(this.#wires.map((wire) => wire.cut()));
    if (await this.engine.answers()) await this.engine.removeAllOf(this.node);
    rmSync(this.dir, { recursive: true, force: true });
  }
}
