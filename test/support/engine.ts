import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Docker from 'dockerode';
import { digestOfTag } from '../../agent/runtime/digest-tag.ts';
import { until } from './until.ts';

/** A container as tests look at it. */
export interface SeenContainer {
  readonly id: string;
  readonly pod: string;
  readonly container: string;
  readonly running: boolean;
  readonly image: string;
}

/** A Docker engine, and what tests do to it behind the agent's back. */
export class Engine {
  readonly kind: 'docker' | 'podman' = 'docker';
  readonly host: string;
  readonly docker: Docker;

  constructor(host: string) {
    this.host = host;
    this.docker = new Docker({ socketPath: host.replace('unix://', '') });
  }

  /** The pods' containers of a node (not those that only hold networks), by name and attempt. */
  async containers(node: string, { all = false } = {}): Promise<SeenContainer[]> {
    const found = await this.docker.listContainers({
      all,
      filters: { label: [`holdfast.dev/node=${node}`] },
    });
    return found
      .filter(({ Labels }) => Labels['holdfast.dev/role'] === 'container')
      .map(({ Id, Labels, State, Image }) => ({
        id: Id,
        pod: Labels['holdfast.dev/pod.name'] ?? '',
        container: Labels['holdfast.dev/container'] ?? '',
        running: State === 'running',
        image: digestOfTag(Image) ?? Image,
      }))
      .sort((a, b) => (a.pod + a.id < b.pod + b.id ? -1 : 1));
  }

  /** Runs a command in a container. Resolves with what it printed, without the line's end; rejects when it fails. */
  async exec(id: string, ...command: string[]): Promise<string> {
    const settings = { Cmd: command, AttachStdout: true, AttachStderr: true, Tty: true };
    const exec = await this.docker.getContainer(id).exec(settings);
    let output = '';
    for await (const chunk of await exec.start({ Tty: true })) output += chunk;
    const { ExitCode } = await exec.inspect();
    if (ExitCode !== 0) throw new Error(`${command.join(' ')} ended with ${ExitCode}: ${output}`);
    return output.replaceAll('\r\n', '\n').trimEnd();
  }

  async kill(id: string): Promise<void> {
    await this.docker.getContainer(id).kill({ signal: 'SIGKILL' });
  }

  /** Resolves when it is gone, also when an agent was removing it just then. */
  async remove(id: string): Promise<void> {
    const container = this.docker.getContainer(id);
    await until(`container ${id} is gone`, async () => {
      await container.remove({ force: true, v: true }).catch(ignoreGoing);
      return container.inspect().then(
        () => false,
        (error: { statusCode?: number }) => error.statusCode === 404,
      );
    });
  }

  /** Containers, and the network that they were on. */
  async removeAllOf(node: string): Promise<void> {
    const filters = { label: [`holdfast.dev/node=${node}`] };
    const found = await this.docker.listContainers({ all: true, filters });
    await Promise.all(found.map(({ Id }) => this.remove(Id)));
    const networks = await this.docker.listNetworks({ filters: JSON.stringify(filters) });
    await Promise.all(networks.map(({ Id }) => this.docker.getNetwork(Id).remove().catch(ignoreGoing)));
  }

  answers(): Promise<boolean> {
    return this.docker.ping().then(
      () => true,
      () => false,
    );
  }
}

/** An engine of a test's own, which it may stop and start: its own data, socket and bridge. */
export class PrivateEngine extends Engine {
  readonly #dir: string;
  readonly #bridge: string;
  readonly #subnet: string;
  /** Of the networks that devices have made there: two engines that choose at the same moment may choose the same. */
  readonly #pool: string;
  #pid = 0;

  /** `number` tells engines of tests that run at once apart: 1 to 250. */
  constructor(number: number) {
    const dir = mkdtempSync(join(tmpdir(), 'hf-engine-'));
    super(`unix://${dir}/docker.sock`);
    this.#dir = dir;
    this.#bridge = `hftest${number}`;
    this.#subnet = `10.213.${number}.1/24`;
    this.#pool = `base=10.215.${number}.0/24,size=26`;
    mkdirSync(join(dir, 'data'));
  }

  async start(): Promise<void> {
    ip('link', 'show', this.#bridge) ?? ip('link', 'add', this.#bridge, 'type', 'bridge');
    ip('addr', 'replace', this.#subnet, 'dev', this.#bridge);
    ip('link', 'set', this.#bridge, 'up');
    // Another engine of this machine may have forbidden all forwarding that is not its own.
    for (const rule of this.#amongContainers) run('iptables', '-I', 'FORWARD', ...rule);
    const options = {
      'data-root': join(this.#dir, 'data'),
      'exec-root': join(this.#dir, 'exec'),
      pidfile: join(this.#dir, 'docker.pid'),
      host: this.host,
      bridge: this.#bridge,
      'default-address-pool': this.#pool,
      iptables: 'false',
      'ip-masq': 'false',
    };
    const args = Object.entries(options).map(([name, value]) => `--${name}=${value}`);
    const child = spawn('dockerd', args, { stdio: 'ignore' });
    this.#pid = child.pid ?? 0;
    await until('the private engine answers', () => this.answers());
  }

  get pid(): number {
    return this.#pid;
  }

  /** After it was killed. Its containers end, unless they have ended with it. */
  async startAgain(): Promise<void> {
    await until('the private engine is dead', () => !isAlive(this.#pid));
    this.#unmount();
    // Its containerd died with it. Where nobody reaps that, the next engine takes it for alive and waits for it.
    rmSync(join(this.#dir, 'exec/containerd/containerd.pid'), { force: true });
    await this.start();
  }

  /** As `systemctl stop docker` does it: its containers end. */
  async stop(): Promise<void> {
    if (this.#pid === 0) return;
    const pid = this.#pid;
    this.#pid = 0;
    process.kill(pid, 'SIGTERM');
    await until('the private engine has stopped', () => !isAlive(pid));
    this.#unmount();
  }

  /**
   * An engine that ends at a bad moment leaves root filesystems mounted. Started anew it would mount its data over them,
   * and could never remove those containers: a machine that was really restarted has none of it.
   */
  #unmount(): void {
    const mounted = readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .map((line) => line.split(' ')[4] ?? '')
      .filter((path) => path.startsWith(`${this.#dir}/`));
    for (const path of mounted.toReversed()) run('umount', '--lazy', path);
  }

  /** On its own bridge, and on those of devices' pods. */
  get #amongContainers(): string[][] {
    return [this.#bridge, 'hf-+'].map((bridge) => ['-i', bridge, '-o', bridge, '-j', 'ACCEPT']);
  }

  async close(): Promise<void> {
    await this.stop();
    for (const rule of this.#amongContainers) run('iptables', '-D', 'FORWARD', ...rule);
    ip('link', 'delete', this.#bridge);
    // What was mounted for its containers goes a moment after they have ended.
    rmSync(this.#dir, { recursive: true, force: true, maxRetries: 50, retryDelay: 100 });
  }
}

/** 404: gone; 409: somebody else is removing it. */
function ignoreGoing(error: { statusCode?: number }): void {
  if (error.statusCode !== 404 && error.statusCode !== 409) throw error;
}

function ip(...args: string[]): string | undefined {
  return run('ip', ...args);
}

/** Its output, or undefined when it fails. */
function run(program: string, ...args: string[]): string | undefined {
  try {
    return execFileSync(program, args, { stdio: ['ignore', 'pipe', 'ignore'] }).toString();
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
