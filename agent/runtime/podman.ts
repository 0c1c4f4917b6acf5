import { access } from 'node:fs/promises';
import type Docker from 'dockerode';
import { isNetwork } from './bare-networks.ts';
import { unusedFileBytes } from './control-group.ts';
import type { DockerConnection } from './docker-connection.ts';
import { isUnstartable, wordsOf } from './docker-errors.ts';
import { macOf } from './mac-address.ts';
import { isBareNetwork, networkFileOf } from './network-name.ts';
import { type ContainerSpec, type EngineNetwork, type Mount, RuntimeError } from './runtime.ts';

/*
 * What Podman does otherwise than Docker Engine behind the same API, as far as it matters to pods. Loaded on devices that
 * have it, and nowhere else. Seen with 4.3.1.
 */

/** It has one file, which begins anew and empty when it is full: as much of the flash as Docker's two. */
const LOG_CONFIG = { Type: 'json-file', Config: { 'max-size': '16m' } };
/** Where it gives a container memory that can be written, although its root is read only. */
const WRITABLE = ['/run', '/tmp', '/var/tmp'];
/** Beside Docker's; the first version that has all of it. */
const OWN_API = '/v4.0.0/libpod';

/** The same container, as Podman must be told of it. Pure. */
export function forPodman(
  spec: ContainerSpec,
  options: Docker.ContainerCreateOptions,
): Docker.ContainerCreateOptions {
  const { HostConfig = {} } = options;
  const security = securityOptions(spec, HostConfig.SecurityOpt ?? []);
  return {
    ...options,
    // It shares no host name along with a network.
    ...(spec.network.type === 'container' && spec.hostname && { Hostname: spec.hostname }),
    ...(spec.network.type === 'named' && { NetworkingConfig: endpoint(spec.network) }),
    HostConfig: {
      ...HostConfig,
      LogConfig: LOG_CONFIG,
      ...(spec.readOnlyRoot && { Tmpfs: readOnlyCopies(spec.mounts) }),
      ...(security.length > 0 && { SecurityOpt: security }),
    },
  };
}

/** It would choose another hardware address each time, and for a minute nobody would find a pod at the address that it has kept. */
function endpoint({
  name,
  ip,
}: {
  name: string;
  ip: string;
}): Docker.ContainerCreateOptions['NetworkingConfig'] {
  return { EndpointsConfig: { [name]: { IPAMConfig: { IPv4Address: ip }, MacAddress: macOf(ip) } } };
}

/** The same container; where it would join an infra container that is a network and nothing else, it begins in that. */
export async function inBareNetwork(spec: ContainerSpec): Promise<ContainerSpec> {
  const { network, ipc, ...rest } = spec;
  if (network.type !== 'container' || !isBareNetwork(network.id)) return spec;
  const path = networkFileOf(network.id);
  await refuseLost(path);
  const isShared = ipc?.type === 'container' && isBareNetwork(ipc.id);
  return { ...rest, ...(ipc && !isShared && { ipc }), network: { type: 'file', path } };
}

async function refuseLost(network: string): Promise<void> {
  if (await isNetwork(network)) return;
  throw new RuntimeError('gone', `cannot join the network ${network}: it is not there`);
}

/** With netavark it lets all addresses of a network out, while one of them is a container's; with CNI each by itself. */
export async function lastingOf(docker: Docker): Promise<EngineNetwork['lasts']> {
  const { host } = await own<{ host?: { networkBackend?: string } }>(docker, 'GET', 'info');
  return host?.networkBackend === 'netavark' ? 'held' : 'never';
}

/**
 * By its own API, for Docker's would have it answer questions for names there, at the address where the agent does.
 * `subnet`: it chooses one unless it is told.
 */
export async function makeNetwork(
  docker: Docker,
  { name, bridge, subnet, labels }: NewNetwork,
): Promise<unknown> {
  return own(docker, 'POST', 'networks/create', {
    ...{ name, driver: 'bridge', network_interface: bridge, dns_enabled: false, labels },
    ...(subnet && { subnets: [{ subnet }] }),
  });
}

export interface NewNetwork {
  readonly name: string;
  readonly bridge: string;
  readonly subnet: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
}

function own<T>(docker: Docker, method: 'GET' | 'POST', path: string, options: object = {}): Promise<T> {
  const statusCodes = { 200: true, 409: 'it is there already', 500: 'server error' };
  return new Promise((resolve, reject) => {
    const request = { path: `${OWN_API}/${path}`, method, options, statusCodes };
    docker.modem.dial(request, (error: unknown, answer: unknown) =>
      error ? reject(error) : resolve(answer as T),
    );
  });
}

/** What the image has there, and nobody can write. */
function readOnlyCopies(mounts: readonly Mount[]): Record<string, string> {
  const free = WRITABLE.filter((path) => mounts.every(({ target }) => target !== path));
  return Object.fromEntries(free.map((path) => [path, 'ro,tmpcopyup']));
}

function securityOptions({ seccomp, unmaskedProc }: ContainerSpec, options: readonly string[]): string[] {
  // It reads the file of a profile itself.
  const others = seccomp?.type === 'text' ? options.filter((each) => !each.startsWith('seccomp=')) : options;
  return [
    ...others,
    ...(seccomp?.type === 'text' ? [`seccomp=${seccomp.path}`] : []),
    ...(unmaskedProc ? ['unmask=ALL'] : []),
  ];
}

/** It would make a directory of each that is missing. */
export async function refuseMissing(mounts: readonly Mount[]): Promise<void> {
  for (const { source } of mounts)
    await access(source).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') return;
      throw new RuntimeError('other', `bind source path does not exist: ${source}`);
    });
}

/** What it says of a command that cannot run is not to be had later. */
export async function start({ docker, unstartable }: DockerConnection, id: string): Promise<void> {
  await refuseDead(docker, id);
  try {
    await docker.getContainer(id).start();
  } catch (error) {
    const why = wordsOf(error);
    if (isUnstartable(why)) unstartable.set(id, why);
    throw error;
  }
}

/** It would start those whose namespaces the container joins, when they have ended. */
async function refuseDead(docker: Docker, id: string): Promise<void> {
  const { HostConfig } = await docker.getContainer(id).inspect();
  const { NetworkMode = '', PidMode = '', IpcMode = '' } = HostConfig;
  const file = /^ns:(.+)/.exec(NetworkMode)?.[1];
  if (file) await refuseLost(file);
  const joined = [NetworkMode, PidMode, IpcMode].flatMap((mode) => /^container:(.+)/.exec(mode)?.[1] ?? []);
  for (const other of new Set(joined)) {
    const { State } = await docker.getContainer(other).inspect();
    if (!State.Running)
      throw new RuntimeError('gone', `cannot join the namespaces of container ${other}: it does not run`);
  }
}

/** It does not say how much of a container's memory is files that nobody uses. */
export async function memoryStatsOf(
  docker: Docker,
  id: string,
): Promise<Readonly<Record<string, number>> | undefined> {
  const { State } = await docker.getContainer(id).inspect();
  const bytes = await unusedFileBytes(State.Pid);
  return bytes === undefined ? undefined : { inactive_file: bytes };
}
