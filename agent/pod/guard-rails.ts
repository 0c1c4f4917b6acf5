import { posix } from 'node:path';
import type { SecurityContext } from 'kubernetes-types/core/v1.d.ts';
import { isWithin } from './path-pattern.ts';
import { type Container, type EphemeralContainer, ownContainersOf, type Pod, volumeImagesOf } from './pod.ts';

/*
 * What the device's owner lets pods do here, whatever the hub asks for. Pure.
 */

export interface GuardRails {
  /** Also whether pods may see the device's processes and shared memory, and have capabilities that come to the same. */
  readonly allowPrivileged: boolean;
  readonly allowHostNetwork: boolean;
  /** Directories; undefined: all. */
  readonly allowedHostPaths: readonly string[] | undefined;
  /** Resources, as `holdfast.dev/camera`, and device nodes, as `/dev/video*`; undefined: all. */
  readonly allowedDevices: readonly string[] | undefined;
  /** Registries, or a part of one: `registry.example/team`; undefined: all. */
  readonly allowedRegistries: readonly string[] | undefined;
  /** Images must be named with their digest. */
  readonly requireDigest: boolean;
  /** Beside those that Kubernetes calls safe; `net.core.*` is all that begin so. */
  readonly allowedUnsafeSysctls: readonly string[];
}

/** Kubernetes' field for it, in one word. */
export const DENIED = 'DeniedByDevice';

export const NO_RAILS: GuardRails = {
  allowPrivileged: true,
  allowHostNetwork: true,
  allowedHostPaths: undefined,
  allowedDevices: undefined,
  allowedRegistries: undefined,
  requireDigest: false,
  allowedUnsafeSysctls: [],
};

/** Capabilities with which a container can do what a privileged one can, in one way or another. */
const PRIVILEGED_CAPABILITIES = new Set([
  'ALL',
  'BPF',
  'DAC_READ_SEARCH',
  'MAC_ADMIN',
  'MAC_OVERRIDE',
  'PERFMON',
  'SYS_ADMIN',
  'SYS_BOOT',
  'SYS_MODULE',
  'SYS_PTRACE',
  'SYS_RAWIO',
]);

/** What may come after a name that is allowed. */
const IN_IMAGES = ['/', '@', ':'];

/** Where devices are. */
const DEVICES = '/dev';

/** https://kubernetes.io/docs/tasks/administer-cluster/sysctl-cluster/#safe-and-unsafe-sysctls */
const SAFE_SYSCTLS = [
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.tcp_syncookies',
  'net.ipv4.ping_group_range',
  'net.ipv4.ip_unprivileged_port_start',
  'net.ipv4.ip_local_reserved_ports',
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
  'net.ipv4.tcp_rmem',
  'net.ipv4.tcp_wmem',
];

/** Why the pod may not run here, in one sentence; undefined when it may. Those who look into it are asked about alone. */
export function denialOf(pod: Pod, rails: GuardRails): string | undefined {
  const { hostNetwork, hostPID, hostIPC } = pod.spec;
  const asked = [
    hostNetwork && !rails.allowHostNetwork && 'hostNetwork (allowHostNetwork)',
    hostPID && !rails.allowPrivileged && 'hostPID (allowPrivileged)',
    hostIPC && !rails.allowPrivileged && 'hostIPC (allowPrivileged)',
    ...(pod.spec.volumes ?? []).map(
      ({ name, hostPath }) =>
        hostPath &&
        !mayMount(hostPath.path, rails) &&
        `volume "${name}" of the path ${hostPath.path} (allowedHostPaths)`,
    ),
    ...(pod.spec.volumes ?? []).map(
      ({ name, hostPath }) =>
        hostPath &&
        !mayHaveDevice(hostPath.path, hostPath.type ?? '', rails) &&
        `volume "${name}" of the device ${hostPath.path} (allowedDevices)`,
    ),
    ...volumeImagesOf(pod).flatMap(({ image }) => deniedImage(image, rails)),
    ...(pod.spec.securityContext?.sysctls ?? []).map(
      ({ name }) => !isAllowedSysctl(name, rails) && `sysctl ${name} (allowedUnsafeSysctls)`,
    ),
    ...ownContainersOf(pod).flatMap((container) => deniedOf(container, rails)),
  ];
  return sentence(asked);
}

/** The same of a container that looks into a pod. */
export function denialOfContainer(container: EphemeralContainer, rails: GuardRails): string | undefined {
  return sentence(deniedOf(container, rails));
}

/** Whether a path of the device may be given to a container. Links must have been followed. */
export function mayMount(path: string, { allowedHostPaths }: GuardRails): boolean {
  return isBelow(posix.normalize(path), allowedHostPaths);
}

/**
 * Whether a path of the device may be given to a container, if it is that of a device: by its type, or for it is where devices
 * are. Links must have been followed.
 */
export function mayHaveDevice(path: string, type: string, { allowedDevices }: GuardRails): boolean {
  const plain = posix.normalize(path).replace(/(?<=.)\/+$/, '');
  const isDevice =
    type === 'CharDevice' || type === 'BlockDevice' || isBelow(plain, [DEVICES]) || plain === '/';
  const nodes = allowedDevices?.filter((each) => each.startsWith('/'));
  return !isDevice || !nodes || nodes.some((each) => isWithin(plain, each));
}

function deniedOf(
  { name, image = '', securityContext, resources }: Container | EphemeralContainer,
  rails: GuardRails,
) {
  return [
    ...Object.keys(resources?.limits ?? {}).map(
      (resource) =>
        resource.includes('/') &&
        rails.allowedDevices &&
        !rails.allowedDevices.includes(resource) &&
        `container "${name}" with ${resource} (allowedDevices)`,
    ),
    ...(rails.allowPrivileged ? [] : privilegesOf(securityContext)).map(
      (privilege) => `container "${name}" ${privilege} (allowPrivileged)`,
    ),
    ...deniedImage(image, rails),
  ];
}

function deniedImage(image: string, rails: GuardRails) {
  return [
    rails.requireDigest && !image.includes('@sha256:') && `image "${image}" without a digest (requireDigest)`,
    !isBelow(withRegistry(image), rails.allowedRegistries, IN_IMAGES) &&
      `image "${image}" (allowedRegistries)`,
  ];
}

/** What makes a container as good as privileged. */
function privilegesOf({ privileged, capabilities, procMount }: SecurityContext = {}): string[] {
  const added = (capabilities?.add ?? []).filter((each) =>
    PRIVILEGED_CAPABILITIES.has(each.toUpperCase().replace(/^CAP_/, '')),
  );
  return [
    ...(privileged ? ['privileged'] : []),
    ...added.map((each) => `with the capability ${each}`),
    ...(procMount === 'Unmasked' ? ['with an unmasked /proc'] : []),
  ];
}

function sentence(asked: readonly (string | false | undefined)[]): string | undefined {
  const denied = asked.filter(Boolean);
  if (denied.length === 0) return undefined;
  return `the owner of this device does not allow ${denied.join(', ')}: see its agent.yaml`;
}

function isBelow(path: string, allowed: readonly string[] | undefined, separators = ['/']): boolean {
  if (!allowed) return true;
  return allowed.some((each) => {
    const root = each.replace(/\/+$/, '');
    return path === root || separators.some((each) => path.startsWith(`${root}${each}`));
  });
}

/** Names without a registry are Docker Hub's. */
function withRegistry(image: string): string {
  const [first = '', ...rest] = image.split('/');
  const isRegistry = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost');
  if (isRegistry) return image;
  return rest.length > 0 ? `docker.io/${image}` : `docker.io/library/${image}`;
}

function isAllowedSysctl(name: string, { allowedUnsafeSysctls }: GuardRails): boolean {
  const allowed = [...SAFE_SYSCTLS, ...allowedUnsafeSysctls];
  return allowed.some((each) => each === name || (each.endsWith('*') && name.startsWith(each.slice(0, -1))));
}
