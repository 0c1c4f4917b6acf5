import type { Pod, Service } from './pod.ts';

/** Where pods find the API: the hub, as this device reaches it. */
export interface ApiAddress {
  readonly host: string;
  readonly port: number;
}

/** Of the Service by which pods know the API: they are told of it whatever they ask for. */
const API_NAME = 'kubernetes';

/**
 * The variables that tell containers where Services are: those of the pod's namespace that this device knows, and the
 * API. Pure. https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
 */
export function serviceVariables(
  { metadata: { namespace }, spec }: Pod,
  services: Iterable<Service>,
  api: ApiAddress | undefined,
): Map<string, string> {
  const links = spec.enableServiceLinks === false ? [] : [...services];
  const own = links.filter(({ metadata }) => metadata.namespace === namespace);
  return new Map([
    ...(api ? variablesOf(API_NAME, api.host, [{ name: 'https', port: api.port }]) : []),
    ...own.flatMap(({ metadata, spec: { clusterIP, ports = [] } }) =>
      !clusterIP || clusterIP === 'None' ? [] : variablesOf(metadata.name, clusterIP, ports),
    ),
  ]);
}

interface Port {
  readonly name?: string;
  readonly port: number;
  readonly protocol?: string;
}

function variablesOf(service: string, host: string, ports: readonly Port[]): [string, string][] {
  const prefix = variableName(service);
  const [first] = ports;
  if (!first) return [];
  return [
    [`${prefix}_SERVICE_HOST`, host],
    [`${prefix}_SERVICE_PORT`, `${first.port}`],
    ...ports.flatMap(({ name, port }): [string, string][] =>
      name ? [[`${prefix}_SERVICE_PORT_${variableName(name)}`, `${port}`]] : [],
    ),
    [`${prefix}_PORT`, urlOf(host, first)],
    ...ports.flatMap((port) => linkVariables(prefix, host, port)),
  ];
}

/** As containers that Docker linked were told of each other. */
function linkVariables(prefix: string, host: string, port: Port): [string, string][] {
  const { protocol = 'TCP' } = port;
  const name = `${prefix}_PORT_${port.port}_${protocol.toUpperCase()}`;
  return [
    [name, urlOf(host, port)],
    [`${name}_PROTO`, protocol.toLowerCase()],
    [`${name}_PORT`, `${port.port}`],
    [`${name}_ADDR`, host],
  ];
}

function urlOf(host: string, { port, protocol = 'TCP' }: Port): string {
  return `${protocol.toLowerCase()}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function variableName(name: string): string {
  return name.toUpperCase().replaceAll('-', '_');
}
