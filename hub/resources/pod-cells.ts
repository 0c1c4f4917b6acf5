import type { ContainerState, ContainerStatus } from 'kubernetes-types/core/v1.d.ts';
import { ageColumn, column, nameColumn, orNone, wideColumn } from './cells.ts';
import type { Column } from './definition.ts';
import { humanDuration } from './human-duration.ts';
import type { KubeObject } from './object.ts';
import type { PodObject } from './typed.ts';

interface Summary {
  readonly ready: number;
  readonly total: number;
  readonly status: string;
  readonly restarts: number;
  readonly lastRestartMs: number | undefined;
}

const TERMINAL_PHASES = ['Succeeded', 'Failed'];

/** `ExitCode:1`, `OOMKilled`, `ErrImagePull`: why a container does not run; undefined when it gives no reason. */
function stateReason({ waiting, terminated }: ContainerState): string | undefined {
  if (waiting?.reason) return waiting.reason;
  if (!terminated) return undefined;
  if (terminated.reason) return terminated.reason;
  return terminated.signal ? `Signal:${terminated.signal}` : `ExitCode:${terminated.exitCode}`;
}

function hasCondition(pod: PodObject, type: string): boolean {
  return pod.status?.conditions?.some((each) => each.type === type && each.status === 'True') ?? false;
}

function sidecarsOf(pod: PodObject): Set<string> {
  const inits = (pod.spec.initContainers ?? []).filter((each) => each.restartPolicy === 'Always');
  return new Set(inits.map(({ name }) => name));
}

/** How far the init containers are; undefined once they are through. */
function initStatus(pod: PodObject, sidecars: ReadonlySet<string>): string | undefined {
  const total = pod.spec.initContainers?.length ?? 0;
  for (const [index, status] of (pod.status?.initContainerStatuses ?? []).entries()) {
    const state = status.state ?? {};
    if (state.terminated?.exitCode === 0 || (sidecars.has(status.name) && status.started)) continue;
    const reason = stateReason(state);
    return reason && reason !== 'PodInitializing' ? `Init:${reason}` : `Init:${index}/${total}`;
  }
  return undefined;
}

/** The first container that does not run speaks for the pod. */
function containerStatus(pod: PodObject, fallback: string): string {
  const statuses = pod.status?.containerStatuses ?? [];
  const reasons = statuses.map(({ state = {} }) => stateReason(state));
  const status = reasons.find((reason) => reason !== undefined) ?? fallback;
  const someRuns = statuses.some(({ ready, state }) => ready && state?.running);
  if (status !== 'Completed' || !someRuns) return status;
  return hasCondition(pod, 'Ready') ? 'Running' : 'NotReady';
}

function statusText(pod: PodObject, init: string | undefined): string {
  const { status } = pod;
  const phase = status?.phase ?? 'Unknown';
  if (pod.metadata.deletionTimestamp && status?.reason === 'NodeLost') return 'Unknown';
  if (pod.metadata.deletionTimestamp && !TERMINAL_PHASES.includes(phase)) return 'Terminating';
  const isGated = status?.conditions?.some(
    ({ type, reason }) => type === 'PodScheduled' && reason === 'SchedulingGated',
  );
  const fallback = isGated ? 'SchedulingGated' : (status?.reason ?? phase);
  return init ?? containerStatus(pod, fallback);
}

function lastEndMs(statuses: readonly ContainerStatus[]): number | undefined {
  const ends = statuses
    .map(({ lastState }) => Date.parse(lastState?.terminated?.finishedAt ?? ''))
    .filter((atMs) => !Number.isNaN(atMs));
  return ends.length > 0 ? Math.max(...ends) : undefined;
}

/** What `kubectl get pods` says about a pod, by Kubernetes' rules. */
export function summarise(pod: PodObject): Summary {
  const sidecars = sidecarsOf(pod);
  const inits = pod.status?.initContainerStatuses ?? [];
  const containers = pod.status?.containerStatuses ?? [];
  const init = hasCondition(pod, 'Initialized') ? undefined : initStatus(pod, sidecars);
  const sidecarStatuses = inits.filter(({ name }) => sidecars.has(name));
  const counted = init === undefined ? [...sidecarStatuses, ...containers] : inits;
  const readyStatuses = [
    ...sidecarStatuses.filter(({ started }) => started),
    ...(init === undefined ? containers : []),
  ];
  return {
    ready: readyStatuses.filter(({ ready, state }) => ready && state?.running).length,
    total: pod.spec.containers.length + sidecars.size,
    status: statusText(pod, init),
    restarts: counted.reduce((sum, { restartCount = 0 }) => sum + restartCount, 0),
    lastRestartMs: lastEndMs(counted),
  };
}

function restartsText(pod: PodObject, nowMs: number): string {
  const { restarts, lastRestartMs } = summarise(pod);
  return restarts === 0 || lastRestartMs === undefined
    ? `${restarts}`
    : `${restarts} (${humanDuration(nowMs - lastRestartMs)} ago)`;
}

function gatesText(pod: PodObject): string {
  const gates = pod.spec.readinessGates ?? [];
  const passed = gates.filter(({ conditionType }) => hasCondition(pod, conditionType)).length;
  return gates.length === 0 ? '<none>' : `${passed}/${gates.length}`;
}

const podCell = (cell: (pod: PodObject, nowMs: number) => string) => (object: KubeObject, nowMs: number) =>
  cell(object as PodObject, nowMs);

export const podColumns: readonly Column[] = [
  nameColumn,
  column(
    'Ready',
    'The aggregate readiness state of this pod for accepting traffic.',
    podCell((pod) => {
      const { ready, total } = summarise(pod);
      return `${ready}/${total}`;
    }),
  ),
  column(
    'Status',
    'The aggregate status of the containers in this pod.',
    podCell((pod) => summarise(pod).status),
  ),
  column(
    'Restarts',
    'The number of times the containers in this pod have been restarted and when the last container in this pod has restarted.',
    podCell(restartsText),
  ),
  ageColumn,
  wideColumn(
    'IP',
    'The primary IP address allocated to the pod.',
    podCell((pod) => orNone(pod.status?.podIP)),
  ),
  wideColumn(
    'Node',
    'The node that the pod runs on.',
    podCell((pod) => orNone(pod.spec.nodeName)),
  ),
  wideColumn(
    'Nominated Node',
    'The node that the scheduler intends for the pod.',
    podCell((pod) => orNone(pod.status?.nominatedNodeName)),
  ),
  wideColumn(
    'Readiness Gates',
    'How many of the readiness gates of the pod have passed.',
    podCell(gatesText),
  ),
];
