import { readFile } from 'node:fs/promises';
import { type HostResolver, isOnlyLocal, parseResolvConf } from './resolver.ts';

/** systemd-resolved names itself, on a loopback address, in the first, and the servers that it asks in the second. */
const FILES = ['/etc/resolv.conf', '/run/systemd/resolve/resolv.conf'];

/**
 * What the device looks names up with, as far as its containers can: undefined where it has servers, but all of them
 * on addresses of its own loopback.
 */
export async function readHostResolver(files: readonly string[] = FILES): Promise<HostResolver | undefined> {
  let hasLocal = false;
  for (const file of files) {
    const { servers, search } = parseResolvConf(await readFile(file, 'utf8').catch(() => ''));
    const reachable = servers.filter((server) => !isOnlyLocal(server));
    if (reachable.length > 0) return { servers: reachable, search };
    hasLocal ||= servers.length > 0;
  }
  return hasLocal ? undefined : { servers: [], search: [] };
}
