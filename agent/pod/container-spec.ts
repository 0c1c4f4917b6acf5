import type {
  ContainerIdentity,
  ContainerSpec,
  DeviceGrant,
  Namespace,
  PortBinding,
  Resolver,
} from '../runtime/runtime.ts';
import { ConfigurationError } from './configuration-error.ts';
import { type EnvironmentContext, environment, expand } from './environment.ts';
import { extraHostsOf, hostNamesOf } from './hosts.ts';
import type { Joins } from './observation.ts';
import { type Container, graceSecondsOf, ownContainersOf, type Pod, specHash } from './pod.ts';
import { INFRA_OOM_SCORE, oomScoreOf } from './quality.ts';
import { parseQuantity } from './quantity.ts';
import { securityOf, sysctlsOf } from './security.ts';
import { DEFAULT_MESSAGE_PATH } from './termination-message.ts';
import { mountsOf, type PlannedMount, type VolumeContext, type VolumeRoots } from './volumes.ts';

/** What a container is made of, beside the pod itself. */
export interface ContainerContext extends EnvironmentContext {
  readonly roots: VolumeRoots;
  readonly volumeOf: VolumeContext['volumeOf'];
  /** How the pod looks names up; undefined: as the engine sees fit. */
  readonly resolver: Resolver | undefined;
  readonly attempt: number;
  readonly crashes: number;
  /** What it shares with containers that run already. */
  readonly joins: Joins;
  /** When the pod came to this device, in ms of the wall clock. */
  readonly podSinceMs: number;
  /** The devices that the pod has for itself, as a label has it, and those of them that are this container's. */
  readonly podDevices: string;
  readonly devices: readonly DeviceGrant[];
  readonly pidsLimit: number | undefined;
  /** Of the device: from it follows who is killed first when there is none left. */
  readonly nodeMemoryBytes: number;
  /** The file that becomes its `terminationMessagePath`; undefined where there is no room for one. */
  readonly messageFile: string | undefined;
}

/** A container that is complete but for where some of its mounts are. */
export interface PlannedContainer extends ContainerSpec {
  readonly mounts: readonly PlannedMount[];
}

/** The container with all of Kubernetes' indirections resolved. Throws ConfigurationError. */
export function containerSpec(pod: Pod, container: Container, context: ContainerContext): PlannedContainer {
  refuseUnsupported(pod, container);
  const values = environment(pod, container, context);
  const expanded = (words: readonly string[] | undefined) => words?.map((word) => expand(word, values));
  const entrypoint = expanded(container.command);
  const command = expanded(container.args);
  const { joins } = context;
  const { hostNetwork, hostPID, hostIPC } = pod.spec;
  const ipc = hostIPC || joins.ipc ? namespaceOf(joins.ipc, hostIPC) : undefined;
  return {
    identity: identityOf(pod, container.name, specHash(pod, container), context),
    image: container.image ?? '',
    ...(entrypoint && { entrypoint }),
    ...(command && { command }),
    env: [...values].map(([name, value]) => `${name}=${value}`),
    ...(container.workingDir && { workingDir: container.workingDir }),
    ...namesOf(pod),
    ...(context.resolver && { resolver: context.resolver }),
    ports: joins.network ? [] : portsOf(container),
    network: namespaceOf(joins.network, hostNetwork),
    processes: namespaceOf(joins.processes, hostPID),
    ...(ipc && { ipc }),
    ...resourcesOf(container),
    ...(context.pidsLimit && { pidsLimit: context.pidsLimit }),
    oomScore: oomScoreOf(pod, container, context.nodeMemoryBytes),
    ...(context.devices.length > 0 && { devices: context.devices }),
    ...securityOf(pod, container),
    ...(!joins.infra && sysctlsOf(pod)),
    mounts: [...mountsOf(pod, container, context, values), ...messageMount(container, context.messageFile)],
    tty: container.tty ?? false,
    stdin: container.stdin ?? false,
    stdinOnce: container.stdinOnce ?? false,
    ...stopSignalOf(container),
  };
}

function messageMount({ terminationMessagePath }: Container, file: string | undefined): PlannedMount[] {
  if (!file) return [];
  const target = terminationMessagePath || DEFAULT_MESSAGE_PATH;
  return [{ source: file, target, readOnly: false, isOurs: true }];
}

/** Kubernetes' newest way to say it; the types that we build on do not have it yet. */
function stopSignalOf({ lifecycle }: Container): Pick<ContainerSpec, 'stopSignal'> {
  const { stopSignal } = (lifecycle ?? {}) as { stopSignal?: string };
  return stopSignal ? { stopSignal } : {};
}

/** The container that holds the pod's network and processes, and publishes the ports of all its containers. */
export function infraSpec(
  pod: Pod,
  image: string,
  {
    attempt,
    podSinceMs,
    podDevices,
    podIp,
    network,
    resolver,
  }: Pick<ContainerContext, 'attempt' | 'podDevices' | 'podSinceMs' | 'resolver'> & {
    podIp: string;
    network: Namespace;
  },
): ContainerSpec {
  // Kubernetes' API asks for it with an unmasked /proc, which the device's owner has to allow.
  const isUnmasked = ownContainersOf(pod).some(({ securityContext: own }) => own?.procMount === 'Unmasked');
  if (pod.spec.hostUsers === false && !isUnmasked)
    throw new ConfigurationError(
      'user namespaces are not supported on this device: leave out "hostUsers: false"',
    );
  return {
    identity: {
      ...identityOf(pod, '', '', { attempt, podDevices, podSinceMs, crashes: 0, joins: {} }),
      role: 'infra',
      podIp,
    },
    image,
    env: [],
    ...namesOf(pod),
    ...(resolver && { resolver }),
    mounts: [],
    ports: ownContainersOf(pod).flatMap(portsOf),
    network,
    ...sysctlsOf(pod),
    ipc: { type: pod.spec.hostIPC ? 'host' : 'offered' },
    readOnlyRoot: true,
    // To filter the calls of a program that only waits costs a tenth of its start. Who shares its processes could use it.
    ...(!pod.spec.shareProcessNamespace && { seccomp: { type: 'none' } }),
    oomScore: INFRA_OOM_SCORE,
  };
}

function namespaceOf(joined: string | undefined, ofHost: boolean | undefined): Namespace {
  return joined ? { type: 'container', id: joined } : { type: ofHost ? 'host' : 'own' };
}

function identityOf(
  pod: Pod,
  container: string,
  hash: string,
  {
    attempt,
    crashes,
    joins,
    podDevices,
    podSinceMs,
  }: Pick<ContainerContext, 'attempt' | 'crashes' | 'joins' | 'podDevices' | 'podSinceMs'>,
): ContainerIdentity {
  const { uid, namespace, name } = pod.metadata;
  return {
    role: 'container',
    podUid: uid,
    podNamespace: namespace,
    podName: name,
    container,
    attempt,
    specHash: hash,
    crashes,
    graceSeconds: graceSecondsOf(pod),
    infra: joins.infra ?? '',
    podSinceMs,
    podIp: joins.podIp ?? '',
    podDevices,
  };
}

/** What this agent cannot do yet is said, not left out in silence: a pod must not run as something else than it asks. */
function refuseUnsupported(pod: Pod, container: Container): void {
  const { spec } = pod;
  const asks: [boolean, string][] = [
    [Boolean(container.volumeDevices?.length), `containers[${container.name}].volumeDevices`],
    [isStrict(spec.securityContext), 'securityContext.supplementalGroupsPolicy=Strict'],
    [Boolean(spec.runtimeClassName), 'runtimeClassName'],
  ];
  const unsupported = asks.filter(([asked]) => asked).map(([, field]) => `spec.${field}`);
  if (unsupported.length === 0) return;
  throw new ConfigurationError(
    `${unsupported.join(', ')}: not supported by this agent yet; remove it from the pod`,
  );
}

/** The engine adds the groups that the image gives to its user, always. */
function isStrict(securityContext: object | undefined): boolean {
  return (securityContext as { supplementalGroupsPolicy?: string })?.supplementalGroupsPolicy === 'Strict';
}

function namesOf(pod: Pod): Pick<ContainerSpec, 'hostname' | 'domain' | 'extraHosts'> {
  return { ...hostNamesOf(pod), extraHosts: extraHostsOf(pod) };
}

function portsOf({ ports }: Container): PortBinding[] {
  return (ports ?? []).map(({ containerPort, protocol = 'TCP', hostPort = 0, hostIP = '' }) => ({
    containerPort,
    protocol: protocol.toLowerCase() as PortBinding['protocol'],
    hostPort,
    hostIp: hostIP,
  }));
}

function resourcesOf({ resources }: Container): Partial<ContainerSpec> {
  const cpu = parseQuantity(resources?.limits?.['cpu']);
  const cpuRequest = parseQuantity(resources?.requests?.['cpu']);
  const memory = parseQuantity(resources?.limits?.['memory']);
  return {
    ...(cpu && { cpuMilli: Math.ceil(cpu * 1000) }),
    ...(cpuRequest && { cpuRequestMilli: Math.ceil(cpuRequest * 1000) }),
    ...(memory && { memoryBytes: Math.ceil(memory) }),
  };
}
