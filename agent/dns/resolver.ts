import type { PodDNSConfigOption } from 'kubernetes-types/core/v1.d.ts';
import { CLUSTER_DOMAIN } from '../pod/cluster-domain.ts';
import type { Pod } from '../pod/pod.ts';
import type { Resolver } from '../runtime/runtime.ts';

/** What the device itself looks names up with. */
export interface HostResolver {
  readonly servers: readonly string[];
  readonly search: readonly string[];
}

/** Kubernetes' own: a name such as `web.other` is looked for below the cluster's domain first. */
const CLUSTER_OPTIONS = { ndots: '5' };
/** C libraries look at no more than these. */
const MAX_SERVERS = 3;

/** `name server` and `search` of a resolv.conf; a later `search` replaces an earlier one. */
export function parseResolvConf(text: string): HostResolver {
  const lines = text.split('\n').map((line) => line.trim().split(/\s+/));
  const servers = lines.flatMap(([key, value]) => (key === 'nameserver' && value ? [value] : []));
  const search = lines.filter(([key]) => key === 'search' || key === 'domain').at(-1) ?? [];
  return { servers, search: search.slice(1).filter((domain) => domain !== '.') };
}

/** A server that only the device itself reaches, not its containers. */
export function isOnlyLocal(server: string): boolean {
  return server.startsWith('127.') || server === '::1' || server.includes('%');
}

/**
 * The resolver of a pod, or undefined for what the engine gives to containers by itself. `own` is where this agent
 * answers for Services; undefined where it cannot.
 *
 * The device's own servers stand behind it: while no agent answers, be it because there are no Services or because it is
 * being replaced, programs go on to them at once, for nobody listens.
 */
export function resolverOf(
  { metadata: { namespace }, spec }: Pod,
  own: string | undefined,
  host: HostResolver,
): Resolver | undefined {
  const { dnsPolicy = 'ClusterFirst', dnsConfig, hostNetwork } = spec;
  const asksCluster =
    dnsPolicy === 'ClusterFirstWithHostNet' || (dnsPolicy === 'ClusterFirst' && !hostNetwork);
  const inCluster = own !== undefined && asksCluster;
  if (!inCluster && !dnsConfig) return undefined;
  const given = dnsPolicy === 'None' ? { servers: [], search: [] } : host;
  const clusterSearch = [`${namespace}.svc.${CLUSTER_DOMAIN}`, `svc.${CLUSTER_DOMAIN}`, CLUSTER_DOMAIN];
  const { nameservers = [], searches = [], options = [] } = dnsConfig ?? {};
  return {
    servers: unique([...(inCluster ? [own] : []), ...given.servers, ...nameservers]).slice(0, MAX_SERVERS),
    search: unique([...(inCluster ? clusterSearch : []), ...given.search, ...searches]),
    options: optionsOf(inCluster ? CLUSTER_OPTIONS : {}, options),
  };
}

/** The pod's own replace those of the same name. */
function optionsOf(given: Readonly<Record<string, string>>, own: readonly PodDNSConfigOption[]): string[] {
  const options = new Map<string, string | undefined>(Object.entries(given));
  for (const { name, value } of own) if (name) options.set(name, value);
  return [...options].map(([name, value]) => (value === undefined ? name : `${name}:${value}`));
}

function unique(words: readonly string[]): string[] {
  return [...new Set(words)];
}
