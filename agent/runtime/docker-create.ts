import type Docker from 'dockerode';
import { INFRA_COMMAND, OWN_NETWORK } from './infra-image.ts';
import { labelsOf } from './labels.ts';
import type { ContainerSpec, Namespace, PortBinding } from './runtime.ts';

/** Kubernetes' own: the kernel gives a container its share of the CPUs anew each time. */
const CPU_PERIOD_US = 100_000;
/** The kernel takes no less. */
const MIN_CPU_QUOTA_US = 1_000;
const CPU_SHARES_PER_CORE = 1024;
const MIN_CPU_SHARES = 2;
/** Spares the flash: the engine turns logs over by itself. */
const LOG_CONFIG = { Type: 'json-file', Config: { 'max-size': '8m', 'max-file': '2' } };

/** The engine's request body for a container. Pure. */
export function createOptions(node: string, spec: ContainerSpec): Docker.ContainerCreateOptions {
  const ports = spec.ports.map((port) => [`${port.containerPort}/${port.protocol}`, port] as const);
  return {
    name: containerName(spec),
    Image: spec.image,
    ...(spec.entrypoint && { Entrypoint: [...spec.entrypoint] }),
    ...(spec.command && { Cmd: [...spec.command] }),
    ...(spec.network.type === 'made-by-itself' && { Cmd: [...INFRA_COMMAND, OWN_NETWORK] }),
    Env: [...spec.env],
    ...(spec.workingDir && { WorkingDir: spec.workingDir }),
    // A container in another's network shares its host name and the engine refuses one of its own.
    ...(spec.hostname &&
      spec.network.type !== 'container' && {
        Hostname: spec.hostname,
        ...(spec.domain && { Domainname: spec.domain }),
      }),
    ...(spec.user && { User: spec.user }),
    Tty: spec.tty ?? false,
    OpenStdin: spec.stdin ?? false,
    StdinOnce: spec.stdinOnce ?? false,
    ...(spec.stopSignal && { StopSignal: spec.stopSignal }),
    Labels: labelsOf(node, spec.identity),
    ExposedPorts: Object.fromEntries(ports.map(([key]) => [key, {}])),
    HostConfig: hostConfig(spec),
    ...(spec.network.type === 'named' && {
      NetworkingConfig: {
        EndpointsConfig: { [spec.network.name]: { IPAMConfig: { IPv4Address: spec.network.ip } } },
      },
    }),
  };
}

/** Unique for each attempt, and told apart by people: `hf.web-7d4.nginx.<uid>.0`. */
export function containerName({ identity }: ContainerSpec): string {
  const { podName, container, podUid, attempt, role } = identity;
  return `hf.${podName}.${role === 'infra' ? 'infra.' : container}.${podUid}.${attempt}`;
}

function hostConfig(spec: ContainerSpec): Docker.HostConfig {
  const { network, processes, ipc, memoryBytes, cpuMilli, cpuRequestMilli } = spec;
  const security = securityOptions(spec);
  return {
    NetworkMode: modeOf(network) ?? 'bridge',
    // In a network that is not its own, names are looked up as the owner does.
    ...(spec.resolver &&
      network.type !== 'container' && {
        Dns: [...spec.resolver.servers],
        DnsSearch: [...spec.resolver.search],
        DnsOptions: [...spec.resolver.options],
      }),
    ...(processes && processes.type !== 'own' && { PidMode: modeOf(processes) }),
    ...(ipc && { IpcMode: ipc.type === 'offered' ? 'shareable' : modeOf(ipc) }),
    // In a network that is not its own, ports are the owner's to publish.
    ...((network.type === 'own' || network.type === 'named') && { PortBindings: portBindings(spec) }),
    // What it needs to make its network; it then gives that up.
    ...(network.type === 'made-by-itself' && { CapDrop: ['ALL'], CapAdd: ['SYS_ADMIN'] }),
    ...(spec.extraHosts?.length &&
      (network.type === 'own' || network.type === 'named') && { ExtraHosts: [...spec.extraHosts] }),
    ...(spec.groups?.length && { GroupAdd: spec.groups.map(String) }),
    Mounts: spec.mounts.map(({ source, target, readOnly, propagation }) => ({
      Type: 'bind' as const,
      Source: source,
      Target: target,
      ReadOnly: readOnly,
      ...(propagation && { BindOptions: { Propagation: propagation } }),
    })),
    LogConfig: LOG_CONFIG,
    ...(memoryBytes && { Memory: memoryBytes, MemorySwap: memoryBytes }),
    ...(spec.pidsLimit && { PidsLimit: spec.pidsLimit }),
    ...(spec.oomScore && { OomScoreAdj: spec.oomScore }),
    ...devicesOf(spec),
    // Not as a number of CPUs: of those the engine allows no more than the device has, and Kubernetes does.
    ...(cpuMilli && { CpuPeriod: CPU_PERIOD_US, CpuQuota: cpuQuota(cpuMilli) }),
    ...(cpuRequestMilli && { CpuShares: cpuShares(cpuRequestMilli) }),
    ...(spec.privileged && { Privileged: true }),
    ...(spec.readOnlyRoot && { ReadonlyRootfs: true }),
    ...(spec.addCapabilities?.length && { CapAdd: [...spec.addCapabilities] }),
    ...(spec.dropCapabilities?.length && { CapDrop: [...spec.dropCapabilities] }),
    ...(spec.unmaskedProc && { MaskedPaths: [], ReadonlyPaths: [] }),
    ...(spec.sysctls && { Sysctls: { ...spec.sysctls } }),
    ...(security.length > 0 && { SecurityOpt: security }),
  };
}

function devicesOf({ devices = [] }: ContainerSpec): Pick<Docker.HostConfig, 'Devices' | 'DeviceRequests'> {
  const nodes = devices.filter((device) => device.type === 'node');
  const named = devices.flatMap((device) => (device.type === 'cdi' ? device.name : []));
  const gpus = devices.flatMap((device) => (device.type === 'gpu' ? device.id : []));
  // As the engine's own command line asks for them.
  const requests = [
    ...(named.length > 0 ? [{ Driver: 'cdi', DeviceIDs: named }] : []),
    ...(gpus.length > 0
      ? [{ Driver: '', Count: 0, DeviceIDs: gpus, Capabilities: [['gpu']], Options: {} }]
      : []),
  ];
  return {
    ...(nodes.length > 0 && {
      Devices: nodes.map(({ path, target }) => ({
        PathOnHost: path,
        PathInContainer: target,
        CgroupPermissions: 'rwm',
      })),
    }),
    ...(requests.length > 0 && { DeviceRequests: requests }),
  };
}

function securityOptions({ noNewPrivileges, seccomp, appArmor, seLinux = [] }: ContainerSpec): string[] {
  return [
    ...(noNewPrivileges ? ['no-new-privileges'] : []),
    ...(seccomp?.type === 'none' ? ['seccomp=unconfined'] : []),
    ...(seccomp?.type === 'text' ? [`seccomp=${seccomp.text}`] : []),
    ...(appArmor ? [`apparmor=${appArmor}`] : []),
    ...seLinux.map((label) => `label=${label}`),
  ];
}

/** Undefined for one of its own. */
function modeOf(namespace: Namespace): string | undefined {
  switch (namespace.type) {
    case 'own':
      return undefined;
    case 'host':
    case 'made-by-itself': // it begins in the device's
    case 'bare':
      return 'host';
    case 'file':
      return `ns:${namespace.path}`;
    case 'named':
      return namespace.name;
    case 'container':
      return `container:${namespace.id}`;
  }
}

function portBindings({ ports }: ContainerSpec): Docker.PortMap {
  const published = ports.filter(({ hostPort }) => hostPort > 0);
  // One port of the container may be several of the host's.
  const byPort = Map.groupBy(published, ({ containerPort, protocol }) => `${containerPort}/${protocol}`);
  const addressOf = ({ hostIp, hostPort }: PortBinding) => ({ HostIp: hostIp, HostPort: String(hostPort) });
  return Object.fromEntries([...byPort].map(([port, bound]) => [port, bound.map(addressOf)]));
}

function cpuQuota(milli: number): number {
  return Math.max(MIN_CPU_QUOTA_US, Math.round((milli * CPU_PERIOD_US) / 1000));
}

/** Kubernetes' rule: 1024 shares a core. */
function cpuShares(milli: number): number {
  return Math.max(MIN_CPU_SHARES, Math.round((milli * CPU_SHARES_PER_CORE) / 1000));
}
