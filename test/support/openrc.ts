import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { debianLayer } from '../../scripts/debian-layer.ts';
import { Machine } from './machine.ts';
import { mayMount } from './small-disk.ts';

/** Why there can be none here; undefined when there can. */
export const whyNoOpenRc = () => (mayMount ? undefined : 'only root may have namespaces of its own');

/** As Debian's, without terminals, which are this machine's, and without a console to say so on. */
const INITTAB = `id:2:initdefault:
si::sysinit:/etc/init.d/rcS
l2:2:wait:/etc/init.d/rc 2
`;

/** It is told what it is in, as in an image for containers: it then leaves clocks, disks and the kernel alone. */
function prepare(root: string): void {
  writeFileSync(join(root, 'etc/inittab'), INITTAB);
  writeFileSync(join(root, 'etc/rc.conf'), 'rc_sys="lxc"\nrc_cgroup_mode="none"\nrc_logger="YES"\n');
  writeFileSync(join(root, 'etc/fstab'), '');
}

/** A machine that Debian's init and OpenRC run. */
export function startOpenRcMachine(engine: string): Promise<Machine> {
  return Machine.start({
    ...{ engine, prepare },
    packages: debianLayer('openrc'),
    init: ['/sbin/init'],
    isUp: async (machine) => (await machine.run('rc-status', '--runlevel')).out.trim() === 'default',
  });
}
