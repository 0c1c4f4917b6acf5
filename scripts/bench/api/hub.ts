import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HUB } from '../../bundle.ts';
import { files } from '../../local-files.ts';
import { HUB_FLAGS } from '../../local-processes.ts';
import { type Credentials, credentialsOf } from '../credentials.ts';
import { Program } from '../program.ts';
import { Connection } from './connection.ts';

const ADDRESS = '127.0.0.1';

/** A hub from its bundle, without devices, in a process and a directory of its own. */
export class BenchHub {
  readonly #dir = mkdtempSync(join(tmpdir(), 'hf-bench-api-'));
  readonly #profileDir: string | undefined;
  #program: Program | undefined;

  private constructor(profileDir: string | undefined) {
    this.#profileDir = profileDir;
  }

  static async start(profileDir?: string): Promise<BenchHub> {
    const hub = new BenchHub(profileDir);
    await hub.#start();
    return hub;
  }

  get program(): Program {
    if (!this.#program) throw new Error('the hub was not started');
    return this.#program;
  }

  /** Ends it and starts it on the same data. Resolves with the ms until `readyz` was answered. */
  async restart(): Promise<number> {
    await this.program.end();
    const startedAt = performance.now();
    await this.#start();
    const connection = await Connection.open(this.credentials);
    const { status } = await connection.request('GET', '/readyz');
    connection.close();
    if (status !== 200) throw new Error(`readyz answered ${status}`);
    return performance.now() - startedAt;
  }

  connect(): Promise<Connection> {
    return Connection.open(this.credentials);
  }

  get credentials(): Credentials {
    return credentialsOf(this.#kubeconfig);
  }

  async close(): Promise<void> {
    await this.#program?.end();
    rmSync(this.#dir, { recursive: true, force: true });
  }

  get #kubeconfig(): string {
    return join(this.#dir, 'kubeconfig.yaml');
  }

  async #start(): Promise<void> {
    const profile = this.#profileDir ? ['--cpu-prof', `--cpu-prof-dir=${this.#profileDir}`] : [];
    const settings = [
      ...[`--data-dir=${join(this.#dir, 'hub')}`, `--bind-address=${ADDRESS}`],
      ...['--api-port=0', '--grpc-port=0', '--mqtt-port=0', `--write-kubeconfig=${this.#kubeconfig}`],
    ];
    const cache = { NODE_COMPILE_CACHE: join(files.home, '../.bench/cache') };
    this.#program = new Program([...HUB_FLAGS, ...profile, HUB, 'hub', ...settings], cache);
    await this.#program.line('"the hub is ready"');
  }
}
