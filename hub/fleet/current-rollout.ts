import type { Registry } from '../registry/registry.ts';
import type { ResourceDefinition } from '../resources/definition.ts';
import type { KubeObject } from '../resources/object.ts';
import type { AgentReleaseObject } from './agent-release.ts';
import { type DeviceUpdateObject, deviceUpdates } from './device-update.ts';
import { POLICY_ANNOTATION } from './fleet-kind.ts';
import { type Revision, type RolloutObject, rollouts } from './rollout.ts';

/** The policy that a workload refers to; undefined for one that is changed in Kubernetes' own way. */
export function policyNameOf({ kind, metadata, ...rest }: KubeObject): string | undefined {
  if (kind === 'AgentRelease') return (rest as unknown as Pick<AgentReleaseObject, 'spec'>).spec.policy;
  return metadata.annotations?.[POLICY_ANNOTATION] || undefined;
}

/** The workloads of a kind that refer to the policy. */
export function workloadsUnder(
  registry: Registry,
  resource: ResourceDefinition,
  { metadata }: KubeObject,
): readonly KubeObject[] {
  const { items } = registry.list(resource, { namespace: metadata.namespace ?? '' });
  return items.filter((workload) => policyNameOf(workload) === metadata.name);
}

/** All rollouts of a workload, the newest first. */
export function rolloutsOf(registry: Registry, workload: KubeObject): readonly RolloutObject[] {
  const found = registry.byIndex(
    rollouts,
    'workload',
    workload.metadata.uid ?? '',
  ) as readonly RolloutObject[];
  return found.toSorted((a, b) => b.spec.to.number - a.spec.to.number);
}

/** The rollout that took the workload's template back, unless there was another change since. */
export function undoneLast(registry: Registry, workload: KubeObject): RolloutObject | undefined {
  const [newest, before] = rolloutsOf(registry, workload);
  const undone = newest?.spec.type === 'undo' ? before : newest;
  return undone?.status?.phase === 'Undone' ? undone : undefined;
}

const PREFIXES: Readonly<Record<string, string>> = { Deployment: 'deploy-', AgentRelease: 'agent-' };

/**
 * How the objects of a workload's rollouts are named after it: those of a DaemonSet as it is, for most are; others
 * may have the same name.
 */
export function nameInFleet(kind: string, name: string): string {
  return `${PREFIXES[kind] ?? ''}${name}`;
}

/** Whether a pod that goes comes again on the same device: then a device has one, or none yet. */
export function keepsPlaces(kind: string): boolean {
  return kind !== 'Deployment';
}

/** The row of one device for one workload, by its name in the fleet. */
export function rowName(workload: string, node: string): string {
  return `${workload}.${node}`;
}

/** What a device should run that has not taken the new revision: also one that has just joined. */
export function baselineOf({ spec, status }: RolloutObject): Revision {
  return spec.type === 'undo' || status?.phase === 'Succeeded' ? spec.to : spec.from;
}

/** The hash of the revision that a node should run by the newest rollout, when none of its pods is there. */
export function revisionOn(
  registry: Registry,
  workload: KubeObject,
  newest: RolloutObject,
  node: string,
): string {
  const { namespace, name = '' } = workload.metadata;
  const row = registry.get(deviceUpdates, namespace, rowName(name, node)) as DeviceUpdateObject | undefined;
  const hasTaken = row?.spec.step === 'Succeeded' && row.spec.rollout === newest.metadata.name;
  return hasTaken ? newest.spec.to.hash : baselineOf(newest).hash;
}
