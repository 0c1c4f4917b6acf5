import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MOUNT_GROUPS } from './control-groups.ts';
import { Machine, type MachineParts } from './machine.ts';

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

function prepare(root: string): void {
  const units = join(root, 'etc/systemd/system');
  mkdirSync(units, { recursive: true });
  writeFileSync(join(root, 'etc/machine-id'), '');
  for (const unit of MASKED) symlinkSync('/dev/null', join(units, unit));
}

/** One that has its own copy of what dpkg knows of this machine's packages, and so can have more. */
export const WITH_DPKG: Pick<MachineParts, 'mounts'> = {
  mounts: `
mkdir -p var/lib/dpkg written/dpkg written/dpkg-work
mount -t overlay -o lowerdir=/var/lib/dpkg,upperdir=written/dpkg,workdir=written/dpkg-work none var/lib/dpkg
`,
};

/** A machine that this machine's systemd runs, with an engine if it is told of one. */
export function startSystemdMachine(more: Partial<MachineParts> = {}): Promise<Machine> {
  return Machine.start({
    ...more,
    init: [SYSTEMD, '--unit=basic.target'],
    prepare: (root) => {
      prepare(root);
      more.prepare?.(root);
    },
    mounts: `${MOUNT_GROUPS}${more.mounts ?? ''}`,
    isUp: async (machine) => (await machine.run('systemctl', 'is-active', 'basic.target')).code === 0,
  });
}
