import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ApiClient } from '../../../hub/cli/api-client.ts';
import { HUB } from '../../bundle.ts';
import type { Scenario } from '../../fleet-sim/scenario.ts';
import { ROOT } from '../../local-files.ts';
import { HUB_FLAGS } from '../../local-processes.ts';
import { until } from '../../until.ts';
import { Program } from '../program.ts';
import { timed } from '../turns.ts';

const ADDRESS = '127.0.0.1';
const PATIENCE_MS = 600_000;

/** A hub from its bundle and simulated devices in a process of their own, on the same machine. */
export class FleetStand {
  readonly #dir = mkdtempSync(join(tmpdir(), 'hf-bench-rollout-'));
  readonly devices: number;
  readonly hub: Program;
  #fleet: Program | undefined;
  #api: ApiClient | undefined;

  private constructor(devices: number, profileDir: string | undefined) {
    this.devices = devices;
    const profile = profileDir ? ['--cpu-prof', `--cpu-prof-dir=${profileDir}`] : [];
    const settings = [
      ...[`--data-dir=${join(this.#dir, 'hub')}`, `--bind-address=${ADDRESS}`],
      ...['--api-port=0', '--grpc-port=0', '--mqtt-port=0', `--write-kubeconfig=${this.kubeconfig}`],
    ];
    this.hub = new Program([...HUB_FLAGS, ...profile, HUB, 'hub', ...settings]);
  }

  /** Resolves when all devices are connected that are not dark. */
  static async start(devices: number, scenario: Scenario, profileDir?: string): Promise<FleetStand> {
    const stand = new FleetStand(devices, profileDir);
    const { text } = await stand.hub.line('"the hub is ready"');
    const { grpc } = JSON.parse(text) as { grpc: number };
    const scenarioFile = join(stand.#dir, 'scenario.json');
    writeFileSync(scenarioFile, JSON.stringify(scenario));
    stand.#fleet = new Program([
      join(ROOT, 'scripts/fleet-sim/main.ts'),
      ...['--kubeconfig', stand.kubeconfig, '--devices', `${devices}`, '--hub', `${ADDRESS}:${grpc}`],
      ...['--scenario', scenarioFile, '--seed', '1', '--ca-file', join(stand.#dir, 'hub/ca.json')],
    ]);
    await stand.#fleet.line('the fleet is up');
    return stand;
  }

  get kubeconfig(): string {
    return join(this.#dir, 'kubeconfig.yaml');
  }

  get api(): ApiClient {
    this.#api ??= ApiClient.fromKubeconfig(this.kubeconfig);
    return this.#api;
  }

  async get<T>(path: string): Promise<T | undefined> {
    return (await this.api.call('GET', path).catch(() => undefined)) as T | undefined;
  }

  /** Resolves with what `found` found. */
  async until<T>(what: string, found: () => Promise<T | undefined>): Promise<T> {
    const seen = await until(found, PATIENCE_MS);
    if (seen === undefined) throw new Error(`waited in vain until ${what}`);
    return seen as T;
  }

  /** An operator's command, as a process of its own: how many ms it takes. Rejects when it has failed. */
  async command(...args: readonly string[]): Promise<number> {
    const program = [...HUB_FLAGS, HUB, ...args, '--kubeconfig', this.kubeconfig];
    const env = { ...process.env, NODE_COMPILE_CACHE: join(this.#dir, 'cache') };
    return timed(() => promisify(execFile)(process.execPath, program, { env }));
  }

  async close(): Promise<void> {
    await this.#fleet?.end('SIGKILL');
    await this.hub.end();
    rmSync(this.#dir, { recursive: true, force: true });
  }
}
