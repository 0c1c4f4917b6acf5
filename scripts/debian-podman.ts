import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unmountBelow } from '../agent/pod/mount-points.ts';
import { debianLayer } from './debian-layer.ts';
import { DockerApi } from './docker-api.ts';
import { commandOf } from './processes.ts';
import { until } from './until.ts';

/** Podman gives itself no more than that. */
const [MOST_FILES, MOST_PROCESSES] = [1_048_576, 32_768];
const START_TIMEOUT_MS = 30_000;
/** What is Podman's among the processes that name its directory. */
const PROGRAMS = /(conmon|podman|aardvark-dns)$/;

/** By section and key, as containers.conf has them. */
type Settings = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

export interface PodmanOptions {
  /** Of containers.conf, beside what it must be told because it is not installed. */
  readonly settings?: Settings;
  /** Those that have no TLS, by name and port. */
  readonly registries?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Debian's Podman as `podman system service`, not installed, with a directory of its own for all that it keeps. What it shares
 * with the machine is the network: its bridges and rules are there while it has containers on them.
 */
export class DebianPodman {
  readonly dir = mkdtempSync(join(tmpdir(), 'hf-podman-'));
  readonly host = `unix://${this.dir}/podman.sock`;
  readonly #layer = debianLayer('podman');
  readonly #env: NodeJS.ProcessEnv;
  #service: ChildProcess | undefined;

  constructor({ settings = {}, registries = [], env = {} }: PodmanOptions = {}) {
    const policy = join(this.dir, 'home/.config/containers');
    for (const each of [policy, ...['data', 'run', 'tmp', 'networks'].map((name) => join(this.dir, name))])
      mkdirSync(each, { recursive: true });
    copyFileSync(join(this.#layer, 'etc/containers/policy.json'), join(policy, 'policy.json'));
    const known = registries.map((name) => `[[registry]]\nlocation = "${name}"\ninsecure = true\n`);
    const { NODE_EXTRA_CA_CERTS: _, ...inherited } = process.env;
    this.#env = {
      ...inherited,
      ...env,
      HOME: join(this.dir, 'home'),
      LD_LIBRARY_PATH: this.#libraries,
      CONTAINERS_REGISTRIES_CONF: this.#write('registries.conf', known.join('')),
      CONTAINERS_CONF: this.#write('containers.conf', formatSettings([this.#settings(), settings])),
    };
  }

  /** Of the service. */
  get pid(): number {
    return this.#service?.pid ?? Number.NaN;
  }

  /** Also after it was stopped. */
  async start(): Promise<void> {
    const storage = ['--root', join(this.dir, 'data'), '--runroot', join(this.dir, 'run')];
    const args = [...storage, 'system', 'service', '--time', '0', this.host];
    const service = spawn(join(this.#layer, 'usr/bin/podman'), args, {
      cwd: this.dir, // where conmon says that a container had no memory left
      stdio: ['ignore', 'ignore', 'pipe'],
      env: this.#env,
    });
    this.#service = service;
    let said = '';
    service.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said = `${said}${text}`.slice(-10_000);
    });
    const answers = () =>
      new DockerApi(this.host).ping().then(
        () => true,
        () => service.exitCode !== null,
      );
    await until(answers, START_TIMEOUT_MS);
    if (service.exitCode === null && service.pid !== undefined) return;
    throw new Error(`Podman does not start; it says:\n${said}`);
  }

  /** The service; containers need none. */
  async stop(): Promise<void> {
    const service = this.#service;
    this.#service = undefined;
    if (service?.exitCode === null && service.kill()) await once(service, 'exit');
  }

  /** All that run for it: the service, and what watches its containers; not what runs in them. */
  processes(): number[] {
    const pids = globSync('/proc/[0-9]*').map((path) => Number(path.slice('/proc/'.length)));
    return pids.filter((pid) => {
      const [program = '', ...args] = commandOf(pid) ?? [];
      return PROGRAMS.test(program) && args.join(' ').includes(`${this.dir}/`);
    });
  }

  /** What ran in it was removed before, by those who started it. */
  async close(): Promise<void> {
    await this.stop();
    // What watches over a container or a command outlives it, and begins Podman anew at its end.
    for (const pid of this.processes()) endIfThere(pid);
    await unmountBelow([this.dir]);
    rmSync(this.dir, { recursive: true, force: true, maxRetries: 50, retryDelay: 100 });
  }

  get #libraries(): string {
    return globSync(join(this.#layer, 'usr/lib/*-linux-gnu')).join(':');
  }

  #write(name: string, content: string): string {
    const file = join(this.dir, name);
    writeFileSync(file, content);
    return file;
  }

  #settings(): Settings {
    const limits = [`nofile=${ownLimit('Max open files', MOST_FILES)}`];
    limits.push(`nproc=${ownLimit('Max processes', MOST_PROCESSES)}`);
    return {
      containers: {
        seccomp_profile: join(this.#layer, 'usr/share/containers/seccomp.json'),
        default_ulimits: limits,
      },
      engine: {
        cgroup_manager: 'cgroupfs',
        events_logger: 'file',
        tmp_dir: join(this.dir, 'tmp'),
        runtime: 'runc',
        helper_binaries_dir: [join(this.#layer, 'usr/lib/podman')],
        conmon_path: [join(this.#layer, 'usr/bin/conmon')],
        // It runs Podman when a container has ended, and knows nothing of this process.
        conmon_env_vars: [`PATH=${process.env['PATH']}`, `LD_LIBRARY_PATH=${this.#libraries}`],
      },
      network: {
        network_backend: 'netavark',
        network_config_dir: join(this.dir, 'networks'),
      },
    };
  }
}

/** TOML, whose values are written nearly as in JSON. */
function formatSettings(all: readonly Settings[]): string {
  const sections = new Set(all.flatMap((settings) => Object.keys(settings)));
  const format = (section: string) =>
    all
      .flatMap((settings) => Object.entries(settings[section] ?? {}))
      .map(([key, value]) => `${key} = ${toml(value)}\n`)
      .join('');
  return [...sections].map((section) => `[${section}]\n${format(section)}`).join('');
}

function toml(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(toml).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const pairs = Object.entries(value).map(([key, each]) => `${key} = ${toml(each)}`);
  return `{ ${pairs.join(', ')} }`;
}

/** As many as this process may have: Podman's own numbers are more than some machines let their root give. */
function ownLimit(name: string, most: number): string {
  const [, hard = ''] =
    new RegExp(`^${name} +\\S+ +(\\S+)`, 'm').exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
  const number = Math.min(Number(hard) || most, most); // or it is "unlimited"
  return `${number}:${number}`;
}

function endIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {} // it has ended just now
}
