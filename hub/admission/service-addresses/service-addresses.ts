import type { ServicePort, ServiceSpec } from 'kubernetes-types/core/v1.d.ts';
import { ApiError, type FieldError, invalid } from '../../resources/api-error.ts';
import { invalidValue } from '../../resources/field-errors.ts';
import { hasNodePorts, isHeadless, needsHealthCheck } from '../../resources/service-validation.ts';
import { services } from '../../resources/table-of-resources.ts';
import type { ServiceObject } from '../../resources/typed.ts';
import { writes } from '../is-resource.ts';
import type { AdmissionPlugin } from '../plugin.ts';
import type { Reservation, ServiceLedger } from './service-ledger.ts';
import type { Family } from './service-ranges.ts';

/**
 * Gives Services their addresses and ports, as kube-apiserver does. Whatever a Service had and has no more is free as
 * soon as the write is stored; a dry run is answered with what would be given, and leaves it free.
 */
export function serviceAddresses(ledger: ServiceLedger): AdmissionPlugin {
  return {
    check: (request) => {
      if (!writes(request, services)) return undefined;
      const service = request.object as ServiceObject;
      const old = request.old as ServiceObject | undefined;
      const reservation = ledger.reservation(service.metadata.uid ?? '');
      try {
        giveAddresses(service, old?.spec, ledger.families, reservation);
        giveNodePorts(service, old?.spec, reservation);
        giveHealthCheckPort(service, old?.spec, reservation);
      } catch (error) {
        reservation.end();
        throw error;
      }
      return () => reservation.end();
    },
  };
}

function giveAddresses(
  service: ServiceObject,
  old: ServiceSpec | undefined,
  configured: readonly Family[],
  reservation: Reservation,
): void {
  const { spec } = service;
  if (spec.type === 'ExternalName') return;
  const { families, error } = familiesOf(spec, configured);
  if (error) throw refusal(service, error);
  spec.ipFamilies = families;
  if (isHeadless(spec)) {
    spec.clusterIP = 'None';
    spec.clusterIPs = ['None'];
    return;
  }
  const given = spec.clusterIPs ?? [];
  spec.clusterIPs = families.map((family, index) => {
    const address = given[index];
    if (!address) return allocated('a serviceIP', () => reservation.nextAddress(family));
    if (old?.clusterIPs?.includes(address)) return address;
    const why = whyNot(() => reservation.takeAddress(family, address));
    if (!why) return address;
    throw refusal(
      service,
      invalidValue('spec.clusterIPs', given, `failed to allocate IP ${address}: ${why}`),
    );
  });
  Object.assign(spec, { clusterIP: spec.clusterIPs[0] });
}

/** The families that the Service will have, or what is wrong with those that it wants. Pure. */
export function familiesOf(
  { ipFamilyPolicy, ipFamilies = [], clusterIP, clusterIPs, selector = {} }: ServiceSpec,
  configured: readonly Family[],
): { families: Family[]; error?: FieldError } {
  const families = ipFamilies as Family[];
  const headless = (clusterIPs?.[0] ?? clusterIP) === 'None';
  if (headless && Object.keys(selector).length === 0) return { families }; // somebody else knows its endpoints
  const foreign = families.findIndex((family) => !configured.includes(family));
  if (foreign >= 0) {
    const detail = 'not configured on this cluster';
    return { families, error: invalidValue(`spec.ipFamilies[${foreign}]`, families[foreign], detail) };
  }
  if (ipFamilyPolicy === 'RequireDualStack' && configured.length < 2) {
    const detail = 'this cluster is not configured for dual-stack services';
    return { families, error: invalidValue('spec.ipFamilyPolicy', ipFamilyPolicy, detail) };
  }
  if (ipFamilyPolicy === 'SingleStack') return { families };
  return { families: [...new Set([...families, ...configured])] };
}

/** A port number that is served by several protocols has the same node port for each, unless asked for another. */
function giveNodePorts(service: ServiceObject, old: ServiceSpec | undefined, reservation: Reservation): void {
  const { spec } = service;
  if (!hasNodePorts(spec)) return;
  const kept = new Set((old?.ports ?? []).map(({ nodePort }) => nodePort));
  const byPort = new Map<number, number>();
  const give = (port: ServicePort, index: number) => {
    const { nodePort } = port;
    if (nodePort && !kept.has(nodePort)) {
      const why = whyNot(() => reservation.takePort(nodePort));
      if (why) throw refusal(service, invalidValue(`spec.ports[${index}].nodePort`, nodePort, why));
    }
    if (!nodePort && allocatesNodePorts(spec))
      port.nodePort = byPort.get(port.port) ?? allocated('a nodePort', () => reservation.nextPort());
    if (port.nodePort) byPort.set(port.port, port.nodePort);
  };
  for (const [index, port] of (spec.ports ?? []).entries()) give(port, index);
}

function allocatesNodePorts(spec: ServiceSpec): boolean {
  return spec.type === 'NodePort' || spec.allocateLoadBalancerNodePorts !== false;
}

function giveHealthCheckPort(
  { spec }: ServiceObject,
  old: ServiceSpec | undefined,
  reservation: Reservation,
): void {
  if (!needsHealthCheck(spec)) return;
  const { healthCheckNodePort: wanted, ports = [] } = spec;
  if (wanted && wanted === old?.healthCheckNodePort) return;
  if (!wanted) {
    spec.healthCheckNodePort = allocated('a HealthCheck NodePort', () => reservation.nextPort());
    return;
  }
  allocated(`requested HealthCheck NodePort ${wanted}`, () => {
    if (ports.some(({ nodePort }) => nodePort === wanted))
      throw new Error('provided port is already allocated');
    reservation.takePort(wanted);
  });
}

function whyNot(take: () => void): string | undefined {
  try {
    take();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** What Kubernetes calls an internal error: there is nothing that the client could write instead. */
function allocated<T>(what: string, take: () => T): T {
  try {
    return take();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const message = `Internal error occurred: failed to allocate ${what}: ${why}`;
    throw new ApiError(500, 'InternalError', message, undefined, { cause: error });
  }
}

function refusal({ metadata }: ServiceObject, error: FieldError): ApiError {
  return invalid(services.group, services.kind, metadata.name ?? '', [error]);
}
