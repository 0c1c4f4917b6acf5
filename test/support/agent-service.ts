import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { until } from './until.ts';

/** What a service manager does, for as long as it runs: the agent, and again when it has ended. */
const MANAGER = 'while kill -0 $PPID; do "$@"; echo "{\\"ended\\":$?}"; sleep 0.2; done';

/** An agent that is installed on a device, started again whenever it ends. */
export class AgentService {
  readonly lines: string[] = [];
  readonly dir: string;
  readonly #program: string;
  readonly #node: string;
  readonly #flags: readonly string[];
  #manager: ChildProcess | undefined;

  /** `program`: bin/holdfast-agent of what is installed. `dir`: where its data is, and what it needs while it runs. */
  constructor(
    program: string,
    node: string,
    flags: readonly string[] = [],
    dir = mkdtempSync(join(tmpdir(), 'hf-service-')),
  ) {
    this.#program = program;
    this.#node = node;
    this.#flags = flags;
    this.dir = dir;
    mkdirSync(this.dataDir, { recursive: true });
  }

  get dataDir(): string {
    return join(this.dir, 'data');
  }

  get slots(): string {
    return join(this.dataDir, 'slots');
  }

  /** Runs a command of the program. Resolves with what it said; rejects when it fails. */
  async command(name: string, ...args: string[]): Promise<string> {
    const child = spawn(this.#program, [name, ...args, ...this.#settings], { env: ENVIRONMENT });
    let said = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        said += text;
      });
    const [code] = (await once(child, 'close')) as [number];
    if (code !== 0) throw new Error(`holdfast-agent ${name} ended with ${code}: ${said}`);
    return said;
  }

  async join(grpcPort: number, token: string): Promise<void> {
    const file = join(this.dir, 'token');
    writeFileSync(file, token, { mode: 0o600 });
    await this.command('join', '--hub', `127.0.0.1:${grpcPort}`, '--token-file', file);
  }

  start(): void {
    const args = ['-c', MANAGER, 'service', this.#program, 'run', ...this.#settings, ...this.#flags];
    // A group of its own: it ends with all that it started.
    this.#manager = spawn('sh', args, {
      env: ENVIRONMENT,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.#manager.stdout, this.#manager.stderr])
      if (stream) createInterface({ input: stream }).on('line', (line) => this.lines.push(line));
  }

  /** The agent's process, if it runs now; not the shell that watches it. */
  get pid(): number | undefined {
    const own = this.dataDir;
    const isAgent = (name: string) => {
      const words = textOf(`/proc/${name}/cmdline`).split('\0');
      return words[0]?.endsWith('/lib/node') && words.includes('run') && words.includes(own);
    };
    const found = readdirSync('/proc').find((name) => /^\d+$/.test(name) && isAgent(name));
    return found === undefined ? undefined : Number(found);
  }

  /** The first line that matches, now or later. */
  line(pattern: RegExp, from = 0, timeoutMs = 60_000): Promise<string> {
    return until(
      `the agent says ${pattern}`,
      () => this.lines.slice(from).find((line) => pattern.test(line)),
      timeoutMs,
    ).catch((error: Error) => {
      throw new Error(`${error.message}; it said:\n${this.lines.slice(from).join('\n')}`);
    });
  }

  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    const { pid } = this;
    if (pid !== undefined) process.kill(pid, signal);
  }

  /** With the manager: nothing of it runs when it resolves. */
  async stop(): Promise<void> {
    const manager = this.#manager;
    this.#manager = undefined;
    if (!manager?.pid) return;
    const ended = once(manager, 'exit');
    process.kill(-manager.pid, 'SIGKILL');
    await ended;
  }

  async close(): Promise<void> {
    await this.stop();
    rmSync(this.dir, { recursive: true, force: true });
  }

  get #settings(): string[] {
    return ['--data-dir', this.dataDir, '--run-dir', join(this.dir, 'run'), '--node-name', this.#node];
  }
}

const ENVIRONMENT = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' };

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return ''; // it has ended
  }
}
