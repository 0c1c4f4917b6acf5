import { isOffline, placementOn } from '../../controllers/daemon-set/placement.ts';
import type { DeviceUpdateObject } from '../../fleet/device-update.ts';
import type { RolloutObject } from '../../fleet/rollout.ts';
import type { RolloutPolicySpec } from '../../fleet/rollout-policy.ts';
import { humanDuration } from '../../resources/human-duration.ts';
import type { DaemonSetObject, NodeObject } from '../../resources/typed.ts';
import { type Table, tableText } from '../print.ts';
import { POLICY_ANNOTATION } from './workload.ts';

/*
 * What is rehearsed of a workload, its policy and its devices, and what is told of it. Pure.
 */

type Container = NonNullable<NonNullable<DaemonSetObject['spec']['template']['spec']>['containers']>[number];
type Probe = NonNullable<Container['readinessProbe']>;
type Taints = NonNullable<NodeObject['spec']['taints']>;

/** Who stands for a device of the real fleet. */
export interface RehearsalDevice {
  /** Of the simulated one. */
  readonly name: string;
  /** Of the real one. */
  readonly node: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: Taints;
  readonly isDark: boolean;
}

export interface Rehearsal {
  readonly devices: readonly RehearsalDevice[];
  readonly scenario: object;
  readonly policy: object;
  readonly workload: object;
  /** What goes otherwise than it would. */
  readonly notes: readonly string[];
}

export const SIMULATED_PREFIX = 'sim-';
/** The hub keeps these by what it sees. */
const OWN_TAINTS = 'node.kubernetes.io/';
/** Devices tell these themselves. */
const OWN_LABELS = ['kubernetes.io/hostname', 'node.kubernetes.io/instance-type'];

export interface RehearsalInput {
  readonly workload: DaemonSetObject;
  readonly policyName: string;
  readonly policy: RolloutPolicySpec;
  readonly nodes: readonly NodeObject[];
  /** At most so many devices. */
  readonly most: number;
  /** Of the user. */
  readonly scenario: { readonly groups?: readonly object[] };
}

export function planRehearsal(input: RehearsalInput): Rehearsal {
  const { workload, policyName, policy, nodes, most, scenario } = input;
  const matching = nodes.filter((node) => placementOn(workload, node).shouldRun);
  const devices = spread(matching, most).map(deviceOf);
  const groups = devices.map(({ node, labels, isDark }, index) => ({
    name: `node ${node}`,
    devices: [index],
    labels,
    ...(isDark && { dark: [{ fromMs: 0 }] }),
  }));
  const left = [
    ...(matching.length > devices.length
      ? [`${devices.length} of ${matching.length} devices are rehearsed (--devices)`]
      : []),
    ...policyNotes(policy),
    ...templateNotes(workload),
  ];
  return {
    devices,
    scenario: { ...scenario, groups: [...groups, ...(scenario.groups ?? [])] },
    policy: { metadata: { name: policyName }, spec: rehearsedPolicy(policy) },
    workload: rehearsedWorkload(workload),
    notes: left,
  };
}

/** Some of all of them, evenly: labels are often in the order of names. */
function spread(nodes: readonly NodeObject[], most: number): readonly NodeObject[] {
  if (nodes.length <= most) return nodes;
  return Array.from({ length: most }, (_, index) => nodes[Math.floor((index * nodes.length) / most)]).filter(
    (node) => node !== undefined,
  );
}

function deviceOf(node: NodeObject, index: number): RehearsalDevice {
  const { name = '', labels = {} } = node.metadata;
  return {
    name: `${SIMULATED_PREFIX}${index}`,
    node: name,
    labels: Object.fromEntries(Object.entries(labels).filter(([key]) => !OWN_LABELS.includes(key))),
    taints: (node.spec.taints ?? []).filter(({ key }) => !key.startsWith(OWN_TAINTS)),
    isDark: isOffline(node),
  };
}

/** Nobody approves, nothing bakes, and nobody outside is asked. */
function rehearsedPolicy(policy: RolloutPolicySpec): object {
  const { windows: _, ...device } = policy.device;
  const { check, ...health } = policy.gates.health;
  return {
    ...policy,
    start: 'automatic',
    configuration: 'live',
    ...(policy.waves && {
      waves: policy.waves.map(({ bake: __, ...wave }) => ({ ...wave, approve: 'automatic' })),
    }),
    gates: {
      ...policy.gates,
      health: { ...health, ...(check?.exec && { check }) },
      measured: (policy.gates.measured ?? []).filter(({ devices }) => devices),
    },
    device,
  };
}

function policyNotes({ start, configuration, waves = [], gates, device }: RolloutPolicySpec): string[] {
  const asked = (gates.measured ?? []).filter(({ devices }) => !devices).map(({ name }) => name);
  const baking = waves.filter(({ bake }) => bake).map(({ name, bake }) => `${name} ${bake}`);
  const manual = waves.filter(({ approve }) => approve === 'manual').map(({ name }) => name);
  return [
    ...(start === 'manual' ? ['it is started at once'] : []),
    ...(manual.length > 0 ? [`waves are approved at once: ${manual.join(', ')}`] : []),
    ...(baking.length > 0 ? [`waves do not bake: ${baking.join(', ')}`] : []),
    ...(device.windows ? ['windows are always open'] : []),
    ...(gates.health.check?.httpGet ? ['the check by HTTP is left out'] : []),
    ...(asked.length > 0 ? [`gates that ask servers are left out: ${asked.join(', ')}`] : []),
    ...(configuration === 'revisioned' ? ['configuration is not part of the revision'] : []),
  ];
}

/** Simulated containers read nothing and answer commands only. */
function rehearsedWorkload({ metadata, spec }: DaemonSetObject): object {
  const { template } = spec;
  const { annotations = {}, labels } = metadata;
  const policy = annotations[POLICY_ANNOTATION];
  const pod = template.spec;
  return {
    metadata: {
      name: metadata.name,
      ...(labels && { labels }),
      annotations: { [POLICY_ANNOTATION]: policy },
    },
    spec: {
      selector: spec.selector,
      ...(spec.minReadySeconds && { minReadySeconds: spec.minReadySeconds }),
      template: {
        metadata: { labels: template.metadata?.labels },
        spec: {
          ...(pod?.nodeSelector && { nodeSelector: pod.nodeSelector }),
          ...(pod?.affinity && { affinity: pod.affinity }),
          ...(pod?.tolerations && { tolerations: pod.tolerations }),
          ...(pod?.terminationGracePeriodSeconds !== undefined && {
            terminationGracePeriodSeconds: pod.terminationGracePeriodSeconds,
          }),
          automountServiceAccountToken: false,
          containers: pod?.containers.map(rehearsedContainer),
        },
      },
    },
  };
}

function rehearsedContainer({ name, image, ...rest }: Container): object {
  const { livenessProbe, readinessProbe, startupProbe } = rest;
  const probes = Object.entries({ livenessProbe, readinessProbe, startupProbe });
  return { name, image, ...Object.fromEntries(probes.filter(([, probe]) => probe?.exec)) };
}

function templateNotes({ spec }: DaemonSetObject): string[] {
  const containers = spec.template.spec?.containers ?? [];
  const asked = (probe: Probe | undefined) => probe !== undefined && !probe.exec;
  const probed = containers.filter(
    ({ livenessProbe, readinessProbe, startupProbe }) =>
      asked(livenessProbe) || asked(readinessProbe) || asked(startupProbe),
  );
  return probed.length === 0
    ? []
    : [`probes by HTTP, TCP and gRPC are left out: ${probed.map(({ name }) => name).join(', ')}`];
}

/** How it went, for programs. */
export interface RehearsalReport {
  readonly workload: string;
  readonly devices: number;
  readonly phase: string;
  readonly message: string;
  readonly seconds: number;
  readonly waves: readonly {
    readonly name: string;
    readonly phase: string;
    readonly devices: number;
    readonly succeeded: number;
    readonly failed: number;
    readonly lost: number;
    readonly dark: number;
    readonly seconds?: number;
  }[];
  /** Real devices whose stand-ins did not take the revision, and why. */
  readonly failures: readonly { readonly node: string; readonly wave: string; readonly why: string }[];
  readonly notes: readonly string[];
}

export function rehearsalReport(
  { devices, notes }: Rehearsal,
  rollout: RolloutObject,
  rows: readonly DeviceUpdateObject[],
  tookMs: number,
): RehearsalReport {
  const { spec, status = {} } = rollout;
  const realName = new Map(devices.map(({ name, node }) => [name, node]));
  const failures = rows
    .map((row) => row.spec)
    .filter(({ step, class: is }) => is === 'lost' || FAILED_STEPS.includes(step))
    .map(({ node, wave, step, reason, message, class: is }) => ({
      node: realName.get(node) ?? node,
      wave,
      why: [is === 'lost' ? 'lost' : step, reason, message].filter(Boolean).join(': '),
    }));
  return {
    workload: spec.workload.name,
    devices: devices.length,
    phase: status.phase ?? 'Pending',
    message: status.message ?? '',
    seconds: seconds(tookMs),
    waves: (status.waves ?? []).map((wave) => {
      const { name, phase, devices: all, succeeded, failed, lost, dark, startedAt, finishedAt } = wave;
      const took = startedAt && finishedAt ? Date.parse(finishedAt) - Date.parse(startedAt) : undefined;
      const counts = { devices: all, succeeded, failed, lost, dark };
      return { name, phase, ...counts, ...(took !== undefined && { seconds: seconds(took) }) };
    }),
    failures,
    notes,
  };
}

const FAILED_STEPS: readonly string[] = ['Rejected', 'Failed'];
const seconds = (ms: number) => Math.round(ms / 100) / 10;

const FAILURES_TOLD = 20;

export function rehearsalText(report: RehearsalReport, columns?: number): string {
  const { workload, devices, phase, message, waves, failures, notes } = report;
  const table: Table = {
    head: ['WAVE', 'PHASE', 'DEVICES', 'SUCCEEDED', 'FAILED', 'LOST', 'DARK', 'TOOK'],
    rows: waves.map((wave) => [
      wave.name,
      wave.phase,
      `${wave.devices}`,
      `${wave.succeeded}`,
      `${wave.failed}`,
      `${wave.lost}`,
      `${wave.dark}`,
      wave.seconds === undefined ? '' : `${wave.seconds}s`,
    ]),
  };
  const failed: Table = {
    head: ['DEVICE', 'WAVE', 'WHY'],
    rows: failures.slice(0, FAILURES_TOLD).map(({ node, wave, why }) => [node, wave, why]),
  };
  const more = failures.length - FAILURES_TOLD;
  return [
    '',
    `${workload} on ${devices} simulated devices: ${phase} after ${humanDuration(report.seconds * 1000)}${message ? ` (${message})` : ''}`,
    '',
    tableText(table, columns),
    ...(failures.length > 0 ? ['', tableText(failed, columns)] : []),
    ...(more > 0 ? [`and ${more} more`] : []),
    ...(notes.length > 0 ? ['', ...notes.map((note) => `Note: ${note}`)] : []),
  ].join('\n');
}
