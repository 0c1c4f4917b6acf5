import { CLUSTER_DOMAIN } from '../pod/cluster-domain.ts';
import type { Service } from '../pod/pod.ts';
import type { Endpoint } from './service-records.ts';

/*
 * What the names of Services mean on this device: pure. The names are those of Kubernetes' DNS specification
 * (github.com/kubernetes/dns, docs/specification.md), but a Service's own name leads straight to its pods on this
 * device: there is no address in between that would have to be routed.
 */

export interface Zone {
  service(namespace: string, name: string): Service | undefined;
  endpoints(service: Service): readonly Endpoint[];
}

export type DnsRecord =
  | { readonly type: 'A' | 'AAAA'; readonly name: string; readonly address: string }
  | { readonly type: 'SRV'; readonly name: string; readonly port: number; readonly target: string };

export interface Answer {
  /** `refused` sends the asking program on to its next name server. */
  readonly result: 'found' | 'no-such-name' | 'refused';
  readonly records: readonly DnsRecord[];
}

const REFUSED: Answer = { result: 'refused', records: [] };
const NO_SUCH_NAME: Answer = { result: 'no-such-name', records: [] };

/**
 * Answers one question. `name` as it was asked, `type` as `A`, `AAAA` or `SRV`; of any other type a name has nothing.
 * `web.default` and `web.default.svc` are answered as they stand, too, where there is such a Service: so no program has
 * to try its search list first, as Kubernetes' `ndots:5` makes it do for every name of the world outside.
 */
export function answer(name: string, type: string, zone: Zone): Answer {
  const labels = name.toLowerCase().replace(/\.$/, '').split('.');
  const inCluster = below(labels, CLUSTER_DOMAIN.split('.'));
  if (!inCluster) {
    const path = below(labels, ['svc']) ?? labels;
    const known = path.length === 2 && zone.service(path[1] ?? '', path[0] ?? '');
    return known ? serviceAnswer(path, name, type, zone) : REFUSED;
  }
  const path = below(inCluster, ['svc']);
  if (path && path.length >= 2) return serviceAnswer(path, name, type, zone);
  return isAbove(inCluster) ? { result: 'found', records: [] } : NO_SUCH_NAME;
}

/** What stands before the ending; undefined where the name ends otherwise. */
function below(labels: readonly string[], ending: readonly string[]): string[] | undefined {
  const start = labels.length - ending.length;
  return ending.every((label, index) => labels[start + index] === label) ? labels.slice(0, start) : undefined;
}

/** The domain itself, and `svc` in it: they exist, and have nothing of their own. */
function isAbove(inCluster: readonly string[]): boolean {
  return inCluster.length === 0 || (inCluster.length === 1 && inCluster[0] === 'svc');
}

/** `path`: what stands before `svc`, such as `web.default`, `db-0.db.default` or `_http._tcp.web.default`. */
function serviceAnswer(path: readonly string[], name: string, type: string, zone: Zone): Answer {
  const [serviceName = '', namespace = ''] = path.slice(-2);
  const service = zone.service(namespace, serviceName);
  if (!service) return NO_SUCH_NAME;
  const endpoints = zone.endpoints(service);
  const rest = path.slice(0, -2);
  if (rest.length === 0) return { result: 'found', records: addresses(name, type, endpoints) };
  if (rest.length === 1) {
    const one = endpoints.filter((endpoint) => labelOf(endpoint) === rest[0]);
    return one.length === 0 ? NO_SUCH_NAME : { result: 'found', records: addresses(name, type, one) };
  }
  return portAnswer(rest, name, type, endpoints, `${serviceName}.${namespace}.svc.${CLUSTER_DOMAIN}`);
}

function addresses(name: string, type: string, endpoints: readonly Endpoint[]): DnsRecord[] {
  if (type !== 'A' && type !== 'AAAA') return [];
  return endpoints
    .filter(({ ip }) => ip.includes(':') === (type === 'AAAA'))
    .map(({ ip }) => ({ type, name, address: ip }));
}

/** `_port._protocol` in front of a Service. */
function portAnswer(
  rest: readonly string[],
  name: string,
  type: string,
  endpoints: readonly Endpoint[],
  domain: string,
): Answer {
  const [port, protocol] = rest;
  const records = endpoints.flatMap((endpoint) =>
    endpoint.ports
      .filter(
        (candidate) => `_${candidate.name}` === port && `_${candidate.protocol.toLowerCase()}` === protocol,
      )
      .map(({ number }) => ({
        type: 'SRV' as const,
        name,
        port: number,
        target: `${labelOf(endpoint)}.${domain}`,
      })),
  );
  if (rest.length > 2 || records.length === 0) return NO_SUCH_NAME;
  return { result: 'found', records: type === 'SRV' ? records : [] };
}

/** The name of a pod below its Service's: the one that it asked for, or its address. */
function labelOf({ hostname, ip }: Endpoint): string {
  return hostname ?? ip.replaceAll(/[.:]/g, '-');
}
