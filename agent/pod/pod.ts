import { createHash } from 'node:crypto';
import type {
  ConfigMap,
  Container,
  EphemeralContainer,
  Pod as KubePod,
  Service as KubeService,
  PersistentVolume,
  PersistentVolumeSpec,
  PodSpec,
  PodStatus,
  Secret,
  ServiceSpec,
  Volume,
} from 'kubernetes-types/core/v1.d.ts';
import { canonicalJson } from '../../proto/canonical-json.ts';

export type { ConfigMap, Container, EphemeralContainer, PodSpec, PodStatus, Secret };

/** A pod as the hub sends it: named, with a uid and a spec. Its status is ours to say. */
export interface Pod extends KubePod {
  readonly metadata: NonNullable<KubePod['metadata']> & { name: string; namespace: string; uid: string };
  readonly spec: PodSpec;
}

/** A Service that selects pods, as the hub sends it: nothing but where it leads. */
export interface Service extends KubeService {
  readonly metadata: NonNullable<KubeService['metadata']> & { name: string; namespace: string };
  readonly spec: ServiceSpec;
}

/** A volume that outlives pods, as the hub sends it: nothing but where it is. */
export interface ClaimedVolume extends PersistentVolume {
  readonly metadata: NonNullable<PersistentVolume['metadata']> & { name: string; uid: string };
  readonly spec: PersistentVolumeSpec;
}

/** What pods refer to: looked up by `namespace/name`. */
export interface Configuration {
  configMap(namespace: string, name: string): ConfigMap | undefined;
  secret(namespace: string, name: string): Secret | undefined;
}

/** Kubernetes' default, for pods that do not say. */
const DEFAULT_GRACE_SECONDS = 30;

export function podKey(pod: Pod): string {
  return `${pod.metadata.namespace}/${pod.metadata.name}`;
}

/** How long containers get between TERM and KILL. A deletion may shorten what the spec grants. */
export function graceSecondsOf(pod: Pod): number {
  return (
    pod.metadata.deletionGracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS
  );
}

export function isDeleted(pod: Pod): boolean {
  return pod.metadata.deletionTimestamp !== undefined;
}

/** All that run in the pod: its own, and those that somebody looks into it with. */
export function allContainersOf(pod: Pod): readonly (Container | EphemeralContainer)[] {
  return [...ownContainersOf(pod), ...(pod.spec.ephemeralContainers ?? [])];
}

/** An image that the pod needs. */
export interface NeededImage {
  readonly image: string;
  readonly imagePullPolicy?: string | undefined;
}

/** A volume that is the files of an image; the types that we build on do not have it yet. */
export type ImageVolume = Volume & {
  readonly image?: { readonly reference?: string; readonly pullPolicy?: string };
};

/** What its volumes are the files of, or those of them that have these names. */
export function volumeImagesOf({ spec }: Pod, names?: ReadonlySet<string>): readonly NeededImage[] {
  return (spec.volumes ?? []).flatMap(({ name, image }: ImageVolume) =>
    image && (names?.has(name) ?? true)
      ? { image: image.reference ?? '', imagePullPolicy: image.pullPolicy }
      : [],
  );
}

/** All that it needs: what its containers run, and its volumes. */
export function imagesOf(pod: Pod): readonly NeededImage[] {
  const run = allContainersOf(pod).map(({ image = '', imagePullPolicy }) => ({ image, imagePullPolicy }));
  return [...run, ...volumeImagesOf(pod)];
}

/** What the pod itself consists of, in the order in which it begins. */
export function ownContainersOf({ spec }: Pod): readonly Container[] {
  return [...(spec.initContainers ?? []), ...spec.containers];
}

/** An init container that goes on running beside the others: https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/ */
export function isSidecar({ spec }: Pod, container: string): boolean {
  return (
    spec.initContainers?.some(
      ({ name, restartPolicy }) => name === container && restartPolicy === 'Always',
    ) ?? false
  );
}

/** One that must succeed before the pod's own work begins. */
export function isInit(pod: Pod, container: string): boolean {
  return (
    (pod.spec.initContainers?.some(({ name }) => name === container) ?? false) && !isSidecar(pod, container)
  );
}

/** Where a container of the pod stands in it, for events. */
export function fieldPathOf({ spec }: Pod, container: string): string {
  const lists = ['initContainers', 'ephemeralContainers'] as const;
  const list = lists.find((list) => spec[list]?.some(({ name }) => name === container)) ?? 'containers';
  return `spec.${list}{${container}}`;
}

/**
 * Whether the pod needs a container that does nothing but hold its network, and its processes, whoever makes networks:
 * where several containers share them, or one must know its address before it starts. What init containers have done is
 * done for as long as it runs, as in Kubernetes for a sandbox.
 */
export function needsInfra({ spec }: Pod): boolean {
  if (spec.shareProcessNamespace || spec.initContainers?.length) return true;
  if (spec.hostNetwork) return false;
  return spec.containers.length > 1 || spec.containers.some(refersToAddress);
}

function refersToAddress({ env }: Container): boolean {
  return (env ?? []).some(({ valueFrom }) => /^status\.podIPs?$/.test(valueFrom?.fieldRef?.fieldPath ?? ''));
}

/**
 * A hash of what decides how the container runs. A running container whose hash is still this one is never touched, so
 * only fields that the agent acts on go in: a newer hub may add defaults to others.
 */
export function specHash(pod: Pod, container: Container): string {
  const { image, command, args, workingDir, env, envFrom, ports, resources, volumeMounts } = container;
  const { securityContext, tty, stdin, stdinOnce } = container;
  const { hostNetwork, hostPID, hostIPC, shareProcessNamespace } = pod.spec;
  const hashed = {
    container: { image, command, args, workingDir, env, envFrom, ports, resources, volumeMounts },
    process: { securityContext, tty, stdin, stdinOnce },
    pod: { hostNetwork, hostPID, hostIPC, shareProcessNamespace, securityContext: pod.spec.securityContext },
  };
  return createHash('sha256').update(canonicalJson(hashed)).digest('hex').slice(0, 16);
}
