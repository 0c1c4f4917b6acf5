import type { Container } from 'kubernetes-types/core/v1.d.ts';
import { isSidecar, type Pod } from '../pod/pod.ts';
import { parseQuantity } from '../pod/quantity.ts';

/* Whether a pod fits beside those that are there, as the kubelet counts: who is bound to a node by name, nobody has weighed. Pure. */

const RESOURCES = ['pods', 'cpu', 'memory', 'ephemeral-storage'] as const;
type Resource = (typeof RESOURCES)[number];

/** Why a pod does not fit, in the kubelet's words: thousandths of a processor, bytes, pods. Undefined when it does. */
export function lackOfRoom(
  pod: Pod,
  others: readonly Pod[],
  allocatable: Readonly<Record<string, string>>,
): { readonly reason: string; readonly message: string } | undefined {
  for (const resource of RESOURCES) {
    const capacity = unitsOf(resource, allocatable[resource]) ?? Number.POSITIVE_INFINITY; // not known yet
    const requested = requestOf(pod, resource);
    const used = others.reduce((sum, other) => sum + requestOf(other, resource), 0);
    if (requested === 0 || used + requested <= capacity) continue;
    return {
      reason: `OutOf${resource}`,
      message: `Node didn't have enough resource: ${resource}, requested: ${requested}, used: ${used}, capacity: ${capacity}`,
    };
  }
  return undefined;
}

/** As https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#resource-sharing-within-containers has it. */
function requestOf(pod: Pod, resource: Resource): number {
  if (resource === 'pods') return 1;
  const { containers, initContainers = [], overhead = {} } = pod.spec;
  const of = ({ resources }: Container) => unitsOf(resource, resources?.requests?.[resource]) ?? 0;
  let staying = 0; // sidecars that have begun
  let most = 0;
  for (const each of initContainers) {
    most = Math.max(most, staying + of(each));
    if (isSidecar(pod, each.name)) staying += of(each);
  }
  const together = containers.reduce((sum, each) => sum + of(each), staying);
  return Math.max(most, together) + (unitsOf(resource, overhead[resource]) ?? 0);
}

function unitsOf(resource: Resource, text: string | undefined): number | undefined {
  const amount = parseQuantity(text);
  return amount !== undefined && resource === 'cpu' ? Math.round(amount * 1000) : amount;
}
