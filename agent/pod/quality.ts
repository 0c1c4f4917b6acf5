import { type Container, isSidecar, ownContainersOf, type Pod } from './pod.ts';
import { parseQuantity } from './quantity.ts';

/* Who goes first when memory runs out. Pure. */

const COUNTED = ['cpu', 'memory'] as const;
/** From here on a priority is that of what the system needs. */
const SYSTEM_CRITICAL_PRIORITY = 2_000_000_000;
const NODE_CRITICAL_PRIORITY = SYSTEM_CRITICAL_PRIORITY + 1_000;

/** What the kernel is told: https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/#node-out-of-memory-behavior */
const OOM_SCORE = { guaranteed: -997, bestEffort: 1000, mostBurstable: 999, leastBurstable: 3 } as const;
/** Of what holds a pod's network: it needs next to nothing, and all of the pod goes with it. */
export const INFRA_OOM_SCORE = -998;

/** https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/ */
export function qosClassOf(pod: Pod): 'Guaranteed' | 'Burstable' | 'BestEffort' {
  const containers = ownContainersOf(pod);
  if (containers.every(isBestEffort)) return 'BestEffort';
  return containers.every(isGuaranteed) ? 'Guaranteed' : 'Burstable';
}

/** Whether it goes last of all: what the device itself says is to run, and what the system needs. */
export function isCritical({ metadata: { annotations = {} }, spec: { priority = 0 } }: Pod): boolean {
  const source = annotations['kubernetes.io/config.source'] ?? 'api';
  return (
    source !== 'api' || 'kubernetes.io/config.mirror' in annotations || priority >= SYSTEM_CRITICAL_PRIORITY
  );
}

/** As the kubelet has it: the more of the memory it asked for, the later it is killed. */
export function oomScoreOf(
  pod: Pod,
  container: Pick<Container, 'name' | 'resources'>,
  nodeBytes: number,
): number {
  if ((pod.spec.priority ?? 0) >= NODE_CRITICAL_PRIORITY) return OOM_SCORE.guaranteed;
  const quality = qosClassOf(pod);
  if (quality === 'Guaranteed') return OOM_SCORE.guaranteed;
  if (quality === 'BestEffort') return OOM_SCORE.bestEffort;
  const own = burstableScore(container, nodeBytes);
  if (!isSidecar(pod, container.name)) return own;
  // What serves the others is not to go before them.
  return Math.min(own, ...pod.spec.containers.map((each) => burstableScore(each, nodeBytes)));
}

function burstableScore({ resources }: Pick<Container, 'resources'>, nodeBytes: number): number {
  const request = parseQuantity(resources?.requests?.['memory'] ?? resources?.limits?.['memory']) ?? 0;
  const score = 1000 - Math.floor((1000 * request) / Math.max(1, nodeBytes));
  return Math.min(OOM_SCORE.mostBurstable, Math.max(OOM_SCORE.leastBurstable, score));
}

function isBestEffort({ resources }: Container): boolean {
  return COUNTED.every(
    (name) => !(parseQuantity(resources?.limits?.[name]) || parseQuantity(resources?.requests?.[name])),
  );
}

function isGuaranteed({ resources }: Container): boolean {
  return COUNTED.every((name) => {
    const limit = parseQuantity(resources?.limits?.[name]);
    return Boolean(limit) && (parseQuantity(resources?.requests?.[name]) ?? limit) === limit;
  });
}
