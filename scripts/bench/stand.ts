import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AGENT, HUB } from '../bundle.ts';
import { files } from '../local-files.ts';
import { AGENT_FLAGS, agentEnvironment, HUB_FLAGS } from '../local-processes.ts';
import { HubApi } from './hub-api.ts';
import { PodWatch } from './pod-watch.ts';
import { Program } from './program.ts';
import type { RawEngine } from './raw-engine.ts';

export type Transport = 'mqtt' | 'grpc';

const ADDRESS = '127.0.0.1';

interface StandOptions {
  readonly transport: Transport;
  readonly engine: RawEngine;
  readonly dockerHost: string;
  /** Where hub and agent leave processor profiles; they log in detail then. */
  readonly profileDir?: string;
}

/** A hub and a device of its own, both from their bundles, with the flags that `npm start` gives them. */
export class Stand {
  readonly transport: Transport;
  readonly node: string;
  readonly #options: StandOptions;
  readonly #dir = mkdtempSync(join(tmpdir(), 'hf-bench-'));
  #hub: Program | undefined;
  #client: { api: HubApi; pods: PodWatch } | undefined;
  #agent: Program | undefined;

  private constructor(options: StandOptions) {
    this.#options = options;
    this.transport = options.transport;
    this.node = `bench-${this.#dir.slice(-6).toLowerCase()}`;
  }

  /** Resolves when the hub is up and the device connected. */
  static async start(options: StandOptions): Promise<Stand> {
    const stand = new Stand(options);
    try {
      await stand.#start();
      return stand;
    } catch (error) {
      await stand.close();
      throw error;
    }
  }

  async #start(): Promise<void> {
    this.#hub = this.#startHub();
    const ready = JSON.parse((await this.#hub.line('"the hub is ready"')).text) as { grpc: number };
    const api = new HubApi(this.kubeconfig);
    this.#client = { api, pods: await PodWatch.open(api) };
    await this.#join(ready.grpc);
    await this.startAgent().line('"connected to the hub"');
  }

  get kubeconfig(): string {
    return join(this.#dir, 'kubeconfig.yaml');
  }

  get dir(): string {
    return this.#dir;
  }

  /** What the agent stores. */
  get dataDir(): string {
    return join(this.#dir, 'agent');
  }

  get runDir(): string {
    return join(this.#dir, 'run');
  }

  get hub(): Program {
    return running(this.#hub);
  }

  get api(): HubApi {
    return running(this.#client).api;
  }

  get pods(): PodWatch {
    return running(this.#client).pods;
  }

  get agent(): Program {
    return running(this.#agent);
  }

  startAgent(): Program {
    const { dockerHost, transport } = this.#options;
    this.#agent = this.#agentProgram('run', `--transport=${transport}`, `--docker-host=${dockerHost}`);
    return this.#agent;
  }

  /** Resolves when it is connected: it is as one of a device that has just booted, its pods running. */
  async restartAgent(): Promise<void> {
    await this.agent.end();
    await this.startAgent().line('"connected to the hub"');
  }

  async close(): Promise<void> {
    this.#client?.pods.stop();
    this.#client?.api.close();
    await this.#agent?.end();
    await this.#hub?.end();
    if (this.#options.profileDir) this.#keepLogs(this.#options.profileDir);
    await this.#options.engine.removeAll(`holdfast.dev/node=${this.node}`);
    rmSync(this.#dir, { recursive: true, force: true });
  }

  #startHub(): Program {
    const settings = {
      'data-dir': join(this.#dir, 'hub'),
      'bind-address': ADDRESS,
      'api-port': 0,
      'grpc-port': 0,
      'mqtt-port': 0,
      'write-kubeconfig': this.kubeconfig,
      ...this.#logLevel,
    };
    const args = [...HUB_FLAGS, ...this.#profile, HUB, 'hub', ...flags(settings)];
    return new Program(args, { NODE_COMPILE_CACHE: join(files.home, '../.bench/cache') });
  }

  async #join(grpcPort: number): Promise<void> {
    const token = new Program([...HUB_FLAGS, HUB, 'token', 'create', `--kubeconfig=${this.kubeconfig}`]);
    await token.exit();
    const tokenFile = join(this.#dir, 'token');
    writeFileSync(tokenFile, token.said.trim(), { mode: 0o600 });
    const joining = this.#agentProgram('join', `--hub=${ADDRESS}:${grpcPort}`, `--token-file=${tokenFile}`);
    await joining.line('"joined"');
    await joining.exit();
  }

  #agentProgram(command: string, ...args: string[]): Program {
    const settings = {
      'data-dir': this.dataDir,
      'run-dir': this.runDir,
      'node-name': this.node,
      ...this.#logLevel,
    };
    const profile = command === 'run' ? this.#profile : [];
    const all = [...AGENT_FLAGS, ...profile, AGENT, command, ...args, ...flags(settings)];
    return new Program(all, agentEnvironment() as Record<string, string>);
  }

  get #logLevel() {
    return this.#options.profileDir ? { 'log-level': 'debug' } : {};
  }

  get #profile(): string[] {
    const { profileDir } = this.#options;
    return profileDir ? ['--cpu-prof', `--cpu-prof-dir=${profileDir}`, '--cpu-prof-interval=500'] : [];
  }

  #keepLogs(dir: string): void {
    mkdirSync(dir, { recursive: true });
    writeFileSync(join(dir, `${this.node}-${this.transport}-hub.log`), this.#hub?.said ?? '');
    writeFileSync(join(dir, `${this.node}-${this.transport}-agent.log`), this.#agent?.said ?? '');
  }
}

function flags(settings: Readonly<Record<string, string | number>>): string[] {
  return Object.entries(settings).map(([name, value]) => `--${name}=${value}`);
}

function running<T>(part: T | undefined): T {
  if (part === undefined) throw new Error('this part of the stand was not started');
  return part;
}
