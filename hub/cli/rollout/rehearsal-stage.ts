import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { makeWorkDirectory } from '../../../proto/work-directory.ts';
import { ApiClient } from '../api-client.ts';
import { SIMULATED_PREFIX } from './rehearsal-plan.ts';

const HOST = '127.0.0.1';
const HUB_START_MS = 60_000;
/** Those who have not ended by then are killed. */
const END_MS = 10_000;
const LINES_TOLD = 5;
/** Seconds: the devices and the hub are on one machine. */
const NODE_GRACE = '2';

/** A hub of its own and devices, each a process, in a directory that goes with them. */
export class RehearsalStage {
  readonly #dir = makeWorkDirectory(tmpdir(), 'holdfast-rehearsal-');
  readonly #children: ChildProcess[] = [];
  #grpcPort = 0;

  get kubeconfig(): string {
    return join(this.#dir, 'kubeconfig.yaml');
  }

  async startHub(signal: AbortSignal): Promise<ApiClient> {
    const ports = ['api', 'grpc', 'mqtt'].flatMap((name) => [`--${name}-port`, '0']);
    const places = ['--data-dir', join(this.#dir, 'hub'), '--write-kubeconfig', this.kubeconfig];
    const others = ['--bind-address', HOST, '--node-monitor-grace-period', NODE_GRACE];
    const args = [programFile(), 'hub', ...places, ...ports, ...others];
    const ready = await this.#start(
      args,
      /"the hub is ready"/,
      AbortSignal.any([signal, AbortSignal.timeout(HUB_START_MS)]),
    );
    this.#grpcPort = (JSON.parse(ready) as { grpc: number }).grpc;
    return ApiClient.fromKubeconfig(this.kubeconfig);
  }

  /** Resolves when all are connected that the scenario lets connect. */
  async startDevices(count: number, scenario: object, seed: string, signal: AbortSignal): Promise<void> {
    const file = join(this.#dir, 'scenario.json');
    writeFileSync(file, JSON.stringify(scenario), { mode: 0o600 });
    const args = [
      ...[simulatorFile(), '--kubeconfig', this.kubeconfig, '--hub', `${HOST}:${this.#grpcPort}`],
      ...['--ca-file', join(this.#dir, 'hub', 'ca.json'), '--devices', `${count}`, '--scenario', file],
      ...['--seed', seed, '--name-prefix', SIMULATED_PREFIX],
    ];
    await this.#start(args, /the fleet is up/, signal);
  }

  /** Ends all that it started, and removes what they wrote. */
  async close(): Promise<void> {
    for (const child of this.#children.toReversed()) await ended(child);
    rmSync(this.#dir, { recursive: true, force: true });
  }

  /** At once, where nothing can be awaited. */
  kill(): void {
    for (const child of this.#children) child.kill('SIGKILL');
    rmSync(this.#dir, { recursive: true, force: true });
  }

  /** Resolves with the first line that matches; rejects with what it said when it ends before. */
  async #start(args: readonly string[], pattern: RegExp, signal: AbortSignal): Promise<string> {
    const child = spawn(process.execPath, [...process.execArgv, ...args], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'], // closed when this process ends, however it ends: then they end too
      env: { TMPDIR: this.#dir }, // what is set for another hub must not be this one's
    });
    this.#children.push(child);
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const last: string[] = [];
    const hear = (line: string) => {
      last.push(line);
      if (last.length > LINES_TOLD) last.shift();
      if (pattern.test(line)) resolve(line);
    };
    for (const stream of [child.stdout, child.stderr])
      if (stream) createInterface({ input: stream }).on('line', hear);
    child.once('error', reject);
    child.once('exit', () => reject(new Error(`what the rehearsal runs on has ended: ${last.join('\n')}`)));
    const abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    try {
      return await promise;
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  child.once('exit', () => resolve());
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), END_MS);
  await promise;
  clearTimeout(timer);
}

/** This program: its bundle, or its source. */
function programFile(): string {
  return realpathSync(process.argv[1] ?? '');
}

/** Beside this program in the bundle. Throws where it was not installed. */
function simulatorFile(): string {
  const here = dirname(programFile());
  const places = [join(here, 'fleet-sim.mjs'), join(here, '../scripts/fleet-sim/main.ts')];
  const found = places.find((file) => existsSync(file));
  if (found) return found;
  throw new Error(
    `the fleet simulator is not installed: "${places[0]}" is missing; install the whole bundle of the hub`,
  );
}
