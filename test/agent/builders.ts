import { NO_RAILS } from '../../agent/pod/guard-rails.ts';
import type { ImageState, PodInput } from '../../agent/pod/observation.ts';
import { type Container, ownContainersOf, type Pod, specHash } from '../../agent/pod/pod.ts';
import type { ObservedContainer } from '../../agent/runtime/runtime.ts';

export const UID = 'uid-web';

export function container(name = 'main', rest: Partial<Container> = {}): Container {
  return { name, image: 'web:1', ...rest };
}

export function makePod(spec: Partial<Pod['spec']> = {}, metadata: Partial<Pod['metadata']> = {}): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', namespace: 'default', uid: UID, ...metadata },
    spec: { containers: [container()], terminationGracePeriodSeconds: 30, ...spec },
  };
}

/** A container of the pod's first, or named, container as the engine would show it: running, with the right hash. */
export function observed(pod: Pod, rest: Partial<ObservedContainer> = {}): ObservedContainer {
  const name = rest.container ?? pod.spec.containers[0]?.name ?? '';
  const spec = ownContainersOf(pod).find((each) => each.name === name) ?? container(name);
  const attempt = rest.attempt ?? 0;
  return {
    id: `${name || 'infra'}-${attempt}`,
    engine: 'docker',
    role: 'container',
    podUid: pod.metadata.uid,
    podNamespace: pod.metadata.namespace,
    podName: pod.metadata.name,
    container: name,
    attempt,
    specHash: specHash(pod, spec),
    crashes: 0,
    graceSeconds: 30,
    infra: '',
    podSinceMs: 0,
    podIp: '',
    podDevices: '',
    pid: 1,
    makesNetwork: false,
    image: spec.image ?? '',
    imageId: 'sha256:1',
    state: 'running',
    exitCode: 0,
    oomKilled: false,
    error: '',
    startedAtMs: 1_000,
    finishedAtMs: undefined,
    exitedAtMs: undefined,
    ip: '172.17.0.2',
    stopSignal: 'SIGTERM',
    ...rest,
  };
}

/** What is known of a pod of which nothing is there yet. */
export function podInput(pod: Pod | undefined, rest: Partial<PodInput> = {}): PodInput {
  return {
    pod,
    containers: [],
    firstSeenAtMs: 0,
    image: () => UNKNOWN_IMAGE,
    prepared: true,
    failures: new Map(),
    killAtMs: new Map(),
    stopByMs: undefined,
    unhealthy: new Map(),
    health: () => ({ started: true, ready: true }),
    hooks: new Set(),
    startedAtMs: 0,
    finished: false,
    verdict: undefined,
    waitsFor: undefined,
    discarded: false,
    lastAttempt: new Map(),
    turn: 'run',
    keptImages: new Set(),
    rails: NO_RAILS,
    hasNetwork: false,
    connected: new Set(),
    nowMs: 0,
    ...rest,
  };
}

export const UNKNOWN_IMAGE: ImageState = {
  absent: false,
  present: false,
  pulling: false,
  digest: undefined,
  triedAtMs: undefined,
  failure: undefined,
};

/** One that ended `ranMs` after its start, at `exitedAtMs` of the monotonic clock. */
export function ended(
  pod: Pod,
  rest: Partial<ObservedContainer> & { ranMs?: number } = {},
): ObservedContainer {
  const { ranMs = 1_000, ...fields } = rest;
  return observed(pod, {
    state: 'exited',
    exitCode: 1,
    finishedAtMs: 1_000 + ranMs,
    exitedAtMs: 0,
    ...fields,
  });
}
