import type { ServicePort } from 'kubernetes-types/core/v1.d.ts';
import type { Pod, PodStatus, Service } from '../pod/pod.ts';

/** A pod behind a Service, as far as names lead to it. */
export interface Endpoint {
  readonly ip: string;
  /** Its own name below the Service's: only where the pod asks for one, with `hostname` and `subdomain`. */
  readonly hostname: string | undefined;
  readonly ports: readonly EndpointPort[];
}

export interface EndpointPort {
  /** Empty for the only port of a Service. */
  readonly name: string;
  readonly protocol: string;
  readonly number: number;
}

/** A pod of this device with what is known of it now. */
export interface LocalPod {
  readonly pod: Pod;
  readonly status: PodStatus | undefined;
}

/**
 * The pods of this device behind a Service: those that are ready, or all with an address if the Service publishes those
 * that are not.
 */
export function endpointsOf(service: Service, pods: Iterable<LocalPod>): Endpoint[] {
  const { namespace, name } = service.metadata;
  const { selector = {}, ports = [], publishNotReadyAddresses } = service.spec;
  const labels = Object.entries(selector);
  return [...pods].flatMap(({ pod, status }) => {
    const ip = status?.podIP;
    const selected =
      pod.metadata.namespace === namespace &&
      labels.every(([key, value]) => pod.metadata.labels?.[key] === value);
    if (!selected || !ip || !(publishNotReadyAddresses || isReady(status))) return [];
    const { hostname, subdomain } = pod.spec;
    return [
      {
        ip,
        hostname: subdomain === name ? hostname : undefined,
        ports: ports.flatMap((port) => endpointPort(pod, port)),
      },
    ];
  });
}

function isReady(status: PodStatus): boolean {
  return status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
}

/** None where the pod has no port of that name. */
function endpointPort(
  pod: Pod,
  { name = '', protocol = 'TCP', port, targetPort }: ServicePort,
): EndpointPort[] {
  const number = typeof targetPort === 'string' ? namedPort(pod, targetPort, protocol) : targetPort || port;
  return number === undefined ? [] : [{ name, protocol, number }];
}

function namedPort({ spec }: Pod, wanted: string, wantedProtocol: string): number | undefined {
  const containers = [...(spec.initContainers ?? []), ...spec.containers];
  const ports = containers.flatMap(({ ports }) => ports ?? []);
  return ports.find(({ name, protocol = 'TCP' }) => name === wanted && protocol === wantedProtocol)
    ?.containerPort;
}
