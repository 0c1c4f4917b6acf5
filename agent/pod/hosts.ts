import { CLUSTER_DOMAIN } from './cluster-domain.ts';
import { ConfigurationError } from './configuration-error.ts';
import type { Container, Pod } from './pod.ts';

/* What a pod is called, and the names that it knows without asking anybody: /etc/hosts. Pure. */

/** What the kernel takes; a part of a name in DNS is one shorter. */
const MAX_HOSTNAME_LENGTH = 64;
const MAX_LABEL_LENGTH = 63;
export const HOSTS_PATH = '/etc/hosts';

export interface HostNames {
  readonly hostname: string;
  /** Below which domain the pod has a name, where it has one. */
  readonly domain?: string;
}

/** Undefined for a pod on the device's network, which is called as the device. Throws for a name that is too long. */
export function hostNamesOf({ metadata, spec }: Pod): HostNames | undefined {
  if (spec.hostNetwork) return undefined;
  const { hostname = metadata.name, subdomain, setHostnameAsFQDN } = spec;
  const { hostnameOverride } = spec as { hostnameOverride?: string };
  if (hostnameOverride) return { hostname: hostnameOverride };
  // A pod's name is cut to what a host may be called, not behind a `-` or `.`.
  const short = hostname.slice(0, MAX_LABEL_LENGTH).replace(/[-.]+$/, '');
  if (!subdomain) return { hostname: short };
  const domain = `${subdomain}.${metadata.namespace}.svc.${CLUSTER_DOMAIN}`;
  if (!setHostnameAsFQDN) return { hostname: short, domain };
  const full = `${short}.${domain}`;
  if (full.length > MAX_HOSTNAME_LENGTH)
    throw new ConfigurationError(
      `Failed to construct FQDN from pod hostname and cluster domain, FQDN ${full} is too long ` +
        `(${MAX_HOSTNAME_LENGTH} characters is the max, ${full.length} characters requested)`,
    );
  return { hostname: full };
}

/** As the engine takes them: `name:address`. */
export function extraHostsOf({ spec }: Pod): string[] {
  return (spec.hostAliases ?? []).flatMap(({ ip, hostnames = [] }) =>
    hostnames.map((name) => `${name}:${ip}`),
  );
}

/** What the device knows of a pod when a container of it is made. */
export interface HostsContext {
  /** Empty where the engine gives each container an address of its own. */
  readonly podIp: string;
  /** The device's own file. */
  readonly ofDevice: string;
}

const LOCAL = `# Kubernetes-managed hosts file.
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
fe00::0\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
`;

/**
 * The file as the kubelet writes it. Undefined where the engine writes the right one, which on the device's network is
 * the device's, or the container mounts its own.
 */
export function managedHosts(pod: Pod, container: Container, context: HostsContext): string | undefined {
  const { hostNetwork, hostAliases = [] } = pod.spec;
  const hasOwn = container.volumeMounts?.some(({ mountPath }) => mountPath === HOSTS_PATH);
  if (hasOwn || (hostNetwork ? hostAliases.length === 0 : context.podIp === '')) return undefined;
  const aliases = hostAliases.map(({ ip, hostnames = [] }) => `${ip}\t${hostnames.join('\t')}\n`);
  return [
    hostNetwork
      ? `# Kubernetes-managed hosts file (host network).\n${context.ofDevice}`
      : `${LOCAL}${context.podIp}\t${ownNames(pod)}\n`,
    ...(aliases.length > 0 ? ['\n# Entries added by HostAliases.\n', ...aliases] : []),
  ].join('');
}

function ownNames(pod: Pod): string {
  const { hostname = '', domain } = hostNamesOf(pod) ?? {};
  if (domain) return `${hostname}.${domain}\t${hostname}`;
  return pod.spec.setHostnameAsFQDN && pod.spec.subdomain
    ? `${hostname}\t${hostname.slice(0, hostname.indexOf('.'))}`
    : hostname;
}
