import type {
  ContainerIdentity,
  ContainerSpec,
  Mount,
  Namespace,
  PortBinding,
  Resolver,
} from '../runtime/runtime.ts';
import { ConfigurationError, environment, expand, type Placement } from './environment.ts';
import type { Joins } from './observation.ts';
import {
  type Configuration,
  type Container,
  graceSecondsOf,
  ownContainersOf,
  type Pod,
  specHash,
} from './pod.ts';
import { parseQuantity } from './quantity.ts';
import { securityOf, sysctlsOf } from './security.ts';
import { DEFAULT_MESSAGE_PATH } from './termination-message.ts';
import { mountsOf, type VolumeRoots } from './volumes.ts';

const MAX_HOSTNAME_LENGTH = 63;

/** What a container is made of, beside the pod itself. */
export interface ContainerContext {
  readonly configuration: Configuration;
  readonly roots: VolumeRoots;
  readonly placement: Placement;
  /** How the pod looks names up; undefined: as the engine sees fit. */
  readonly resolver: Resolver | undefined;
  readonly attempt: number;
  readonly crashes: number;
  /** What it shares with containers that run already. */
  readonly joins: Joins;
  /** When the pod came to this device, in ms of the wall clock. */
  readonly podSinceMs: number;
  /** The file that becomes its `terminationMessagePath`; undefined where there is no room for one. */
  readonly messageFile: string | undefined;
}

/** The container with all of Kubernetes' indirections resolved. Throws ConfigurationError. */
export function containerSpec(pod: Pod, container: Container, context: ContainerContext): ContainerSpec {
  refuseUnsupported(pod, container);
  const env = environment(pod, container, context.configuration, context.placement);
  const values = new Map(
    env.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
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
    env,
    ...(container.workingDir && { workingDir: container.workingDir }),
    hostname: hostnameOf(pod),
    ...(context.resolver && { resolver: context.resolver }),
    mounts: [...mountsOf(pod, container, context.roots), ...messageMount(container, context.messageFile)],
    ports: joins.network ? [] : portsOf(container),
    network: namespaceOf(joins.network, hostNetwork),
    processes: namespaceOf(joins.processes, hostPID),
    ...(ipc && { ipc }),
    ...resourcesOf(container),
    ...securityOf(pod, container),
    ...(!joins.infra && sysctlsOf(pod)),
    tty: container.tty ?? false,
    stdin: container.stdin ?? false,
    stdinOnce: container.stdinOnce ?? false,
    ...stopSignalOf(container),
  };
}

function messageMount({ terminationMessagePath }: Container, file: string | undefined): Mount[] {
  if (!file) return [];
  return [{ source: file, target: terminationMessagePath || DEFAULT_MESSAGE_PATH, readOnly: false }];
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
    podIp,
    network,
    resolver,
  }: Pick<ContainerContext, 'attempt' | 'podSinceMs' | 'resolver'> & { podIp: string; network: Namespace },
): ContainerSpec {
  return {
    identity: {
      ...identityOf(pod, '', '', { attempt, podSinceMs, crashes: 0, joins: {} }),
      role: 'infra',
      podIp,
    },
    image,
    env: [],
    hostname: hostnameOf(pod),
    ...(resolver && { resolver }),
    mounts: [],
    ports: ownContainersOf(pod).flatMap(portsOf),
    network,
    ...sysctlsOf(pod),
    ipc: { type: pod.spec.hostIPC ? 'host' : 'offered' },
    readOnlyRoot: true,
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
    podSinceMs,
  }: Pick<ContainerContext, 'attempt' | 'crashes' | 'joins' | 'podSinceMs'>,
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
  };
}

/** What this agent cannot do yet is said, not left out in silence: a pod must not run as something else than it asks. */
function refuseUnsupported(pod: Pod, container: Container): void {
  const { spec } = pod;
  const asks: [boolean, string][] = [
    [Boolean(container.volumeDevices?.length), `containers[${container.name}].volumeDevices`],
    [spec.securityContext?.fsGroup !== undefined, 'securityContext.fsGroup'],
    [Boolean(spec.securityContext?.supplementalGroups?.length), 'securityContext.supplementalGroups'],
    [Boolean(spec.runtimeClassName), 'runtimeClassName'],
    [Boolean(spec.hostAliases?.length), 'hostAliases'],
  ];
  const unsupported = asks.filter(([asked]) => asked).map(([, field]) => `spec.${field}`);
  if (unsupported.length === 0) return;
  throw new ConfigurationError(
    `${unsupported.join(', ')}: not supported by this agent yet; remove it from the pod`,
  );
}

/** Kubernetes cuts a pod's name to what a host name may be, at 63 characters and not behind a `-` or `.`. */
function hostnameOf(pod: Pod): string {
  return (pod.spec.hostname ?? pod.metadata.name).slice(0, MAX_HOSTNAME_LENGTH).replace(/[-.]+$/, '');
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
