import type { PodSpec, Toleration } from 'kubernetes-types/core/v1.d.ts';
import { matchesNodeAffinity, readinessOf, untoleratedTaint } from '../../resources/node-matching.ts';
import type { DaemonSetObject, NodeObject } from '../../resources/typed.ts';
import { sameJson } from '../../schema/json-type.ts';

/**
 * What a daemon puts up with: it belongs to its node in good times and bad. Kubernetes' list, and, other than there,
 * also NoSchedule of a node out of reach: a device that is offline has its pod assigned before it comes back.
 */
const DAEMON_TOLERATIONS: readonly Toleration[] = [
  ['not-ready', 'NoExecute'],
  ['not-ready', 'NoSchedule'],
  ['unreachable', 'NoExecute'],
  ['unreachable', 'NoSchedule'],
  ['disk-pressure', 'NoSchedule'],
  ['memory-pressure', 'NoSchedule'],
  ['pid-pressure', 'NoSchedule'],
  ['unschedulable', 'NoSchedule'],
].map(([name, effect]) => ({ key: `node.kubernetes.io/${name}`, operator: 'Exists', effect: `${effect}` }));

const NETWORK_UNAVAILABLE: Toleration = {
  key: 'node.kubernetes.io/network-unavailable',
  operator: 'Exists',
  effect: 'NoSchedule',
};

/** What the pods of a DaemonSet tolerate: the template's and the daemons' own. */
export function daemonTolerations({ tolerations = [], hostNetwork }: PodSpec): Toleration[] {
  const own = hostNetwork ? [...DAEMON_TOLERATIONS, NETWORK_UNAVAILABLE] : DAEMON_TOLERATIONS;
  return [...tolerations, ...own.filter((each) => !tolerations.some((other) => sameJson(each, other)))];
}

export interface Placement {
  /** A pod should be there. */
  readonly shouldRun: boolean;
  /** One that is there may stay. */
  readonly mayStay: boolean;
}

const NOWHERE: Placement = { shouldRun: false, mayStay: false };

export function placementOn({ spec }: DaemonSetObject, node: NodeObject): Placement {
  const podSpec = spec.template.spec;
  if (!podSpec || node.metadata.deletionTimestamp !== undefined) return NOWHERE;
  if (podSpec.nodeName && podSpec.nodeName !== node.metadata.name) return NOWHERE;
  if (!matchesNodeAffinity(podSpec, node)) return NOWHERE;
  const taints = node.spec.taints ?? [];
  if (taints.length === 0) return { shouldRun: true, mayStay: true };
  const tolerations = daemonTolerations(podSpec);
  return {
    shouldRun: !untoleratedTaint(taints, tolerations, ['NoSchedule', 'NoExecute']),
    mayStay: !untoleratedTaint(taints, tolerations, ['NoExecute']),
  };
}

/** A device that is out of reach: what happens there does not hold up the others. */
export function isOffline(node: NodeObject): boolean {
  return readinessOf(node) !== 'True';
}

/** Whether anything changed that placement depends on: most changes of a node are its heartbeats. */
export function isSamePlace(a: NodeObject, b: NodeObject): boolean {
  return (
    sameJson(a.metadata.labels, b.metadata.labels) &&
    sameJson(a.spec, b.spec) &&
    isOffline(a) === isOffline(b) &&
    a.metadata.deletionTimestamp === b.metadata.deletionTimestamp
  );
}
