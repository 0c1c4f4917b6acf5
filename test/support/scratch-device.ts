import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

export interface Outcome {
  readonly code: number;
  readonly out: string;
  /** The lines on standard error. */
  readonly err: readonly string[];
}

export interface InstallOptions {
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** What reads the script: `sh`. */
  readonly shell?: readonly string[];
  /** What the whole pipe is run by. */
  readonly within?: readonly string[];
}

/** Which hub a device is installed from. */
export interface InstallSource {
  readonly url: string;
  readonly caCertificate: string;
}

/** A directory that is a device's root, with the script of a hub and real processes. */
export class ScratchDevice {
  readonly root: string;
  readonly node: string;
  readonly source: InstallSource;
  readonly #isOwn: boolean;

  /** `root`: one that is there already. */
  constructor(node: string, source: InstallSource, root?: string) {
    this.node = node;
    this.source = source;
    this.root = root ?? mkdtempSync(join(tmpdir(), 'hf-device-'));
    this.#isOwn = root === undefined;
    for (const dir of ['usr/local/bin', 'usr/local/lib', 'etc', 'var/lib', 'var/log', 'run'])
      mkdirSync(join(this.root, dir), { recursive: true });
  }

  at(path: string): string {
    return join(this.root, path);
  }

  /** As the documentation has it: `curl … /install.sh | sh -s - FLAGS`. */
  install({ flags = [], env = {}, shell = ['sh'], within = [] }: InstallOptions = {}): Promise<Outcome> {
    const ca = `${this.root}.ca.crt`;
    writeFileSync(ca, this.source.caCertificate);
    const line = `curl -sfL --cacert "$0" "$1/install.sh" | { shift; ${shell.join(' ')} -s - "$@"; }`;
    return this.run([...within, 'sh', '-c', line, ca, this.source.url, ...flags], env);
  }

  /** A command that is told of this device. */
  run(command: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Outcome> {
    return run(command, {
      HOLDFAST_ROOT: this.root,
      HOLDFAST_NODE_NAME: this.node,
      DOCKER_HOST: process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock',
      ...env,
    });
  }

  uninstall(...flags: string[]): Promise<Outcome> {
    return run(['sh', 'hub/packages/on-device/uninstall.sh', ...flags], { HOLDFAST_ROOT: this.root });
  }

  agent(...args: string[]): Promise<Outcome> {
    return run([
      this.at('usr/local/bin/holdfast-agent'),
      ...args,
      '--config',
      this.at('etc/holdfast/agent.yaml'),
    ]);
  }

  /** The process that keeps the agent running, on a device without a service manager. */
  get supervisor(): number {
    return Number(readFileSync(this.at('run/holdfast-agent.pid'), 'utf8'));
  }

  /** Every file and directory, and what is in it; `exact`: also whether it is still the same one. */
  files({ exact = false, without = [] as readonly string[] } = {}): Record<string, string> {
    const found: Record<string, string> = {};
    const visit = (path: string) => {
      for (const name of readdirSync(join(this.root, path)).sort()) {
        const each = path ? `${path}/${name}` : name;
        if (without.includes(each)) continue;
        const stats = lstatSync(join(this.root, each));
        found[each] = [describe(join(this.root, each)), exact ? `${stats.ino} ${stats.mtimeMs}` : ''].join(
          ' ',
        );
        if (stats.isDirectory()) visit(each);
      }
    };
    visit('');
    return found;
  }

  async close(): Promise<void> {
    await this.uninstall('--containers');
    if (this.#isOwn) rmSync(this.root, { recursive: true, force: true });
    rmSync(`${this.root}.ca.crt`, { force: true });
  }
}

function describe(path: string): string {
  const stats = lstatSync(path);
  const mode = (stats.mode & 0o7777).toString(8);
  if (stats.isDirectory()) return `${mode} directory`;
  if (stats.isSymbolicLink()) return `link ${readlinkSync(path)}`;
  if (!stats.isFile()) return `${mode} other`;
  return `${mode} ${createHash('sha256').update(readFileSync(path)).digest('hex')}`;
}

/** Without what this process was told of Holdfast and Node.js. */
async function run(command: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Outcome> {
  const [program = '', ...args] = command;
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(HOLDFAST|NODE|TAP|DOCKER)_/.test(name),
  );
  const child = spawn(program, args, {
    env: { ...Object.fromEntries(inherited), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? -1));
  });
  const [code, out, err] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
  return { code, out, err: err.split('\n').filter(Boolean) };
}
