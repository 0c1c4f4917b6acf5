import type { DeviceUpdateSpec } from '../../../hub/fleet/device-update.ts';
import type { RolloutObject, RolloutStatus, WaveStatus } from '../../../hub/fleet/rollout.ts';
import type { DaemonSetObject, NodeObject, PodObject } from '../../../hub/resources/typed.ts';
import { policyOf } from '../controllers/rollout/world.ts';

/* Objects as the API gives them, as far as the commands look at them. */

export const NOW = '2026-01-01T12:00:00Z';
export const NOW_MS = Date.parse(NOW);

export function nodeOf(
  name: string,
  { labels = {}, ready = 'True', since = '2026-01-01T11:00:00Z', ...spec }: NodeOptions = {},
): NodeObject {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels, creationTimestamp: '2026-01-01T00:00:00Z' },
    spec,
    status: {
      conditions: [{ type: 'Ready', status: ready, lastTransitionTime: since }],
      nodeInfo: { kubeletVersion: 'v1.0.0' },
    },
  } as unknown as NodeObject;
}

interface NodeOptions {
  readonly labels?: Readonly<Record<string, string>>;
  readonly ready?: 'True' | 'False' | 'Unknown';
  readonly since?: string;
  readonly taints?: readonly object[];
  readonly unschedulable?: boolean;
}

export function setOf(
  podSpec: object = {},
  annotations: object | null = { 'fleet.holdfast.dev/rollout-policy': 'p' },
) {
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'app', namespace: 'default', ...(annotations && { annotations }) },
    spec: {
      selector: { matchLabels: { app: 'app' } },
      template: { metadata: { labels: { app: 'app' } }, spec: { containers: [], ...podSpec } },
    },
  } as unknown as DaemonSetObject;
}

export function rolloutOf(status: RolloutStatus, policy: object = {}, more: object = {}): RolloutObject {
  return {
    apiVersion: 'fleet.holdfast.dev/v1',
    kind: 'Rollout',
    metadata: { name: 'app-3', namespace: 'default', creationTimestamp: '2026-01-01T11:50:00Z' },
    spec: {
      workload: { apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'app' },
      policyName: 'p',
      policy: policyOf(policy),
      from: { number: 2, hash: 'two' },
      to: { number: 3, hash: 'three' },
      type: 'change',
      ...more,
    },
    status,
  } as RolloutObject;
}

export function waveOf(
  name: string,
  phase: WaveStatus['phase'],
  counts: Partial<WaveStatus> = {},
): WaveStatus {
  const none = { devices: 0, pending: 0, updating: 0, succeeded: 0, failed: 0, lost: 0, dark: 0 };
  return { ...none, name, phase, ...counts };
}

export function rowOf(row: Partial<DeviceUpdateSpec> = {}): DeviceUpdateSpec {
  return {
    workload: 'app',
    node: 'press',
    rollout: 'app-3',
    wave: '',
    class: 'reachable',
    step: 'Waiting',
    since: '2026-01-01T11:55:00Z',
    ...row,
  };
}

export function podOf(name: string, owner: string | undefined, more: object = {}): PodObject {
  const ownerReferences = owner && [
    { kind: owner, name: 'o', uid: 'u', apiVersion: 'apps/v1', controller: true },
  ];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', uid: name, ...(ownerReferences && { ownerReferences }) },
    spec: { containers: [], ...more },
    status: { phase: 'Running' },
  } as unknown as PodObject;
}
