import { type ChildProcess, spawn } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Outcome } from './scratch-device.ts';
import { until } from './until.ts';

const SYSTEMD = '/lib/systemd/systemd';

/** Why there can be none here; undefined when there can. */
export function whyNoSystemd(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root may have namespaces of its own';
  if (!existsSync(SYSTEMD)) return 'this machine has no systemd';
  // With v2, systemd would need a part of the tree that is given to it alone.
  return existsSync('/sys/fs/cgroup/cpu') ? undefined : 'its control groups are of the second version';
}

/** What would change the kernel, which is this machine's. */
const MASKED = [
  ...[
    'systemd-binfmt.service',
    'systemd-sysctl.service',
    'systemd-modules-load.service',
    'kmod-static-nodes.service',
  ],
  ...[
    'systemd-udevd.service',
    'systemd-udev-trigger.service',
    'systemd-random-seed.service',
    'systemd-logind.service',
  ],
  ...[
    'systemd-tmpfiles-setup-dev.service',
    'systemd-update-utmp.service',
    'proc-sys-fs-binfmt_misc.automount',
  ],
  ...[
    'sys-kernel-debug.mount',
    'sys-kernel-tracing.mount',
    'sys-fs-fuse-connections.mount',
    'dev-hugepages.mount',
  ],
  ...['docker.service', 'docker.socket', 'containerd.service', 'getty.target', 'systemd-networkd.service'],
];

const BOOT = `
set -e
mount --make-rprivate /
mount --bind "$1" "$1"
cd "$1"
mount --bind /usr usr
mount -o remount,bind,ro usr
mount -t tmpfs none usr/local
mkdir usr/local/bin usr/local/lib
mount -t proc proc proc
mount -t tmpfs none run
mount -t tmpfs none tmp
mount --rbind /dev dev
mount --rbind /sys sys
mount -t tmpfs none sys/fs/cgroup
mkdir sys/fs/cgroup/systemd
mount -t cgroup -o none,name=systemd systemd sys/fs/cgroup/systemd
: >run/docker.sock
mount --bind "$2" run/docker.sock
exec env -i container=holdfast PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot "$1" ${SYSTEMD} --unit=basic.target
`;

/** A machine that this machine's systemd runs: namespaces of its own, this machine's programs, network and engine. */
export class SystemdMachine {
  readonly root = mkdtempSync(join(tmpdir(), 'hf-systemd-'));
  readonly #child: ChildProcess;
  #pid = '';

  private constructor(engineSocket: string) {
    const { root } = this;
    for (const dir of [
      'etc/systemd/system',
      'proc',
      'sys',
      'dev',
      'run',
      'tmp',
      'usr',
      'var/lib',
      'var/log',
      'root',
    ])
      mkdirSync(join(root, dir), { recursive: true });
    for (const dir of ['bin', 'sbin', 'lib', 'lib64']) symlinkSync(`usr/${dir}`, join(root, dir));
    symlinkSync('/run', join(root, 'var/run'));
    for (const file of ['passwd', 'group', 'nsswitch.conf', 'os-release', 'hosts'])
      if (existsSync(`/etc/${file}`)) copyFileSync(`/etc/${file}`, join(root, 'etc', file));
    writeFileSync(join(root, 'etc/machine-id'), '');
    for (const unit of MASKED) symlinkSync('/dev/null', join(root, 'etc/systemd/system', unit));
    const namespaces = ['--fork', '--kill-child', '--pid', '--mount', '--uts', '--ipc'];
    this.#child = spawn('unshare', [...namespaces, 'sh', '-c', BOOT, 'sh', root, engineSocket], {
      stdio: 'ignore',
    });
  }

  static async start(engineSocket: string): Promise<SystemdMachine> {
    const machine = new SystemdMachine(engineSocket);
    await until('systemd runs', async () => {
      machine.#pid = readFileSync(
        `/proc/${machine.#child.pid}/task/${machine.#child.pid}/children`,
        'utf8',
      ).trim();
      return (await machine.run('systemctl', 'is-active', 'basic.target')).code === 0;
    });
    return machine;
  }

  /** A command on that machine. */
  async run(...command: string[]): Promise<Outcome> {
    const enter = [
      '-t',
      this.#pid,
      '-p',
      '-m',
      '-u',
      '-i',
      '-r',
      '-w',
      'env',
      '-i',
      'PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    ];
    const child = spawn('nsenter', [...enter, ...command], { stdio: ['ignore', 'pipe', 'pipe'] });
    const ended = new Promise<number>((resolve) => child.once('close', (code) => resolve(code ?? -1)));
    const [code, out, err] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
    return { code, out, err: err.split('\n').filter(Boolean) };
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL'); // and all that is in its namespaces
    await ended;
    await until('nothing holds its files', () => {
      rmSync(this.root, { recursive: true, force: true });
      return true;
    });
  }
}
