import { execFile, type PromiseWithChild } from 'node:child_process';
import { readlink } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { monotonicMs } from '../monotonic.ts';
import { macOf } from '../runtime/mac-address.ts';
import { linkName } from '../runtime/network-name.ts';
import { exists } from './joined.ts';

/*
 * Joins the network that an infra container has made for itself to the node's bridge: what the engine would do, without
 * the programs that it starts for it. Uses the machine's own `ip` and `nsenter`; root only.
 */

const run = promisify(execFile) as (
  file: string,
  args: readonly string[],
  options: object,
) => PromiseWithChild<{ stdout: string }>;

/** It is a few instructions away from having one when the engine says that it has started. */
const MAKES_NETWORK_MS = 2_000;
const LOOK_EVERY_MS = 1;
const COMMAND_MS = 10_000;
/** Not there where the kernel has no IPv6. */
const IPV6 = '/proc/sys/net/ipv6';

export interface Joining {
  readonly containerId: string;
  /** Where its network is: of its first process, as this process sees it, or a file. */
  readonly network: { readonly pid: number } | { readonly path: string };
  readonly bridge: string;
  readonly ip: string;
  readonly prefix: number;
  readonly gateway: string;
}

/** Whether all that is needed is there. */
export async function canJoin(): Promise<boolean> {
  if (process.getuid?.() !== 0) return false;
  try {
    // BusyBox has an `ip` too, which can not do it.
    const [{ stdout }] = await Promise.all([
      run('ip', ['-V'], { timeout: COMMAND_MS }),
      run('nsenter', ['--version'], { timeout: COMMAND_MS }),
    ]);
    return stdout.includes('iproute2');
  } catch {
    return false;
  }
}

/**
 * Goes on where an agent before this one was cut off. Rejects with what the commands say. Two programs in all, and the
 * first does what it can: to start one keeps an agent from everything else for 3 ms.
 */
export async function join({ containerId, network, bridge, ip, prefix, gateway }: Joining): Promise<void> {
  const path = 'path' in network ? network.path : await networkOf(network.pid);
  const link = linkName(containerId);
  const isThere = await exists(`/sys/class/net/${link}`);
  await inputTo(
    ['nsenter', `--net=${path}`, 'ip', '-batch', '-'],
    [
      ...(isThere
        ? []
        : [`link add eth0 address ${macOf(ip)} type veth peer name ${link} netns ${process.pid}`]),
      // As in the engine's own networks: addresses that lead nowhere only mislead who looks names up.
      ...((await exists(IPV6)) ? ['link set eth0 addrgenmode none'] : []),
      `addr replace ${ip}/${prefix} brd + dev eth0`,
      'link set lo up',
      'link set eth0 up',
      `route replace default via ${gateway}`,
    ],
  );
  await inputTo(['ip', '-batch', '-'], [`link set ${link} master ${bridge} up`]);
}

/** Where it is, once the process has made it. */
async function networkOf(pid: number): Promise<string> {
  const path = `/proc/${pid}/ns/net`;
  const own = await readlink('/proc/self/ns/net');
  const endsAt = monotonicMs() + MAKES_NETWORK_MS;
  for (;;) {
    const its = await readlink(path).catch((error: unknown) => {
      throw new Error(
        `process ${pid} of the container can not be seen: is the agent in a container itself?`,
        {
          cause: error,
        },
      );
    });
    if (its !== own) return path;
    if (monotonicMs() > endsAt) throw new Error('the container has made no network of its own');
    await sleep(LOOK_EVERY_MS); // a change that the kernel tells nobody of
  }
}

/** Runs a command that reads lines. Rejects with what it says when it fails, whether it has read them or not. */
export async function inputTo(
  [program = '', ...args]: readonly string[],
  lines: readonly string[],
): Promise<void> {
  const running = run(program, args, { timeout: COMMAND_MS });
  running.child.stdin?.on('error', () => undefined); // it has ended already, and tells why by that
  running.child.stdin?.end(`${lines.join('\n')}\n`);
  await running;
}
