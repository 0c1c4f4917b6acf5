import { posix } from 'node:path';
import { type Container, type EphemeralContainer, ownContainersOf, type Pod } from './pod.ts';

/*
 * What the device's owner lets pods do here, whatever the hub asks for. Pure.
 */

export interface GuardRails {
  /** Also whether pods may see the device's processes and shared memory. */
  readonly allowPrivileged: boolean;
  readonly allowHostNetwork: boolean;
  /** Directories; undefined: all. */
  readonly allowedHostPaths: readonly string[] | undefined;
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
  allowedRegistries: undefined,
  requireDigest: false,
  allowedUnsafeSysctls: [],
};

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

function deniedOf({ name, image = '', securityContext }: Container | EphemeralContainer, rails: GuardRails) {
  return [
    securityContext?.privileged &&
      !rails.allowPrivileged &&
      `container "${name}" privileged (allowPrivileged)`,
    rails.requireDigest && !image.includes('@sha256:') && `image "${image}" without a digest (requireDigest)`,
    !isBelow(withRegistry(image), rails.allowedRegistries) && `image "${image}" (allowedRegistries)`,
  ];
}

function sentence(asked: readonly (string | false | undefined)[]): string | undefined {
  const denied = asked.filter(Boolean);
  if (denied.length === 0) return undefined;
  return `the owner of this device does not allow ${denied.join(', ')}: see its agent.yaml`;
}

function isBelow(path: string, allowed: readonly string[] | undefined): boolean {
  if (!allowed) return true;
  return allowed.some((each) => {
    const root = each.replace(/\/+$/, '');
    return (
      path === root ||
      path.startsWith(`${root}/`) ||
      path.startsWith(`${root}@`) ||
      path.startsWith(`${root}:`)
    );
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
