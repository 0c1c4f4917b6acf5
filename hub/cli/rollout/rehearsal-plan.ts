import { isOffline, placementOn } from '../../controllers/daemon-set/placement.ts';
import { podsOfPlaces } from '../../controllers/deployment/places.ts';
import type { RolloutPolicySpec } from '../../fleet/rollout-policy.ts';
import { isActive } from '../../resources/pod-state.ts';
import type { DaemonSetObject, NodeObject, PodObject } from '../../resources/typed.ts';
import { POLICY_ANNOTATION, type WorkloadObject, type WorkloadReference } from './workload.ts';

/*
 * What is rehearsed of a workload, its policy and its devices. Pure.
 */

type Container = NonNullable<NonNullable<WorkloadObject['spec']['template']['spec']>['containers']>[number];
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
  /** How many pods of the workload it has. */
  readonly pods: number;
}

export interface Rehearsal {
  readonly reference: WorkloadReference;
  readonly devices: readonly RehearsalDevice[];
  readonly scenario: object;
  readonly policy: object;
  readonly workload: WorkloadObject;
  /** What goes otherwise than it would. */
  readonly notes: readonly string[];
}

export const SIMULATED_PREFIX = 'sim-';
/** The hub keeps these by what it sees. */
const OWN_TAINTS = 'node.kubernetes.io/';
/** Devices tell these themselves. */
const OWN_LABELS = ['kubernetes.io/hostname', 'node.kubernetes.io/instance-type'];

/** No scheduler of a hub is called that: the pods of a Deployment wait until the rehearsal puts them where they are. */
const NOBODY = 'rehearsal';

export interface RehearsalInput {
  readonly reference: WorkloadReference;
  readonly workload: WorkloadObject;
  readonly policyName: string;
  readonly policy: RolloutPolicySpec;
  readonly nodes: readonly NodeObject[];
  /** Of a Deployment: all that there are. */
  readonly pods: readonly PodObject[];
  /** At most so many devices. */
  readonly most: number;
  /** Of the user. */
  readonly scenario: { readonly groups?: readonly object[] };
}

export function planRehearsal(input: RehearsalInput): Rehearsal {
  const { reference, workload, policyName, policy, most, scenario } = input;
  const places = placesOf(input);
  const devices = spread(places.devices, most).map(deviceOf);
  const groups = devices.map(({ node, labels, isDark }, index) => ({
    name: `node ${node}`,
    devices: [index],
    labels,
    ...(isDark && { dark: [{ fromMs: 0 }] }),
  }));
  const left = [
    ...(places.devices.length > devices.length
      ? [`it is rehearsed with ${devices.length} of ${places.devices.length} devices (--devices)`]
      : []),
    ...places.notes,
    ...policyNotes(policy),
    ...templateNotes(workload),
  ];
  const replicas = devices.reduce((sum, { pods }) => sum + pods, 0);
  return {
    reference,
    devices,
    scenario: { ...scenario, groups: [...groups, ...(scenario.groups ?? [])] },
    policy: { metadata: { name: policyName }, spec: rehearsedPolicy(policy) },
    workload: rehearsedWorkload(reference, workload, replicas),
    notes: left,
  };
}

/** A device with as many pods as it has, or is to have. */
interface Place {
  readonly node: NodeObject;
  readonly pods: number;
}

interface Places {
  readonly devices: readonly Place[];
  readonly notes: readonly string[];
}

/** A DaemonSet goes where it matches; a Deployment is changed where the scheduler has put it. */
function placesOf({ reference, workload, nodes, pods }: RehearsalInput): Places {
  if (reference.kind === 'DaemonSet') {
    const matching = nodes.filter((node) => placementOn(workload as DaemonSetObject, node).shouldRun);
    return { devices: matching.map((node) => ({ node, pods: 1 })), notes: [] };
  }
  const byNode = Map.groupBy(podsOfPlaces(pods.filter(isActive)), ({ spec }) => spec.nodeName ?? '');
  const devices = nodes.flatMap((node) => {
    const there = byNode.get(node.metadata.name ?? '');
    return there ? [{ node, pods: there.length }] : [];
  });
  const pending = byNode.get('')?.length ?? 0;
  const isPaused = 'paused' in workload.spec && workload.spec.paused === true;
  return {
    devices,
    notes: [
      ...(pending > 0 ? [`pods that have no device yet are left out: ${pending}`] : []),
      ...(isPaused ? ['the Deployment is paused, and rehearsed as if it were not'] : []),
    ],
  };
}

/** Some of all of them, evenly: labels are often in the order of names. */
function spread(places: readonly Place[], most: number): readonly Place[] {
  if (places.length <= most) return places;
  return Array.from(
    { length: most },
    (_, index) => places[Math.floor((index * places.length) / most)],
  ).filter((place) => place !== undefined);
}

function deviceOf({ node, pods }: Place, index: number): RehearsalDevice {
  const { name = '', labels = {} } = node.metadata;
  return {
    name: `${SIMULATED_PREFIX}${index}`,
    node: name,
    labels: Object.fromEntries(Object.entries(labels).filter(([key]) => !OWN_LABELS.includes(key))),
    taints: (node.spec.taints ?? []).filter(({ key }) => !key.startsWith(OWN_TAINTS)),
    isDark: isOffline(node),
    pods,
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
function rehearsedWorkload(
  { kind }: WorkloadReference,
  { metadata, spec }: WorkloadObject,
  replicas: number,
): WorkloadObject {
  const isPlaced = kind === 'Deployment';
  const { template } = spec;
  const { annotations = {}, labels } = metadata;
  const policy = annotations[POLICY_ANNOTATION];
  const pod = template.spec;
  return {
    apiVersion: 'apps/v1',
    kind,
    metadata: {
      name: metadata.name,
      ...(labels && { labels }),
      annotations: { [POLICY_ANNOTATION]: policy },
    },
    spec: {
      ...(isPlaced && { replicas }),
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
          ...(isPlaced && { schedulerName: NOBODY }),
          automountServiceAccountToken: false,
          containers: pod?.containers.map(rehearsedContainer),
        },
      },
    },
  } as WorkloadObject;
}

function rehearsedContainer({ name, image, ...rest }: Container): object {
  const { livenessProbe, readinessProbe, startupProbe } = rest;
  const probes = Object.entries({ livenessProbe, readinessProbe, startupProbe });
  return { name, image, ...Object.fromEntries(probes.filter(([, probe]) => probe?.exec)) };
}

function templateNotes({ spec }: WorkloadObject): string[] {
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
