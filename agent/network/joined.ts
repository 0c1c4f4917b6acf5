import { createHash } from 'node:crypto';
import { access } from 'node:fs/promises';

/* What the kernel says of networks, for whoever only looks. */

/** The device's end of a container's link. At most 15 characters. */
export function linkName(containerId: string): string {
  return `hf${createHash('sha256').update(containerId).digest('hex').slice(0, 10)}`;
}

/** Whether it has been joined, as a whole: that it hangs on a bridge comes last. */
export async function isJoined(containerId: string): Promise<boolean> {
  return exists(`/sys/class/net/${linkName(containerId)}/master`);
}

/** Whether this process sees the bridge that the engine has made: both are in one network, and it is a kernel's bridge. */
export async function seesBridge(bridge: string): Promise<boolean> {
  return exists(`/sys/class/net/${bridge}/bridge`);
}

export function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
