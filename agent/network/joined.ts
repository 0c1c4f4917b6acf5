import { access, readFile, readlink, stat } from 'node:fs/promises';
import { linkName } from '../runtime/network-name.ts';
import type { NetworkHolder } from '../runtime/runtime.ts';

/* What the kernel says of networks, for whoever only looks. */

/** Whether it has been joined, as a whole: that it hangs on a bridge comes last. */
export async function isJoined(containerId: string): Promise<boolean> {
  return exists(`/sys/class/net/${linkName(containerId)}/master`);
}

/** Whether this process sees the bridge that the engine has made: both are in one network, and it is a kernel's bridge. */
export async function seesBridge(bridge: string): Promise<boolean> {
  return exists(`/sys/class/net/${bridge}/bridge`);
}

/**
 * Whether the engine sees what this process mounts: the file of the holder's network is the same for both, and who watches
 * the holder, which the engine has started, has the mounts of this process. Not so where one is in a container.
 */
export async function sharesMounts({ pid, networkFile }: NetworkHolder): Promise<boolean> {
  try {
    const [file, network] = await Promise.all([stat(networkFile), stat(`/proc/${pid}/ns/net`)]);
    if (file.ino !== network.ino) return false;
    const [, parent = ''] = /^PPid:\s*(\d+)/m.exec(await readFile(`/proc/${pid}/status`, 'utf8')) ?? [];
    const [its, own] = await Promise.all([readlink(`/proc/${parent}/ns/mnt`), readlink('/proc/self/ns/mnt')]);
    return its === own;
  } catch {
    return false;
  }
}

export function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
