import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApiClient } from '../../hub/cli/api-client.ts';
import { storeToken } from '../../hub/cli/token.ts';
import { PackageStore } from '../../hub/packages/package-store.ts';
import { newJoinToken } from '../../hub/security/join-tokens.ts';
import { Program } from './program.ts';

const TOKEN_TTL_MS = 600_000;

/** A hub as a process of its own, for devices that are installed from it. */
export class HubProgram {
  readonly dir = mkdtempSync(join(tmpdir(), 'hf-hub-'));
  #program: Program | undefined;
  #api: ApiClient | undefined;
  #ports = { api: 0, grpc: 0, mqtt: 0 };
  readonly #address: string;

  /** `address`: where it listens; its ports are its own there. */
  constructor(address = '127.0.0.1') {
    this.#address = address;
  }

  async start(): Promise<void> {
    const { api, grpc, mqtt } = this.#ports;
    this.#program = new Program('hub/main.ts', [
      ...[
        'hub',
        '--data-dir',
        this.dataDir,
        '--bind-address',
        this.#address,
        '--write-kubeconfig',
        this.kubeconfig,
      ],
      ...['--api-port', `${api}`, '--grpc-port', `${grpc}`, '--mqtt-port', `${mqtt}`],
    ]);
    this.#ports = JSON.parse(await this.#program.line(/the hub is ready/)) as HubProgram['ports'];
    this.#api = ApiClient.fromKubeconfig(this.kubeconfig);
  }

  get ports() {
    return this.#ports;
  }

  get dataDir(): string {
    return join(this.dir, 'hub');
  }

  get kubeconfig(): string {
    return join(this.dir, 'kubeconfig.yaml');
  }

  get packages(): PackageStore {
    return new PackageStore(this.dataDir);
  }

  get url(): string {
    return `https://${this.#address}:${this.#ports.api}`;
  }

  /** As the administrator. */
  get api(): ApiClient {
    if (!this.#api) throw new Error('the hub was not started');
    return this.#api;
  }

  get caCertificate(): string {
    return this.api.caCertificate;
  }

  token(settings: { ttlMs?: number; uses?: number; approval?: 'manual' } = {}): Promise<string> {
    const whole = { ttlMs: TOKEN_TTL_MS, uses: 1, description: '', ...settings };
    return storeToken(this.api, newJoinToken(whole, Date.now()));
  }

  async stop(): Promise<void> {
    await this.#program?.end('SIGKILL');
  }

  async close(): Promise<void> {
    await this.stop();
    rmSync(this.dir, { recursive: true, force: true });
  }
}
