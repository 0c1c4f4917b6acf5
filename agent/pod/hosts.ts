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

/**
 * The file of a container on the device's network that is to know more names than the device: the engine would leave the
 * device's own out. Undefined where the engine writes it, or the container mounts its own.
 */
export function managedHosts({ spec }: Pod, container: Container, ofDevice: string): string | undefined {
  const { hostNetwork, hostAliases = [] } = spec;
  const hasOwn = container.volumeMounts?.some(({ mountPath }) => mountPath === HOSTS_PATH);
  if (!hostNetwork || hostAliases.length === 0 || hasOwn) return undefined;
  const aliases = hostAliases.map(({ ip, hostnames = [] }) => `${ip}\t${hostnames.join('\t')}\n`);
  return [
    '# Kubernetes-managed hosts file (host network).\n',
    ofDevice,
    '\n# Entries added by HostAliases.\n',
    ...aliases,
  ].join('');
}
