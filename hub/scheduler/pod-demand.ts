import type { Container, PodAffinityTerm } from 'kubernetes-types/core/v1.d.ts';
import { controllerOf, objectKey } from '../resources/object.ts';
import { podTotals } from '../resources/pod-totals.ts';
import { parseQuantity, toMilli, toNumber } from '../resources/quantity.ts';
import type { PodObject } from '../resources/typed.ts';

/** Amounts by resource name: CPU in thousandths, everything else in whole units. */
export type Amounts = ReadonlyMap<string, number>;

/** What of a pod decides where it fits, read once. */
export interface PodDemand {
  readonly key: string;
  readonly pod: PodObject;
  readonly requests: Amounts;
  /** `0.0.0.0:8080/TCP` */
  readonly hostPorts: readonly HostPort[];
  /** The uid of its controller: pods of one owner are spread. */
  readonly owner: string | undefined;
  readonly affinity: readonly PodAffinityTerm[];
  readonly antiAffinity: readonly PodAffinityTerm[];
}

export interface HostPort {
  readonly ip: string;
  readonly port: number;
  readonly protocol: string;
}

const ANY_IP = '0.0.0.0';

export function demandOf(pod: PodObject): PodDemand {
  const { affinity } = pod.spec;
  return {
    key: objectKey(pod),
    pod,
    requests: requestsOf(pod),
    hostPorts: pod.spec.containers.flatMap(hostPortsOf),
    owner: controllerOf(pod)?.uid,
    affinity: affinity?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [],
    antiAffinity: affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [],
  };
}

/** A quantity as a number in the unit that its resource is counted in. */
export function amountOf(resource: string, text: string | undefined): number {
  const quantity = parseQuantity(text ?? '0');
  if (!quantity) return 0;
  return resource === 'cpu' ? toMilli(quantity) : toNumber(quantity);
}

function requestsOf(pod: PodObject): Amounts {
  const requests = Object.entries(podTotals(pod).requests);
  return new Map([['pods', 1], ...requests.map(([name, text]) => [name, amountOf(name, text)] as const)]);
}

function hostPortsOf({ ports = [] }: Container): HostPort[] {
  return ports.flatMap(({ hostPort, hostIP, protocol }) =>
    hostPort ? [{ ip: hostIP || ANY_IP, port: hostPort, protocol: protocol || 'TCP' }] : [],
  );
}

export function portsConflict(a: HostPort, b: HostPort): boolean {
  const sameAddress = a.ip === b.ip || a.ip === ANY_IP || b.ip === ANY_IP;
  return a.port === b.port && a.protocol === b.protocol && sameAddress;
}
