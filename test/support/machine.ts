import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { JOIN_GROUPS, removeGroups } from './control-groups.ts';
import type { Outcome } from './scratch-device.ts';
import { until } from './until.ts';

/** What a machine is made of, besides this machine's programs. */
export interface MachineParts {
  /** What runs as its first process. */
  readonly init: readonly string[];
  /** Has what that needs in its files, before it starts. */
  readonly prepare?: (root: string) => void;
  /** A shell's lines, when all is mounted, with its root as the working directory. */
  readonly mounts?: string;
  /** The root of unpacked packages that it has besides: see debian-packages.ts. */
  readonly packages?: string;
  /** Its container engine's socket. */
  readonly engine?: string;
  /** With a network of its own, where it sees this machine at `hostAddress`; 1 to 250 tells those that run at once apart. */
  readonly network?: number;
  readonly isUp: (machine: Machine) => Promise<boolean>;
}

/** Where this machine is for one that has a network of its own. */
export const hostAddress = (network: number) => `10.214.${network}.1`;

const DIRECTORIES = [
  ...['etc', 'proc', 'sys', 'dev', 'run', 'tmp', 'usr', 'root', 'written'],
  ...['var/lib', 'var/log', 'var/cache', 'var/tmp'],
];
const OWN_FILES = ['passwd', 'group', 'shadow', 'nsswitch.conf', 'os-release', 'hosts', 'debian_version'];

/**
 * What is written below /usr is in memory, as all that a machine should forget. It has no other root than its own: who joins
 * its namespaces, as engines do with those of containers, would land in that.
 */
const BOOT = `
set -e
root=$1 lower=$2 engine=$3 mounts=$4
shift 4
mount --make-rprivate /
mount --bind "$root" "$root"
cd "$root"
mount -t tmpfs none written
mkdir written/upper written/work
mount -t overlay -o "lowerdir=$lower,upperdir=written/upper,workdir=written/work" none usr
mount -t tmpfs none usr/local
mkdir usr/local/bin usr/local/lib
mount -t proc proc proc
mount -t tmpfs none run
mount -t tmpfs none tmp
chmod 1777 tmp
mount --rbind /dev dev
mount --rbind /sys sys
if [ -n "$engine" ]; then
  : >run/docker.sock
  mount --bind "$engine" run/docker.sock
fi
eval "$mounts"
mkdir written/outside
pivot_root . written/outside
umount --lazy /written/outside
exec env -i container=holdfast PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"
`;

/** A machine in namespaces of its own: this machine's programs and network, and an init, files and services of its own. */
export class Machine {
  readonly root = mkdtempSync(join(tmpdir(), 'hf-machine-'));
  readonly #child: ChildProcess;
  #pid = '';

  private constructor({ init, prepare, mounts = '', packages, engine = '', network }: MachineParts) {
    const { root } = this;
    chmodSync(root, 0o755); // users who are not root find their way
    for (const dir of DIRECTORIES) mkdirSync(join(root, dir), { recursive: true });
    for (const dir of ['bin', 'sbin', 'lib', 'lib64']) symlinkSync(`usr/${dir}`, join(root, dir));
    symlinkSync('/run', join(root, 'var/run'));
    for (const file of OWN_FILES)
      if (existsSync(`/etc/${file}`)) copyFileSync(`/etc/${file}`, join(root, 'etc', file));
    cpSync('/etc/alternatives', join(root, 'etc/alternatives'), { recursive: true, verbatimSymlinks: true });
    for (const dir of ['etc', 'var'])
      if (packages && existsSync(join(packages, dir)))
        cpSync(join(packages, dir), join(root, dir), { recursive: true, verbatimSymlinks: true });
    prepare?.(root);
    const lower = packages ? `${join(packages, 'usr')}:/usr` : '/usr';
    const namespaces = ['--fork', '--kill-child', '--pid', '--mount', '--uts', '--ipc', '--cgroup'];
    if (network) namespaces.push('--net');
    const boot = ['unshare', ...namespaces, 'sh', '-c', BOOT, 'sh', root, lower, engine, mounts, ...init];
    this.#child = spawn('sh', ['-c', JOIN_GROUPS, 'sh', basename(root), ...boot], { stdio: 'ignore' });
  }

  static async start(parts: MachineParts): Promise<Machine> {
    const machine = new Machine(parts);
    await until('the machine is up', async () => {
      if (!machine.#pid) machine.#enter(parts.network);
      return parts.isUp(machine);
    }).catch(async (error: unknown) => {
      await machine.close();
      throw error;
    });
    return machine;
  }

  /** Throws while there is no process yet. */
  #enter(network: number | undefined): void {
    const { pid } = this.#child;
    if (readFileSync(`/proc/${pid}/comm`, 'utf8') !== 'unshare\n') throw new Error('it has no groups yet');
    const first = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    if (!first) throw new Error('it has not begun');
    if (network) joinNetworks(first, network);
    this.#pid = first;
  }

  /** A command on that machine. */
  async run(...command: string[]): Promise<Outcome> {
    const enter = ['-t', this.#pid, '-p', '-m', '-u', '-i', '-n', '-C', '-r', '-w'];
    const path = 'PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
    const child = spawn('nsenter', [...enter, 'env', '-i', path, ...command], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const ended = new Promise<number>((resolve) => child.once('close', (code) => resolve(code ?? -1)));
    const [code, out, err] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
    return { code, out, err: err.split('\n').filter(Boolean) };
  }

  async close(): Promise<void> {
    const { exitCode, signalCode } = this.#child;
    const hasEnded = exitCode !== null || signalCode !== null;
    const ended = hasEnded ? undefined : new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL'); // and all that is in its namespaces
    await ended;
    await until('nothing holds its files', () => {
      rmSync(this.root, { recursive: true, force: true });
      removeGroups(basename(this.root));
      return true;
    });
  }
}

/** A cable between this machine and that of the process; it goes with that. */
function joinNetworks(pid: string, network: number): void {
  const [here, device] = [hostAddress(network), `hfmachine${network}`];
  const ip = (...args: string[]) => execFileSync('ip', args);
  const ipThere = (...args: string[]) => execFileSync('nsenter', ['-t', pid, '-n', 'ip', ...args]);
  ip('link', 'add', device, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', pid);
  ip('addr', 'add', `${here}/24`, 'dev', device);
  ip('link', 'set', device, 'up');
  ipThere('addr', 'add', `10.214.${network}.2/24`, 'dev', 'eth0');
  for (const each of ['lo', 'eth0']) ipThere('link', 'set', each, 'up');
  ipThere('route', 'add', 'default', 'via', here);
}
